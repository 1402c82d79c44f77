"""KAI: annotation `pod-group-name` and the PodGroup of scheduling.run.ai.

Sources: KAI-Scheduler pkg/common/constants/constants.go; pkg/scheduler/actions/stalegangeviction: a gang with fewer
running pods than its minimum for longer than the staleness grace period (60 s) is killed whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup
from descheduler.gangs.spec_reading import ambiguous, child, children, integer
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.units import Consequence, DisruptionMode

NAME = "pod-group-name"
GROUP = "scheduling.run.ai"


class Kai(BaseDialect):
    """Sub-groups have minima of their own, so a gang with sub-groups moves whole."""

    name = "kai"
    rank = Rank.POD_GROUP
    annotations = frozenset({NAME})

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        del lookup
        name = pod.annotations.get(NAME)
        return (GangKey(self.name, pod.namespace, name),) if name else ()

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        found = lookup.find(GROUP, "PodGroup", gang.namespace, gang.name)
        if isinstance(found, Blocked):
            return Terms(blocked=found)
        groups = children(found.spec, "subGroups")
        minima = [integer(child(g, "minMember")) or 0 for g in groups if isinstance(g, dict)]
        minimum = max(integer(child(found.spec, "minMember")) or 0, sum(minima))
        if minimum < 1:
            return Terms(blocked=ambiguous(found, "no minMember"))
        dies = minimum > 1 and len(members) - 1 < minimum
        return Terms(
            minimum=minimum,
            mode=DisruptionMode.WHOLE if groups else None,
            consequence=Consequence.KILLED_AFTER_GRACE if dies or groups else Consequence.RESCHEDULED,
        )
