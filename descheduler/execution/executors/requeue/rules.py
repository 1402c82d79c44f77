"""What can be stopped and started again as a whole: why a pod cannot be moved so, from what the snapshot says of the
controllers above it.

Where Kueue queues a job, it goes by its Workload and never by the job's own field, which Kueue would set back at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from descheduler.execution.executors.protocol import PodFilter
from descheduler.execution.executors.requeue.fitness import QUEUE, Looks, foreign, held, unfit
from descheduler.execution.executors.requeue.queue_units import is_for
from descheduler.execution.executors.requeue.switches import QUEUE_UNIT, WORKLOAD, passed, switch_of
from descheduler.gangs.dialects.kueue import GROUP, MANAGED, POD_GROUP
from descheduler.gangs.lookup import Lookup
from descheduler.gangs.spec_reading import child
from descheduler.model.objects import CustomObject
from descheduler.model.owners import OwnerRef
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import Workload

BY = "executor/requeue"
_RUNS = (("batch", "CronJob"), ("batch.volcano.sh", "CronJob"))


def requeue_filter(snapshot: ClusterSnapshot) -> PodFilter:
    """Why the job of a pod cannot be stopped and started again; None where it can."""
    rules = _Rules(snapshot)
    known: dict[tuple[str, str, bool], str] = {}

    def refuses(pod: Pod) -> Blocked | None:
        owner = pod.controller
        if owner is None:
            return Blocked(Reason.EXECUTOR, BY, "no job makes its replacement")
        single = _queued_singly(pod)
        key = (pod.namespace, owner.uid, single)
        if key not in known:
            known[key] = rules.against(pod, single)
        return Blocked(Reason.EXECUTOR, BY, known[key]) if known[key] else None

    return refuses


def _queued_singly(pod: Pod) -> bool:
    return POD_GROUP in pod.labels or POD_GROUP in pod.annotations or MANAGED in pod.labels


class _Rules:
    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self._snapshot = snapshot
        self._lookup = Lookup(snapshot)

    def against(self, pod: Pod, single: bool) -> str:
        """The first thing that speaks against it, empty where nothing does."""
        if single:
            return "Kueue queues it as a plain pod or a group of them, and makes none of them again"
        if (unread := self._lookup.unread(GROUP, "Workload")) is not None:
            return f"whether Kueue queues it cannot be read: {unread.detail}"
        chain = self._lookup.chain(pod.namespace, pod.owners)
        queued = {
            found.name: found for owner in chain for found in self._lookup.queued.get((pod.namespace, owner.uid), ())
        }
        if len(queued) > 1:
            return f"several Workloads of Kueue are its: {', '.join(sorted(queued))}"
        if queued:
            return self._queued(chain, *queued.values())
        job = _job(chain)
        return job if isinstance(job, str) else self._by_itself(pod.namespace, job)

    def _queued(self, chain: Sequence[OwnerRef], workload: CustomObject) -> str:
        for owner in chain:
            found = self._snapshot.controller(workload.namespace, owner)
            if found is not None and (why := foreign(_looks(found))):
                return f"{owner.kind} {owner.name}: {why}"
        name = f"Workload {workload.name} of Kueue"
        if workload.problem:
            return f"{name}: {workload.problem}"
        why = unfit(WORKLOAD, _looks(workload))
        return f"{name}: {why}" if why else ""

    def _by_itself(self, namespace: str, owner: OwnerRef) -> str:
        found, switch = self._snapshot.controller(namespace, owner), switch_of(owner)
        name = f"{owner.kind} {owner.name}"
        if found is None or found.uid != owner.uid or switch is None:
            return f"its {name} is not known"
        if found.problem:
            return f"{name}: {found.problem}"
        if QUEUE in found.labels:
            return f"{name}: Kueue queues it, but its Workload is not known"
        if isinstance(found, Workload) and found.left == 0:
            return f"{name}: it has ended"
        why = unfit(switch, _looks(found)) or self._held(namespace, owner)
        return f"{name}: {why}" if why else ""

    def _held(self, namespace: str, owner: OwnerRef) -> str:
        if (unread := self._lookup.unread(QUEUE_UNIT.group, QUEUE_UNIT.name)) is not None:
            return f"whether kube-queue queues it cannot be read: {unread.detail}"
        switch = switch_of(owner)
        units = self._queue_units.get((namespace, owner.name), ())
        mine = [one for one in units if is_for(one.spec, owner.group, owner.kind, owner.name)]
        return "" if switch is None else held(switch, [str(one.status.get("phase") or "") for one in mine])

    @cached_property
    def _queue_units(self) -> Mapping[tuple[str, str], Sequence[CustomObject]]:
        """kube-queue's QueueUnits by namespace, and the name of whom they are for."""
        out: dict[tuple[str, str], list[CustomObject]] = {}
        for found in self._snapshot.objects.get(QUEUE_UNIT.key, ()):
            out.setdefault((found.namespace, str(child(found.spec, "consumerRef", "name"))), []).append(found)
        return out


def _job(chain: Sequence[OwnerRef]) -> OwnerRef | str:
    """Who is stopped where no queue manages it: the topmost controller, whatever only makes new runs left aside."""
    above = [owner for owner in chain if (owner.group, owner.kind) not in _RUNS]
    if not above:
        return "no job makes its replacement"
    top = above[-1]
    if switch_of(top) is not None:
        return top
    if any(passed(owner) is not None for owner in above):
        return f"{top.kind} {top.name} owns its job, and may start or replace it by its own rules"
    return f"nothing stops a {top.kind} as a whole and starts it again"


def _looks(found: Workload | CustomObject) -> Looks:
    if isinstance(found, CustomObject):
        return Looks(found.spec, found.status, found.labels, found.annotations, found.deleting)
    return Looks(
        {"suspend": found.suspended, "managedBy": found.managed_by}, {}, found.labels, found.annotations, found.deleting
    )
