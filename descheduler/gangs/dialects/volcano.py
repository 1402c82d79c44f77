"""Volcano: annotation `group-name` and the PodGroup of scheduling.volcano.sh.

Source: volcano-sh/apis pkg/apis/scheduling/v1beta1/{labels,register,types}.go. Volcano makes such a group for every
controller whose pods it schedules, with a minimum of 1: those may lose pods one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup
from descheduler.gangs.spec_reading import ambiguous, child, integer
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Pod
from descheduler.model.quantity import part_of
from descheduler.model.reasons import Blocked
from descheduler.model.units import DisruptionMode

GROUP = "scheduling.volcano.sh"
NAMES = ("scheduling.k8s.io/group-name", "scheduling.volcano.sh/group-name")
JDB_MIN, JDB_MAX = "volcano.sh/jdb-min-available", "volcano.sh/jdb-max-unavailable"


class Volcano(BaseDialect):
    """Minima per task or sub-group cannot be told by a count over all, so such a group moves whole."""

    name = "volcano"
    rank = Rank.POD_GROUP
    annotations = frozenset(NAMES)

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        del lookup
        names = dict.fromkeys(pod.annotations.get(key) for key in NAMES)
        return tuple(GangKey(self.name, pod.namespace, name) for name in names if name)

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        found = lookup.find(GROUP, "PodGroup", gang.namespace, gang.name)
        if isinstance(found, Blocked):
            return Terms(blocked=found)
        minimum = integer(child(found.spec, "minMember"))
        if minimum is None or minimum < 0:
            return Terms(blocked=ambiguous(found, f"minMember is {child(found.spec, 'minMember')!r}"))
        minimum = max(minimum, _budget(found, members))
        parts = child(found.spec, "minTaskMember") or child(found.spec, "subGroupPolicy")
        return Terms(minimum=minimum, mode=DisruptionMode.WHOLE if parts and minimum > 1 else None)


def _budget(group: CustomObject, members: Sequence[Pod]) -> int:
    """The job disruption budget, of the group or of any of its pods: how many must stay."""
    wanted = 0
    for marks in (group.annotations, *dict.fromkeys(p.annotations for p in members)):
        wanted = max(wanted, part_of(marks.get(JDB_MIN, ""), len(members)) or 0)
        most = part_of(marks.get(JDB_MAX, ""), len(members))
        if most is not None:
            wanted = max(wanted, len(members) - most)
    return wanted
