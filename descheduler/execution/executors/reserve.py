"""The executor `reserve`: Koordinator holds room on the destinations, then pods go by the Eviction API, or are evicted
by Koordinator's descheduler (`migration_jobs`).

Each pod of a unit gets a Reservation (scheduling.koordinator.sh/v1alpha1) that names its destination and belongs to the
pod's controller, so that the scheduler puts whatever the controller makes next into it. Nothing is evicted before all
Reservations of the unit are Available where they were planned; when one cannot be had, all are deleted.

| step                              | a crash after it leaves                                               |
|-----------------------------------|-----------------------------------------------------------------------|
| the intent                        | nothing but the intent                                                |
| some or all Reservations          | Reservations that carry the intent's key: whoever resumes deletes them |
| some evictions, or jobs for them  | the same; the unit is finished first, into what is reserved           |
| Reservations deleted              | an open intent; there is nothing to delete any more                   |

Only a scheduler that knows Reservations fills them, and a controller must make the replacement: other pods are refused.
What nobody resumes Koordinator lets expire after `ttl`; and whoever leads deletes those whose intent is not open any
more, expired and filled ones too.

Sources: koordinator apis/scheduling/v1alpha1/reservation_types.go, pkg/util/reservation/reservation.go (a template's
nodeName pins the node), pkg/descheduler/controllers/migration/reservation/util.go (what a migrating pod reserves).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import Field

from descheduler.apiwrite.wire import Wire
from descheduler.apiwrite.writer import COMPONENT, MANAGED_BY
from descheduler.contract.types import Duration
from descheduler.execution.executors.eviction import EVICTING, PodEvictor
from descheduler.execution.executors.migration_jobs import JobEvictor
from descheduler.execution.executors.our_objects import INTENT, POD, OurList, OurObject, OurObjects
from descheduler.execution.executors.protocol import (
    ActingTools,
    DisruptionAnswer,
    ExecutorArgs,
    NotPrepared,
    PodFilter,
    UnitMover,
)
from descheduler.execution.intents import Intent
from descheduler.kube.client.answers import missing_right
from descheduler.model.errors import ClusterError, NotFound
from descheduler.model.landing_mode import LandingMode
from descheduler.model.manners import Manner
from descheduler.model.plan import Action, PodMove
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.rights import Right
from descheduler.model.snapshot import ClusterSnapshot

GROUP = "scheduling.koordinator.sh"
PATH = f"/apis/{GROUP}/v1alpha1/reservations"
ORDER = f"{GROUP}/reservation-order"  # of two that match, the scheduler takes the lower; the migrating pods' first
_SCHEDULED = ("name", "image", "resources", "ports", "restartPolicy")  # of a container
_GANGS = ("pod-group.scheduling.sigs.k8s.io", f"gang.{GROUP}/")  # a Reservation that carries these joins the gang
_ALLOCATED = frozenset(f"{GROUP}/{name}" for name in ("device-allocated", "resource-status", "reservation-allocated"))
_BY = "executor/reserve"
_LOOK = 1.0  # seconds between two looks at whether Reservations are available, at most


class ReserveArgs(ExecutorArgs):
    """Moving with a Reservation of Koordinator on the destination first."""

    scheduler_names: tuple[str, ...] = Field(default=("koord-scheduler",), min_length=1)
    """Schedulers that fill Reservations; pods of others are not moved."""
    timeout: Duration = Field(default=timedelta(minutes=1), ge=timedelta(seconds=1), le=timedelta(minutes=5))
    """How long the Reservations of a unit may take to be available; then it stays where it is."""
    ttl: Duration = Field(default=timedelta(minutes=30), ge=timedelta(minutes=10), le=timedelta(days=1))
    """How long a Reservation lives at most; it is deleted as soon as the replacements have a node."""
    evict_by: Literal["Eviction", "PodMigrationJob"] = "Eviction"
    """By what pods are evicted then: the Eviction API, or Koordinator's descheduler, by a job for each, which gets
    `timeout` for it."""


class Reserve:
    """Moves pods whose scheduler fills Reservations, to the node that the plan names."""

    name: ClassVar[str] = "reserve"
    landing: ClassVar[LandingMode] = LandingMode.RESERVED
    kinds: ClassVar[tuple[str, ...]] = (f"{GROUP}/Reservation",)
    rights: ClassVar[tuple[Right, ...]] = (
        *EVICTING,
        *(Right(GROUP, kind, v) for kind in ("reservations", "podmigrationjobs") for v in ("list", "create", "delete")),
    )
    manner: ClassVar[Manner] = Manner(
        ("reserve room on the destination", "evict the pod", "its controller makes another one, which takes that room"),
        kept="the place of the replacement",
    )
    Args: ClassVar[type[ExecutorArgs]] = ReserveArgs

    def filter(self, args: ReserveArgs, _: ClusterSnapshot) -> PodFilter:
        def refuses(pod: Pod) -> Blocked | None:
            if pod.spec.scheduler_name not in args.scheduler_names:
                return Blocked(Reason.EXECUTOR, _BY, f"{pod.spec.scheduler_name} does not fill Reservations")
            if pod.controller is None:
                return Blocked(Reason.EXECUTOR, _BY, "no controller makes its replacement")
            return None

        return refuses

    def mover(self, tools: ActingTools, args: ReserveArgs) -> UnitMover:
        return _Reserving(tools, args)


class _Condition(Wire, frozen=True):
    message: str = ""


class _Status(Wire, frozen=True):
    phase: str = ""
    node_name: str = ""
    conditions: tuple[_Condition, ...] | None = None


class _Reservation(OurObject, frozen=True):
    status: _Status = _Status()


class _Reserving:
    def __init__(self, tools: ActingTools, args: ReserveArgs) -> None:
        self._tools = tools
        self._args = args
        self._reservations = OurObjects(tools.writer, PATH, OurList[_Reservation])
        self._jobs: JobEvictor | None = None
        if args.evict_by == "PodMigrationJob":
            seconds, ttl = args.timeout.total_seconds(), round(args.ttl.total_seconds())
            self._jobs = JobEvictor(tools, self._reservations, seconds, ttl)
        self._evictor = self._jobs or PodEvictor(tools)

    def holds(self, _: Action) -> bool:
        return True

    def prepare(self, intent: Intent) -> NotPrepared | None:
        wanted: dict[str, str] = {}
        for position, move in enumerate(intent.action.pods):
            name = f"{COMPONENT}-{intent.key}-{position}"
            wanted[name] = move.destination
            try:
                blocked = self._reserve(name, intent, move)
            except ClusterError as error:
                text = f"Reservation for {move.namespace}/{move.pod} on {move.destination}: {error}"
                refused = missing_right(error, text) or Blocked(Reason.API_REFUSED, _BY, text)
                return NotPrepared(refused, certain=error.refused)
            if blocked is not None:
                return NotPrepared(blocked)
        blocked = self._wait(intent, wanted)
        return None if blocked is None else NotPrepared(blocked)

    def disrupt(self, move: PodMove, *, dry_run: bool = False) -> DisruptionAnswer:
        return self._evictor.evict(move, dry_run=dry_run)

    def disrupted(self, move: PodMove) -> bool:
        return not self._evictor.is_there(move)

    def release(self, closing: Sequence[Intent], _: Sequence[Intent]) -> None:
        for ours in self._ours:
            for intent in closing:
                ours.release(intent)

    def sweep(self, still_open: Collection[str]) -> None:
        for ours in self._ours:
            ours.sweep(still_open)

    @property
    def _ours(self) -> tuple[OurObjects[Any], ...]:
        """What we make, and what must go first comes first."""
        return (self._reservations,) if self._jobs is None else (self._jobs.jobs, self._reservations)

    def _reserve(self, name: str, intent: Intent, move: PodMove) -> Blocked | None:
        """Create the Reservation, which an earlier attempt may have done already; or why the pod needs none."""
        path = f"/api/v1/namespaces/{move.namespace}/pods/{move.pod}"
        changed = Blocked(Reason.CHANGED, f"{move.namespace}/{move.pod}", "the pod is gone")
        try:
            pod = msgspec.json.decode(self._tools.writer.transport.request("GET", path))
        except NotFound:
            return changed
        owners = [one for one in pod["metadata"].get("ownerReferences", ()) if one.get("controller")]
        if pod["metadata"]["uid"] != move.uid or not owners:
            return changed
        body = _body(name, intent, move, pod, owners[0], round(self._args.ttl.total_seconds()))
        self._reservations.create(body)
        return None

    def _wait(self, intent: Intent, wanted: Mapping[str, str]) -> Blocked | None:
        """Until all are available at the same moment, each on its node; or why they will not be."""
        clock = self._tools.clock
        deadline = clock.steady() + self._args.timeout.total_seconds()
        while True:
            try:
                found = {one.metadata.name: one.status for one in self._reservations.of(intent)}
                waiting = [_state(name, node, found.get(name)) for name, node in wanted.items()]
            except ClusterError as error:
                waiting = [str(error)]  # the next look may see; the deadline bounds how many there are
            if blocked := next((one for one in waiting if isinstance(one, Blocked)), None):
                return blocked
            if not any(waiting):
                return None
            if (closed := self._tools.closed()) is not None:
                return closed
            if clock.steady() >= deadline:
                text = f"not available within {self._args.timeout.total_seconds():.0f} s: {_first(waiting)}"
                return Blocked(Reason.EXECUTOR, _BY, text)
            clock.sleep(min(_LOOK, self._tools.limits.observe_every))


def _state(name: str, node: str, status: _Status | None) -> str | Blocked:
    """What a Reservation still waits for, empty when it is available; why it will never be."""
    if status is None:
        return Blocked(Reason.EXECUTOR, _BY, f"Reservation {name} is gone")
    text = "; ".join(one.message for one in status.conditions or () if one.message)
    match status.phase:
        case "Available" if status.node_name == node:
            return ""
        case "Available":
            return Blocked(Reason.EXECUTOR, _BY, f"Reservation {name} is on {status.node_name}, not on {node}")
        case "Succeeded":
            return Blocked(Reason.EXECUTOR, _BY, f"Reservation {name} was taken by another pod")
        case "Failed":
            return Blocked(Reason.EXECUTOR, _BY, f"Reservation {name} on {node} failed: {text or 'no reason given'}")
    return f"Reservation {name} on {node} is {status.phase or 'Pending'}{f': {text}' if text else ''}"


def _first(waiting: Iterable[str | Blocked]) -> str:
    return next((one for one in waiting if isinstance(one, str) and one), "")


def _body(
    name: str, intent: Intent, move: PodMove, pod: Mapping[str, Any], owner: Mapping[str, Any], ttl: int
) -> dict[str, Any]:
    """The Reservation: what the pod asks for, on its destination, for the next pod of its controller."""
    meta = pod["metadata"]
    template = {
        "namespace": move.namespace,
        "labels": _without_gang(meta.get("labels") or {}),
        "annotations": _without_gang({k: v for k, v in (meta.get("annotations") or {}).items() if k not in _ALLOCATED}),
    }
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "Reservation",
        "metadata": {
            "name": name,
            "labels": {MANAGED_BY: COMPONENT, INTENT: intent.key, ORDER: str(round(intent.at * 1000))},
            "annotations": {
                "rebalance.descheduler.dev/plan": intent.plan,
                "rebalance.descheduler.dev/action": intent.action.id,
                POD: f"{move.namespace}/{move.pod}",
            },
        },
        "spec": {
            "template": {"metadata": template, "spec": _spec(pod["spec"], move.destination)},
            "owners": [{"controller": {**owner, "namespace": move.namespace}}],
            "ttl": f"{ttl}s",
            "allocateOnce": True,
        },
    }


def _spec(spec: Mapping[str, Any], node: str) -> dict[str, Any]:
    """What the scheduler looks at. What containers run with stays out: Reservations belong to no namespace, so that
    whoever may read them would read every tenant's environment."""
    slim = {
        kind: [{key: one[key] for key in _SCHEDULED if key in one} for one in spec[kind]]
        for kind in ("containers", "initContainers")
        if kind in spec
    }
    return {**spec, **slim, "nodeName": node}


def _without_gang(marks: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in marks.items() if not key.startswith(_GANGS)}
