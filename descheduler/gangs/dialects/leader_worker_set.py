"""LeaderWorkerSet: each leader with its workers is a gang.

Source: kubernetes-sigs/lws api/leaderworkerset/v1/leaderworkerset_types.go. With the default restart policy
`RecreateGroupOnPodRestart` the loss of any pod makes the controller create the whole group anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup
from descheduler.gangs.spec_reading import ambiguous, child, integer
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.units import Consequence

GROUP = "leaderworkerset.x-k8s.io"
NAME, INDEX = "leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/group-index"
_ALONE = ("None", "Default")  # "Default" is the old name of "None"


class LeaderWorkerSet(BaseDialect):
    name = "leaderworkerset"
    rank = Rank.OWNER
    labels = frozenset({NAME})

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        del lookup
        name = pod.labels.get(NAME)
        return (GangKey(self.name, pod.namespace, f"{name}-{pod.labels.get(INDEX, '?')}"),) if name else ()

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        del members
        name, _, index = gang.name.rpartition("-")
        found = lookup.find(GROUP, "LeaderWorkerSet", gang.namespace, name)
        if isinstance(found, Blocked):
            return Terms(blocked=found)
        if index == "?":
            return Terms(blocked=ambiguous(found, "a pod has no group-index"))
        size = integer(child(found.spec, "leaderWorkerTemplate", "size"))
        alone = child(found.spec, "leaderWorkerTemplate", "restartPolicy") in _ALONE
        consequence = Consequence.RESCHEDULED if alone else Consequence.GROUP_RESTARTS
        return Terms(minimum=1 if size is None else size, consequence=consequence)
