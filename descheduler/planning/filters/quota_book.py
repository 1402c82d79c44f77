"""The ResourceQuotas of a snapshot: what of each is used, what of that is on its way out, and who waits for room."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from descheduler.model.admission import ResourceQuota
from descheduler.model.bounds import QUOTAS
from descheduler.model.pods import Amounts, PodSpec
from descheduler.model.workloads import Workload
from descheduler.planning.filters.context import FilterContext
from descheduler.planning.filters.limit_ranges import with_defaults
from descheduler.planning.filters.quota_usage import OBJECTS, Usage, covers, unstated, usage

_NOTHING: Usage = {}
_STAYS, _LEAVES, _ENDED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Rival:
    """A controller that has fewer pods than it wants, and what it would make."""

    owner: Workload
    spec: PodSpec


class QuotaBook:
    """What is counted in quotas, and what more would be."""

    def __init__(self, context: FilterContext) -> None:
        self._context = context
        self.of: Mapping[str, Sequence[ResourceQuota]] = _of_namespaces(context.snapshot.quotas)
        self._ranges = context.limit_ranges
        self._limits = {quota.key: _lower(quota) for several in self.of.values() for quota in several}
        self._old: dict[int, Usage] = {}
        self._new: dict[tuple[str, int], Usage] = {}

    def returned(self, quota: ResourceQuota, gone: Sequence[PodSpec]) -> Usage:
        """What the quota gets back from pods of these specs."""
        return _sum([self._held(spec) for spec in gone if covers(quota, spec)])

    def asked(self, quota: ResourceQuota, made: Sequence[PodSpec]) -> Usage:
        """What new pods of these specs take of it, with the defaults of its namespace filled in."""
        return _sum([self._taken(quota.namespace, spec) for spec in made if covers(quota, spec)])

    def unstated(self, quota: ResourceQuota, made: Sequence[PodSpec]) -> str:
        """What the quota wants every container of a new pod to state, and one does not; empty when all do."""
        ranges = self._ranges.get(quota.namespace, ())
        inside = (spec for spec in made if covers(quota, spec))
        return next((text for spec in inside if (text := unstated(quota, with_defaults(spec.asks, ranges)))), "")

    def used(self, quota: ResourceQuota) -> Usage:
        """All that is counted, by the pods or by its status, whichever is more."""
        return self._counted[0].get(quota.key, _NOTHING)

    def leaving(self, quota: ResourceQuota) -> Usage:
        """What pods take of it that are on their way out."""
        return self._counted[1].get(quota.key, _NOTHING)

    def limits(self, quota: ResourceQuota) -> Amounts:
        """By resource; while the limit is being changed the lower one."""
        return self._limits[quota.key]

    def fits(self, quota: ResourceQuota, made: Sequence[PodSpec], gone: Sequence[PodSpec] = ()) -> bool:
        """Whether there is room for pods of the specs `made` once `gone`, and all that is on its way out, is gone."""
        used, asked = self.used(quota), self.asked(quota, made)
        free = _sum([self.leaving(quota), self.returned(quota, gone)])
        return all(used.get(n, 0) - free.get(n, 0) + asked[n] <= most for n, most in self.limits(quota) if asked.get(n))

    @cached_property
    def waiting(self) -> Mapping[str, Sequence[Rival]]:
        """Controllers that a quota of their namespace keeps from making a pod that they want, by namespace."""
        out: dict[str, list[Rival]] = defaultdict(list)
        standing = self._context.standing
        for owner in self._context.snapshot.workloads.values():
            template = owner.template
            if owner.namespace not in self.of or template is None or template.problem or owner.deleting:
                continue
            there = max(standing.get((owner.namespace, owner.uid), 0), owner.present)
            short = owner.kind not in _ABOVE and owner.sized and there < owner.wanted
            if short and not all(self.fits(quota, (template.spec,)) for quota in self.of[owner.namespace]):
                out[owner.namespace].append(Rival(owner, template.spec))
        return out

    @cached_property
    def _counted(self) -> tuple[Mapping[str, Usage], Mapping[str, Usage]]:
        used: dict[str, Counter[str]] = {q.key: Counter() for several in self.of.values() for q in several}
        leaving: dict[str, Counter[str]] = {key: Counter() for key in used}
        for namespace, spec, state, count in self._pods():
            takes: Usage = {OBJECTS: 1} if state == _ENDED else self._held(spec)
            for quota in self.of[namespace]:
                if covers(quota, spec):
                    for name, value in takes.items():
                        used[quota.key][name] += value * count
                        if state == _LEAVES:
                            leaving[quota.key][name] += value * count
        for several in self.of.values():
            for quota in several:
                for name, value in quota.used:
                    used[quota.key][name] = max(used[quota.key][name], value)
        return used, leaving

    def _pods(self) -> list[tuple[str, PodSpec, int, int]]:
        """(namespace, spec, state, how many) of the pods in namespaces with quotas."""
        context, specs = self._context, self._context.columns.specs
        spaces = context.looks.namespaces
        inside = np.flatnonzero(context.by_namespace(self.of.__contains__))
        state = np.where(context.staying[inside], _STAYS, _LEAVES)
        for at in np.flatnonzero(state == _LEAVES).tolist():
            if self._ended(int(inside[at])):
                state[at] = _ENDED
        keys = (spaces.rows[inside].astype(np.int64) * len(specs) + context.columns.pod_spec[inside]) * 3 + state
        found, counts = np.unique(keys, return_counts=True)
        out: list[tuple[str, PodSpec, int, int]] = []
        for key, count in zip(found.tolist(), counts.tolist(), strict=True):
            at, what = divmod(key, 3)
            out.append((spaces.values[at // len(specs)], specs[at % len(specs)], what, count))
        return out

    def _ended(self, position: int) -> bool:
        """Whether the pod is not charged any more (`QuotaV1Pod`): it has finished, or should long be gone."""
        pod = self._context.pods[position]
        if pod.terminal or pod.deleting is None:
            return pod.terminal
        return self._context.now > pod.deleting + pod.spec.grace_seconds

    def _held(self, spec: PodSpec) -> Usage:
        if id(spec) not in self._old:  # the snapshot keeps it alive
            self._old[id(spec)] = usage(spec, spec.asks)
        return self._old[id(spec)]

    def _taken(self, namespace: str, spec: PodSpec) -> Usage:
        key = namespace, id(spec)
        if key not in self._new:
            self._new[key] = usage(spec, with_defaults(spec.asks, self._ranges.get(namespace, ())))
        return self._new[key]


def _of_namespaces(quotas: Iterable[ResourceQuota]) -> Mapping[str, Sequence[ResourceQuota]]:
    out: dict[str, list[ResourceQuota]] = defaultdict(list)
    for quota in quotas:
        out[quota.namespace].append(quota)
    return {namespace: several if len(several) <= QUOTAS else _too_many(several) for namespace, several in out.items()}


def _too_many(several: Sequence[ResourceQuota]) -> Sequence[ResourceQuota]:
    text = f"there are {len(several)} in the namespace, more than the {QUOTAS} that are looked at"
    return (replace(several[0], scopes=(), problem=text),)


_ABOVE = ("Deployment", "CronJob")
"""Kinds that make no pods themselves."""


def _lower(quota: ResourceQuota) -> Amounts:
    enforced = dict(quota.enforced)
    return tuple((name, min(value, enforced.get(name, value))) for name, value in quota.hard)


def _sum(several: Sequence[Usage]) -> Usage:
    if len(several) == 1:
        return several[0]
    total: Counter[str] = Counter()
    for one in several:
        total.update(one)
    return total
