"""Evictions left to Koordinator's descheduler: a PodMigrationJob for each pod, which uses the pod's Reservation.

Its controller lets a job pass by its own limits, evicts by its own evictor (the Eviction API unless it is told
otherwise, so that budgets are kept), and waits for the replacement. Never is there more than one job for a pod: its
name follows from the pod's uid. A job that failed, or does not come to evict its pod in time, is deleted.

Sources: koordinator apis/scheduling/v1alpha1/pod_migration_job_types.go, pkg/descheduler/controllers/migration
(controller.go: a job that nobody of its own process made is carried out; one that is deleted is dropped).
"""

from __future__ import annotations

from typing import Any

from descheduler.apiwrite.wire import Wire
from descheduler.apiwrite.writer import COMPONENT, MANAGED_BY
from descheduler.execution.executors.eviction import PodEvictor, read_error
from descheduler.execution.executors.our_objects import INTENT, POD, OurList, OurObject, OurObjects
from descheduler.execution.executors.protocol import ActingTools, DisruptionAnswer, DisruptionVerdict
from descheduler.model.errors import ClusterError
from descheduler.model.plan import PodMove
from descheduler.model.reasons import Blocked, Reason

GROUP = "scheduling.koordinator.sh"
PATH = f"/apis/{GROUP}/v1alpha1/podmigrationjobs"
_BY = "executor/reserve"
_LOOK = 1.0  # seconds between two looks at whether the pod is evicted, at most


class _Status(Wire, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""


class MigrationJob(OurObject, frozen=True):
    """How far a job is, by its status."""

    status: _Status = _Status()


class JobEvictor:
    """Has single pods evicted by jobs; without a Reservation of ours for it, a pod is evicted by us."""

    def __init__(self, tools: ActingTools, reservations: OurObjects[Any], timeout: float, ttl: int) -> None:
        self.jobs = OurObjects(tools.writer, PATH, OurList[MigrationJob])
        self._direct = PodEvictor(tools)
        self._reservations = reservations
        self._tools, self._timeout, self._ttl = tools, timeout, ttl

    def evict(self, move: PodMove, *, dry_run: bool = False) -> DisruptionAnswer:
        """Raises LeadershipLost; every other outcome is an answer. Whether it would be evicted, the server says."""
        if dry_run:
            return self._direct.evict(move, dry_run=True)
        try:
            held = next((one for one in self._reservations.all() if _is_for(one, move)), None)
            if held is None:
                return self._direct.evict(move)
            self.jobs.create(_body(move, held, self._ttl))
            return self._settled(move)
        except ClusterError as error:
            return read_error(error)

    def is_there(self, move: PodMove) -> bool:
        """Whether exactly this pod exists and stays; its job is waited for. Raises ClusterError."""
        if not self._direct.is_there(move):
            return False
        return self._job(move) is None or not self._settled(move).disrupted

    def _job(self, move: PodMove) -> MigrationJob | None:
        return next((one for one in self.jobs.all() if one.metadata.name == _name(move)), None)

    def _settled(self, move: PodMove) -> DisruptionAnswer:
        """Once the pod is evicted; or why it is not, when its job is no more."""
        clock = self._tools.clock
        deadline = clock.steady() + self._timeout
        while self._direct.is_there(move):
            job = self._job(move)
            over = job is None or job.status.phase in ("Failed", "Aborted", "Succeeded") or clock.steady() >= deadline
            if over:
                if job is not None:
                    self.jobs.delete(job)
                if self._direct.is_there(move):
                    return DisruptionAnswer(DisruptionVerdict.REFUSED, Blocked(Reason.EXECUTOR, _BY, _why(job)))
                break
            clock.sleep(min(_LOOK, self._tools.limits.observe_every))
        return DisruptionAnswer(DisruptionVerdict.DISRUPTED)


def _why(job: MigrationJob | None) -> str:
    if job is None:
        return "its PodMigrationJob is gone"
    told = ": ".join(filter(None, (job.status.reason, job.status.message)))
    return f"PodMigrationJob {job.metadata.name} is {job.status.phase or 'Pending'}{f' ({told})' if told else ''}"


def _name(move: PodMove) -> str:
    return f"{COMPONENT}-{move.uid}"


def _is_for(reservation: OurObject, move: PodMove) -> bool:
    return (reservation.metadata.annotations or {}).get(POD) == f"{move.namespace}/{move.pod}"


def _body(move: PodMove, held: OurObject, ttl: int) -> dict[str, Any]:
    reservation = {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "Reservation",
        "name": held.metadata.name,
        "uid": held.metadata.uid,
    }
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "PodMigrationJob",
        "metadata": {"name": _name(move), "labels": {MANAGED_BY: COMPONENT, INTENT: held.intent}},
        "spec": {
            "mode": "ReservationFirst",
            "ttl": f"{ttl}s",
            "podRef": {"kind": "Pod", "namespace": move.namespace, "name": move.pod, "uid": move.uid},
            "reservationOptions": {"reservationRef": reservation},
        },
    }
