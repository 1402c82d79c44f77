"""Elastic quotas, from the objects alone: would every replacement be let in again?"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from descheduler.model.objects import CustomObject
from descheduler.model.pods import Phase, Pod
from descheduler.model.snapshot import ClusterSnapshot

PLUGINS, KOORDINATOR = "scheduling.x-k8s.io/ElasticQuota", "scheduling.sigs.k8s.io/ElasticQuota"
RUNTIME = "quota.scheduling.koordinator.sh/runtime"
Amounts = dict[str, int]


@dataclass(frozen=True)
class Quota:
    """`limit` of what it lists; the pods of its namespace are in it."""

    namespace: str
    limit: Amounts
    least: Amounts


class Quotas:
    """The quotas of a snapshot, and what they are used for, whatever was moved: a move changes no sum."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self.snapshot = snapshot
        self.plugins = bool(snapshot.objects.get(PLUGINS))
        found = (*snapshot.objects.get(PLUGINS, ()), *snapshot.objects.get(KOORDINATOR, ()))
        self.quotas = {q.namespace: _quota(q) for q in found}
        self.used = {
            name: _sum(p for p in snapshot.pods if p.namespace == name and self._counts(p)) for name in self.quotas
        }

    def broken(self, action: Collection[int]) -> Iterator[str]:
        """Why replacements of the pods of one action would not be let in."""
        if self.plugins and action and self._of(action):
            total = {n: sum(u.get(n, 0) for u in self.used.values()) for n in ("cpu", "memory")}
            least = {n: sum(q.least.get(n, 0) for q in self.quotas.values()) for n in ("cpu", "memory")}
            if any(total[n] > least[n] for n in total):
                yield f"all quotas together use {total}, the sum of min is {least}"
        for name in sorted(self._of(action)):
            moved = [i for i in action if self.snapshot.pods[i].namespace == name]
            yield from self._refused(self.quotas[name], moved)

    def _of(self, action: Collection[int]) -> set[str]:
        return {self.snapshot.pods[i].namespace for i in action} & self.quotas.keys()

    def _refused(self, quota: Quota, moved: list[int]) -> Iterator[str]:
        pods, used = self.snapshot.pods, self.used[quota.namespace]
        freed = _sum(pods[i] for i in moved if self._counts(pods[i]))
        for i in moved:
            asked = self._asked(pods[i])
            over = [n for n in asked if used.get(n, 0) > quota.limit.get(n, 2**62)]
            if over:
                yield f"{pods[i].key} would not be let in again: {quota.namespace} is over its quota of {over}"
            for rival in pods:
                if rival.namespace != quota.namespace or rival.node or rival.phase is not Phase.PENDING:
                    continue
                if rival.deleting is not None or rival.gated or rival.priority < pods[i].priority:
                    continue
                wants = dict(rival.spec.requests)
                with_it = {n: used.get(n, 0) + wants.get(n, 0) for n in quota.limit}
                over_now = any(with_it[n] > quota.limit[n] for n in self._asked(rival) if n in with_it)
                fits_then = all(
                    with_it[n] - freed.get(n, 0) <= quota.limit[n] for n in self._asked(rival) if n in with_it
                )
                if over_now and fits_then and any(with_it[n] > quota.limit[n] for n in asked if n in with_it):
                    yield f"{rival.key} would take the place of {pods[i].key} in the quota of {quota.namespace}"

    def _asked(self, pod: Pod) -> set[str]:
        """Resources whose limit matters to a pod: scheduler-plugins always looks at these."""
        asked = {name for name, amount in pod.spec.requests if amount > 0 and name != "pods"}
        return asked | {"cpu", "memory"} if self.plugins else asked

    def _counts(self, pod: Pod) -> bool:
        return bool(pod.node) and not pod.terminal and pod.phase in (Phase.PENDING, Phase.RUNNING)


def _quota(found: CustomObject) -> Quota:
    limit, least = _amounts(found.spec.get("max")), _amounts(found.spec.get("min"))
    runtime = found.annotations.get(RUNTIME)
    if runtime:
        limit = {n: min(v, _amounts(json.loads(runtime)).get(n, v)) for n, v in limit.items()}
    return Quota(found.namespace, limit, least)


def _amounts(written: object) -> Amounts:
    assert isinstance(written, Mapping)
    return {n: int(str(v).removesuffix("m")) for n, v in written.items()}  # as random_quotas writes them


def _sum(pods: Iterator[Pod]) -> Amounts:
    out: Amounts = {}
    for pod in pods:
        for name, amount in pod.spec.requests:
            out[name] = out.get(name, 0) + amount
    return out
