"""Coscheduling of kubernetes-sigs/scheduler-plugins: label and PodGroup of scheduling.x-k8s.io.

A lone replacement is admitted while its siblings run (pkg/coscheduling/core/core.go, `Permit`), so the eviction of one
member reschedules it alone. `status` is never used: its counters mix namespaces and its phase `Failed` sticks.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup
from descheduler.gangs.spec_reading import positive
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked

LABEL = "scheduling.x-k8s.io/pod-group"
GROUP = "scheduling.x-k8s.io"


class SchedulerPlugins(BaseDialect):
    name = "scheduler-plugins"
    rank = Rank.POD_GROUP
    labels = frozenset({LABEL})

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        del lookup
        name = pod.labels.get(LABEL)
        return (GangKey(self.name, pod.namespace, name),) if name else ()

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        del members
        found = lookup.find(GROUP, "PodGroup", gang.namespace, gang.name)
        if isinstance(found, Blocked):
            return Terms(blocked=found)
        minimum = positive(found, "minMember")
        return Terms(blocked=minimum) if isinstance(minimum, Blocked) else Terms(minimum=minimum)
