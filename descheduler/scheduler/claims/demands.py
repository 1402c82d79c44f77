"""What new claims ask for, ready to be asked of devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from descheduler.model.dra import ClaimSpec, DeviceClass, DeviceRequest
from descheduler.model.fence import Unreadable
from descheduler.scheduler.claims.failures import SelectorFailed
from descheduler.scheduler.claims.pools import Candidate

if TYPE_CHECKING:
    from descheduler.scheduler.claims.selectors import Selector


class Option:
    """A request, or one of its alternatives, with the selectors of its class and its own."""

    def __init__(self, request: DeviceRequest, selectors: Sequence[Selector]) -> None:
        self.request = request
        self._selectors = selectors
        self._known: dict[int, bool | str] = {}

    def matches(self, device: Candidate) -> bool:
        """Whether the selectors choose the device. Raises SelectorFailed."""
        found = self._known.get(id(device))
        if found is None:
            found = self._known[id(device)] = self._judged(device)
        if isinstance(found, str):
            raise SelectorFailed(found)
        return found

    def _judged(self, device: Candidate) -> bool | str:
        try:
            return all(one.matches(device.key[0], device.facts) for one in self._selectors)
        except SelectorFailed as failed:
            return str(failed)


@dataclass(frozen=True, eq=False, slots=True)
class Demand:
    """One claim to be allocated: for each request of `spec` its options."""

    spec: ClaimSpec
    options: tuple[tuple[Option, ...], ...]


class Demands:
    """What specs of claims ask for; those that are alike are worked out once. `classes` None: they were not read."""

    def __init__(self, classes: Mapping[str, DeviceClass] | None) -> None:
        self._classes = classes
        self._selectors: dict[str, Selector] = {}
        self._options: dict[tuple[tuple[str, ...], DeviceRequest], Option] = {}
        self._demands: dict[ClaimSpec, Demand] = {}

    def of(self, spec: ClaimSpec) -> Demand:
        """Raises Unreadable where nobody can say which devices it asks for."""
        found = self._demands.get(spec)
        if found is None:
            if spec.problem:
                raise Unreadable("", spec.problem)
            options = tuple(tuple(self._option(request) for request in ask.options) for ask in spec.asks)
            found = self._demands[spec] = Demand(spec, options)
        return found

    def _option(self, request: DeviceRequest) -> Option:
        if self._classes is None:
            raise Unreadable("", "DeviceClasses were not read")
        found = self._classes.get(request.device_class)
        if found is None:
            raise Unreadable("", f"there is no DeviceClass {request.device_class}")
        if found.problem:
            raise Unreadable("", f"DeviceClass {found.name}: {found.problem}")
        texts = (*found.selectors, *request.selectors)
        key = (texts, request)
        if key not in self._options:
            self._options[key] = Option(request, [self._selector(text) for text in texts])
        return self._options[key]

    def _selector(self, text: str) -> Selector:
        # CEL takes long to load, and most clusters have no claims.
        from descheduler.scheduler.claims.selectors import Selector

        if text not in self._selectors:
            self._selectors[text] = Selector(text)
        return self._selectors[text]
