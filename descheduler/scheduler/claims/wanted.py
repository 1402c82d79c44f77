"""The claims that pods come with: those that are there, and those that are made for them from templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from descheduler.model.dra import (
    CLAIMS,
    CLASSES,
    TEMPLATES,
    DeviceClass,
    ResourceClaim,
    ResourceClaimTemplate,
)
from descheduler.model.fence import Unreadable
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Pod, PodClaim
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler.claims.demands import Demand, Demands

Key = tuple[str, str]
"""(namespace, name)."""
T = TypeVar("T", bound=CustomObject)


@dataclass(frozen=True, eq=False, slots=True)
class Existing:
    """A claim of the snapshot, at its position among them. `demand` is what it asks for while nothing is allocated."""

    at: int
    demand: Demand | None


Wanted = tuple[Existing | Demand, ...]
"""The claims of one pod, in the order of its spec."""


class Wishes:
    """What pods want; those of one namespace with the same claims in their specs alike."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        objects = snapshot.objects
        self.claims = _all(ResourceClaim, objects.get(CLAIMS, ()))
        self._served = CLAIMS in objects
        self.index: Mapping[Key, int] = {(c.namespace, c.name): at for at, c in enumerate(self.claims)}
        templates = objects.get(TEMPLATES)
        self._templates = None if templates is None else _by_name(ResourceClaimTemplate, templates)
        classes = objects.get(CLASSES)
        self._demands = Demands(None if classes is None else {c.name: c for c in _all(DeviceClass, classes)})
        self._known: dict[tuple[str, tuple[PodClaim, ...]], Wanted | str] = {}

    def replacement(self, namespace: str, claims: tuple[PodClaim, ...]) -> Wanted:
        """What comes in the place of a pod wants. Raises Unreadable where that cannot be said."""
        key = (namespace, claims)
        found = self._known.get(key)
        if found is None:
            try:
                _once_each(claims)
                found = tuple(self._made(namespace, one) for one in claims)
            except Unreadable as error:
                found = str(error)
            self._known[key] = found
        if isinstance(found, str):
            raise Unreadable("", found)
        return found

    def waiting(self, pod: Pod) -> Wanted:
        """What a pod without a node wants: claims that were made for it, or such as will be. Raises Unreadable."""
        if len(pod.device_claims) != len(pod.spec.resource_claims):
            return self.replacement(pod.namespace, pod.spec.resource_claims)
        _once_each(pod.spec.resource_claims)
        return tuple(self._existing(pod.namespace, name, pod) for name in pod.device_claims)

    def held(self, pod: Pod) -> tuple[int, ...]:
        """Positions of the claims that a pod with a node holds."""
        keys = ((pod.namespace, name) for name in pod.device_claims)
        return tuple(self.index[key] for key in keys if key in self.index)

    def _made(self, namespace: str, one: PodClaim) -> Existing | Demand:
        if one.claim:
            return self._existing(namespace, one.claim, None)
        if self._templates is None:
            raise Unreadable("", "ResourceClaimTemplates were not read")
        template = self._templates.get((namespace, one.template))
        if template is None or template.deleting:
            raise Unreadable("", f"there is no ResourceClaimTemplate {namespace}/{one.template}")
        if template.problem:
            raise Unreadable("", f"ResourceClaimTemplate {template.name}: {template.problem}")
        return self._demands.of(template.asked)

    def _existing(self, namespace: str, name: str, pod: Pod | None) -> Existing:
        at = self.index.get((namespace, name))
        if at is None:
            why = f"there is no ResourceClaim {namespace}/{name}" if self._served else "ResourceClaims were not read"
            raise Unreadable("", why)
        claim = self.claims[at]
        if claim.problem:
            raise Unreadable("", f"ResourceClaim {name}: {claim.problem}")
        if claim.deleting:
            raise Unreadable("", f"ResourceClaim {namespace}/{name} is being deleted")
        owner = claim.controller
        if owner is not None and owner.kind == "Pod" and (pod is None or owner.uid != pod.uid):
            raise Unreadable("", f"ResourceClaim {namespace}/{name} is another pod's own, and goes with it")
        try:
            return Existing(at, self._demands.of(claim.asked))
        except Unreadable:
            if claim.allocated:  # then nothing is asked any more
                return Existing(at, None)
            raise


def _once_each(claims: Sequence[PodClaim]) -> None:
    """A claim that a pod names twice would be reserved for it twice, which is refused. Raises Unreadable."""
    named = [one.claim for one in claims if one.claim]
    if len(set(named)) < len(named):
        raise Unreadable("", "it names a ResourceClaim twice, and cannot be scheduled")


def wishes_of(snapshot: ClusterSnapshot) -> Wishes:
    """Those of a snapshot, worked out once."""
    return snapshot.once(Wishes, partial(Wishes, snapshot))


def _all(kind: type[T], found: Sequence[CustomObject]) -> tuple[T, ...]:
    return tuple(one for one in found if isinstance(one, kind))


def _by_name(kind: type[T], found: Sequence[CustomObject]) -> Mapping[Key, T]:
    return {(one.namespace, one.name): one for one in _all(kind, found)}
