"""The claims that pods come with: those that are there, and those that are made for them from templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from descheduler.model.arrays import Indices, Ints, Mask
from descheduler.model.asks import Asks
from descheduler.model.dra import (
    CLAIMS,
    CLASSES,
    TEMPLATES,
    DeviceClass,
    ResourceClaim,
    ResourceClaimTemplate,
    by_claims,
    driver_of,
)
from descheduler.model.extended_resources import by_resource
from descheduler.model.fence import Unreadable
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Amounts, Pod, PodClaim, PodSpec, amount_of
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler.claims.demands import Demand, Demands
from descheduler.scheduler.claims.extended import claim_for

Key = tuple[str, str]
"""(namespace, name)."""
T = TypeVar("T", bound=CustomObject)


@dataclass(frozen=True, eq=False, slots=True)
class Existing:
    """A claim of the snapshot, at its position among them. `demand` is what it asks for while nothing is allocated."""

    at: int
    demand: Demand | None


_NEVER_BOUND = "it also asks for extended resources that some nodes offer: to these the scheduler cannot bind it"
"""A pod with claims of its own for whose resources nothing is to be claimed fails in PreBind, again and again
(`patchPodExtendedResourceClaimStatus`: "nil or empty request mappings")."""

Claims = tuple[Existing | Demand, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Extended:
    """The claim that is made for extended resources: on each of N nodes that of `variants` at `of_node` [N]; None where
    the node offers them all itself."""

    variants: tuple[Demand | None, ...]
    of_node: Ints


@dataclass(frozen=True, eq=False, slots=True)
class Wanted:
    """The claims of one pod, in the order of its spec; after them the one for its extended resources, if any."""

    claims: Claims = ()
    extended: Extended | None = None

    def on(self, node: int) -> Claims:
        """All of them, were it put on the node."""
        return self.claims if self.extended is None else self._with(int(self.extended.of_node[node]))

    def among(self, nodes: Indices) -> Iterator[tuple[Claims, Indices]]:
        """The same of [K] nodes, and at which positions of these."""
        if self.extended is None:
            yield self.claims, np.arange(len(nodes))
            return
        variant = self.extended.of_node[nodes]
        for one in np.unique(variant).tolist():
            yield self._with(one), np.flatnonzero(variant == one)

    def _with(self, variant: int) -> Claims:
        made = None if self.extended is None else self.extended.variants[variant]
        return self.claims if made is None else (*self.claims, made)


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
        self._columns = snapshot.columns
        self._by_resource = by_resource(_all(DeviceClass, classes or ()), snapshot.release)
        self._unoffered: dict[str, Mask] = {}
        self._known: dict[tuple[str, tuple[PodClaim, ...], Asks | None, Amounts], Wanted | str] = {}

    def claiming(self, spec: PodSpec) -> bool:
        """Whether pods of the spec may hold devices by claims."""
        return bool(spec.resource_claims) or any(name in self._by_resource for name, _ in spec.requests)

    def served(self, spec: PodSpec) -> Mapping[str, Mask]:
        """[N] by each extended resource of the spec that a DeviceClass stands for: nodes that do not offer it, where it
        is devices'."""
        return {name: self._where(name) for name, amount in spec.requests if amount and name in self._by_resource}

    @property
    def uncounted(self) -> list[int]:
        """Columns of resources that no node offers, and a DeviceClass stands for."""
        names = enumerate(self._columns.resources)
        return [at for at, name in names if name in self._by_resource and self._where(name).all()]

    def drivers(self, spec: PodSpec, resources: Collection[str]) -> Counter[str]:
        """By driver of GPUs, how many whole ones the spec asks for as these of its extended resources."""
        found: Counter[str] = Counter()
        for name in resources:
            driver = driver_of(self._by_resource[name].selectors, filter(by_claims, self._columns.resources))
            found[driver] += amount_of(spec.requests, name)
        del found[""]
        return found

    def _where(self, resource: str) -> Mask:
        if resource not in self._unoffered:
            columns, at = self._columns, self._columns.resource(resource)
            none = np.ones(len(columns.allocatable), np.bool_)
            self._unoffered[resource] = none if at < 0 else columns.allocatable[:, at] == 0
        return self._unoffered[resource]

    def replacement(self, namespace: str, spec: PodSpec) -> Wanted:
        """What comes in the place of a pod wants, if it has this spec. Raises Unreadable where that cannot be said."""
        served = self.served(spec)
        claims = spec.resource_claims
        key = (namespace, claims, spec.asks if served else None, spec.requests if served else ())
        found = self._known.get(key)
        if found is None:
            try:
                _once_each(claims)
                extended = self._extended(spec, served) if served else None
                found = Wanted(tuple(self._made(namespace, one) for one in claims), extended)
            except Unreadable as error:
                found = str(error)
            self._known[key] = found
        if isinstance(found, str):
            raise Unreadable("", found)
        return found

    def waiting(self, pod: Pod) -> Wanted:
        """What a pod without a node wants: claims that were made for it, or such as will be. Raises Unreadable."""
        named = len(pod.spec.resource_claims)
        if len(pod.device_claims) < named or not named:
            return self.replacement(pod.namespace, pod.spec)
        _once_each(pod.spec.resource_claims)
        served = self.served(pod.spec)
        # A claim for extended resources that an earlier try has left behind is made anew.
        made = tuple(self._existing(pod.namespace, name, pod) for name in pod.device_claims[:named])
        return Wanted(made, self._extended(pod.spec, served) if served else None)

    def held(self, pod: Pod) -> tuple[int, ...]:
        """Positions of the claims that a pod with a node holds."""
        keys = ((pod.namespace, name) for name in pod.device_claims)
        return tuple(self.index[key] for key in keys if key in self.index)

    def _extended(self, spec: PodSpec, served: Mapping[str, Mask]) -> Extended:
        names = sorted(served)
        masks = np.stack([served[name] for name in names], axis=1)
        kinds, of_node = np.unique(masks, axis=0, return_inverse=True)
        chosen = ([name for name, here in zip(names, kind, strict=True) if here] for kind in kinds.tolist())
        variants = tuple(
            self._demands.of(claim_for(spec, here, self._by_resource)) if here else None for here in chosen
        )
        if spec.resource_claims and None in variants:
            raise Unreadable("", _NEVER_BOUND)
        return Extended(variants, of_node.reshape(-1))

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
