"""Volcano's own Job (batch.volcano.sh): what an eviction does is written in its policies.

Source: volcano-sh/apis pkg/apis/batch/v1alpha1/job.go, pkg/apis/bus/v1alpha1/{actions,events}.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.consequences import worst
from descheduler.gangs.lookup import Lookup, group_of
from descheduler.gangs.spec_reading import child, children, integer
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.units import Consequence
from descheduler.model.workloads import OwnerRef

GROUP = "batch.volcano.sh"
LABEL = "volcano.sh/job-name"
_EVENTS = frozenset({"PodEvicted", "PodFailed", "*"})
_ACTIONS = {
    "RestartJob": Consequence.GROUP_RESTARTS,
    "RestartTask": Consequence.GROUP_RESTARTS,
    "RestartPartition": Consequence.GROUP_RESTARTS,
    "AbortJob": Consequence.FAILS,
    "TerminateJob": Consequence.FAILS,
    "CompleteJob": Consequence.FAILS,
}
_MAX_RETRY = 3  # the default of spec.maxRetry


class VolcanoJob(BaseDialect):
    name = "volcano-job"
    rank = Rank.OWNER
    labels = frozenset({LABEL})

    def owned(self, namespace: str, chain: tuple[OwnerRef, ...], lookup: Lookup) -> bool:
        del namespace, lookup
        return any(o.kind == "Job" and group_of(o) == GROUP for o in chain)

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        chain = lookup.chain(pod.namespace, pod.owners)
        above = next((o.name for o in chain if o.kind == "Job" and group_of(o) == GROUP), None)
        name = above or pod.labels.get(LABEL)
        return (GangKey(self.name, pod.namespace, name),) if name else ()

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        del members
        found = lookup.find(GROUP, "Job", gang.namespace, gang.name)
        if isinstance(found, Blocked):
            return Terms(blocked=found)
        tasks = children(found.spec, "tasks")
        planned = integer(child(found.spec, "minAvailable"))
        total = sum(integer(child(t, "replicas")) or 0 for t in tasks)
        return Terms(minimum=planned or total or None, consequence=_consequence(found, tasks))


def _consequence(job: CustomObject, tasks: list[Json]) -> Consequence:
    policies = [*children(job.spec, "policies"), *(p for t in tasks for p in children(t, "policies"))]
    found = worst(*(_ACTIONS.get(str(child(p, "action")), Consequence.RESCHEDULED) for p in policies if _concerns(p)))
    retries = integer(child(job.status, "retryCount")) or 0
    allowed = integer(child(job.spec, "maxRetry"))
    if found is Consequence.GROUP_RESTARTS and retries >= (_MAX_RETRY if allowed is None else allowed):
        return Consequence.FAILS
    return found


def _concerns(policy: Json) -> bool:
    return child(policy, "event") in _EVENTS or not _EVENTS.isdisjoint(map(str, children(policy, "events")))
