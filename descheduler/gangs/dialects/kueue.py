"""Kueue: pod groups by label, and the Workload of any job that it queues.

Sources: kueue pkg/controller/jobs/pod/constants/constants.go; pkg/controller/tas/topology_ungater.go (a replacement
gets the node selector of the domain that was assigned: with the host name as lowest level it returns to its node).
Kueue never creates pods of a group again; whoever owns them may.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup
from descheduler.gangs.spec_reading import ambiguous, child, children, count, integer
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.nodes import HOSTNAME
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.units import Consequence
from descheduler.model.workloads import OwnerRef

GROUP = "kueue.x-k8s.io"
POD_GROUP = f"{GROUP}/pod-group-name"
TOTAL = f"{GROUP}/pod-group-total-count"
RETRIABLE = f"{GROUP}/retriable-in-group"
WORKLOAD = f"{GROUP}/workload"
MANAGED, POD_SET = f"{GROUP}/managed", f"{GROUP}/podset"
_LOST = "?"  # a pod that Kueue manages but whose Workload cannot be told


class Kueue(BaseDialect):
    """A gang is named by its Workload, which for a pod group has the group's name."""

    name = "kueue"
    rank = Rank.QUEUE
    labels = frozenset({POD_GROUP, MANAGED, POD_SET})
    annotations = frozenset({POD_GROUP, WORKLOAD})

    def owned(self, namespace: str, chain: tuple[OwnerRef, ...], lookup: Lookup) -> bool:
        return bool(lookup.queued) and any((namespace, owner.uid) in lookup.queued for owner in chain)

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        names = [pod.labels.get(POD_GROUP) or pod.annotations.get(POD_GROUP), pod.annotations.get(WORKLOAD)]
        uids = (pod.uid, *(o.uid for o in pod.owners), *(o.uid for o in lookup.chain(pod.namespace, pod.owners)))
        names.extend(w.name for uid in dict.fromkeys(uids) for w in lookup.queued.get((pod.namespace, uid), ()))
        found = tuple(GangKey(self.name, pod.namespace, name) for name in dict.fromkeys(names) if name)
        return found or (GangKey(self.name, pod.namespace, f"{_LOST}/{pod.name}"),)

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        if gang.name.startswith(_LOST):
            unread = lookup.unread(GROUP, "Workload")
            return Terms(blocked=unread or Blocked(Reason.GANG_UNKNOWN, str(gang), "no Workload of Kueue owns it"))
        found = lookup.find(GROUP, "Workload", gang.namespace, gang.name)
        if isinstance(found, Blocked):
            return Terms(blocked=found)
        grouped = [p for p in members if POD_GROUP in p.labels or POD_GROUP in p.annotations]
        minimum = _total(found, grouped) if grouped else _admitted(found)
        if isinstance(minimum, Blocked):
            return Terms(blocked=minimum)
        return Terms(minimum=minimum, consequence=_consequence(found, grouped))


def _total(workload: CustomObject, members: Sequence[Pod]) -> int | Blocked:
    written = {p.annotations.get(TOTAL, "") for p in members}
    total = count(next(iter(written))) if len(written) == 1 else None
    return total or ambiguous(workload, f"pod-group-total-count is {', '.join(sorted(written)) or 'unset'}")


def _admitted(workload: CustomObject) -> int | Blocked:
    """How many pods the workload needs; partial admission may do with `minCount`."""
    sets = children(workload.spec, "podSets")
    counts = [_or(integer(child(s, "minCount")), integer(child(s, "count"))) for s in sets]
    known = [c for c in counts if c is not None]
    if not known or len(known) < len(counts):
        return ambiguous(workload, "podSets have no count")
    return sum(known)


def _or(value: int | None, otherwise: int | None) -> int | None:
    return otherwise if value is None else value


def _consequence(workload: CustomObject, grouped: Sequence[Pod]) -> Consequence:
    if any(p.annotations.get(RETRIABLE) == "false" for p in grouped):
        return Consequence.FAILS
    if any(p.controller is None for p in grouped):
        return Consequence.LOST
    if any(_by_host(a) for a in children(workload.status, "admission", "podSetAssignments")):
        return Consequence.SAME_NODE
    return Consequence.RESCHEDULED


def _by_host(assignment: Json) -> bool:
    levels = children(assignment, "topologyAssignment", "levels")
    return bool(levels) and levels[-1] == HOSTNAME
