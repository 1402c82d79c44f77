"""How many GPUs pods wait for that ask for them by claims, or by a resource that a DeviceClass stands for.

Whether a class is one of GPUs is told by its selectors: they name the driver. Which devices it chooses exactly the
scheduler's rules say when a node is looked for; here it is only a matter of how much room they need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from descheduler.model.dra import (
    ClaimSpec,
    DeviceClass,
    DeviceRequest,
    ResourceClaim,
    ResourceClaimTemplate,
    driver_of,
)
from descheduler.model.extended_resources import by_resource
from descheduler.model.pods import Pod

Key = tuple[str, str]
"""(namespace, name)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What claims and templates ask for, and the classes that they name; `drivers` are those of GPUs here, `offered`
    the resources that some node has by itself."""

    claims: Mapping[Key, ResourceClaim]
    templates: Mapping[Key, ResourceClaimTemplate]
    classes: Mapping[str, DeviceClass]
    drivers: Collection[str]
    offered: Collection[str]

    def waiting(self, pods: Sequence[Pod]) -> dict[int, dict[str, int]]:
        """By position of the pods without a node: whole devices of which driver. Of alternatives the first counts."""
        found: dict[int, dict[str, int]] = {}
        named = {
            name: driver
            for name, one in by_resource(self.classes.values()).items()
            if name not in self.offered and (driver := driver_of(one.selectors, self.drivers))
        }
        for i, pod in enumerate(pods):
            if not pod.node and not pod.terminal:
                counts: Counter[str] = Counter()
                for name, amount in pod.spec.requests if named else ():
                    if name in named and amount:
                        counts[named[name]] += amount
                for spec in self._specs(pod):
                    for ask in spec.asks:
                        counts.update(self._devices(ask.options[0]))
                if counts:
                    found[i] = dict(counts)
        return found

    def _specs(self, pod: Pod) -> list[ClaimSpec]:
        """Of the claims that are not allocated yet."""
        made = len(pod.device_claims) == len(pod.spec.resource_claims)
        out: list[ClaimSpec] = []
        for at, one in enumerate(pod.spec.resource_claims):
            claim = self.claims.get((pod.namespace, pod.device_claims[at] if made else one.claim))
            if claim is None:
                template = self.templates.get((pod.namespace, one.template))
                out += [template.asked] if template is not None else []
            elif not claim.allocated:
                out.append(claim.asked)
        return out

    def _devices(self, request: DeviceRequest) -> dict[str, int]:
        found = self.classes.get(request.device_class)
        if found is None or request.count is None or request.admin or request.capacity:
            return {}
        driver = driver_of((*found.selectors, *request.selectors), self.drivers)
        return {driver: request.count} if driver else {}
