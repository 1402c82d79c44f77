"""Constraints between the devices of one claim, while devices are added and taken back
(k8s.io/dynamic-resource-allocation/structured: matchAttributeConstraint, distinctAttributeConstraint)."""

from __future__ import annotations

from descheduler.model.dra import Attribute, Constraint
from descheduler.scheduler.claims.pools import Candidate


def lookup(device: Candidate, name: str) -> Attribute | None:
    """An attribute by its full name; the domain of those without is the driver."""
    found = device.facts.attributes.get(name)
    if found is None:
        domain, slash, key = name.partition("/")
        found = device.facts.attributes.get(key) if slash and domain == device.key[0] else None
    return found


class Tracked:
    """One constraint with the devices that have been added."""

    def __init__(self, constraint: Constraint) -> None:
        self._constraint = constraint
        self._count = 0
        self._common: Attribute | None = None
        self._by_request: dict[str, Attribute] = {}

    def _concerns(self, request: str, option: str) -> bool:
        named = self._constraint.requests
        return not named or request in named or (option != "" and f"{request}/{option}" in named)

    def add(self, request: str, option: str, device: Candidate) -> bool:
        """Whether the device may be added; then it is."""
        if not self._concerns(request, option):
            return True
        found = lookup(device, self._constraint.attribute)
        if found is None:
            return False
        if self._count and not (self._differs(found) if self._constraint.distinct else self._agrees(found)):
            return False
        if self._count == 0:
            self._common = found
        self._by_request[request] = found  # the last one of each request, as the scheduler has it
        self._count += 1
        return True

    def remove(self, request: str, option: str) -> None:
        """Take back what was added last."""
        if self._concerns(request, option):
            self._by_request.pop(request, None)
            self._count -= 1

    def _agrees(self, found: Attribute) -> bool:
        return found.kind != "" and found == self._common

    def _differs(self, found: Attribute) -> bool:
        return found.kind != "" and all(found != other for other in self._by_request.values())
