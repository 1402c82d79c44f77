"""Events for the users of the cluster: one event on each pod that it moved or, acting, had to leave."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import structlog

from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.writer import ClusterWriter, Happening
from descheduler.controller.metrics import Metrics
from descheduler.execution.executors.evict import Evict
from descheduler.execution.outcomes import ActionOutcome, PodOutcome
from descheduler.learning.circuit import Circuit, Opening
from descheduler.model.errors import DeschedulerError
from descheduler.model.format import instant
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason
from descheduler.model.removed_state import was_let_go

log = structlog.get_logger(__name__)


class Events:
    """Writes events; one that cannot be written is counted, logged, and stops nothing."""

    def __init__(self, writer: ClusterWriter, metrics: Metrics, clock: Clock, rng: Random) -> None:
        self._writer = writer
        self._metrics = metrics
        self._clock = clock
        self._rng = rng
        self.pages = ""  # where people reach our pages, "" where nobody said
        self._plan = ""
        self._texts: dict[str, str] = {}
        self._open: frozenset[tuple[str, str]] = frozenset()

    def about(self, plan: PlanDocument) -> None:
        """The plan whose actions are carried out next: its findings explain them."""
        self._plan = plan.id
        self._texts = {f.id: f.text for f in plan.findings}

    def write(self, outcome: ActionOutcome) -> None:
        """The events of one action."""
        for pod in outcome.pods:
            happening = self._happening(outcome, pod)
            if happening is not None:
                self._write(happening)

    def paused(self, circuit: Circuit) -> None:
        """Whom the circuit holds by now: an event for each that it did not hold before, on the pod that is late."""
        openings = {(one.scope.value, one.name): one for one in circuit.openings()}
        for key, opening in openings.items():
            if key not in self._open:
                self._write(_opened(opening))
        self._open = frozenset(openings)

    def _write(self, happening: Happening) -> None:
        if self.pages and self._plan:
            happening = replace(happening, page=f"{self.pages.rstrip('/')}/history/plans/{self._plan}")
        try:
            self._writer.event(happening, now=self._clock.wall(), suffix=self._rng.getrandbits(64))
        except DeschedulerError as error:
            self._metrics.event_failures.inc()
            log.warning("event not written", pod=f"{happening.namespace}/{happening.pod}", error=str(error))

    def _happening(self, outcome: ActionOutcome, pod: PodOutcome) -> Happening | None:
        move, strategy, executor = pod.move, outcome.action.strategy, outcome.action.executor
        if pod.evicted:
            expected = f", expected on {move.destination}" if move.destination else ""
            why = self._texts.get(outcome.action.finding, "")
            moved = "Evicted" if executor == Evict.name else f"Moved by {executor}"
            gone = "Let go, so that others start" if was_let_go(move.state) else f"Removed ({move.state})"
            done = gone if move.state else moved
            note = f"{done} from {move.source}{expected}" + (f": {why}" if why else "")
            return Happening(move.namespace, move.pod, move.uid, "Evict", strategy, note)
        blocked = pod.blocked or outcome.blocked
        if blocked is None:
            return None
        note = f"Not evicted from {move.source}, though {strategy} planned it: {blocked}"
        return Happening(move.namespace, move.pod, move.uid, "Evict", blocked.reason.value, note, warning=True)


def _opened(opening: Opening) -> Happening:
    """Told to the namespace of the latest, and nothing of other namespaces; the uid is that of the evicted pod."""
    latest = opening.late[0]
    namespace, _, pod = latest.pod.partition("/")
    whom = f"moves of {opening.scope} {opening.name}" if opening.name else "all moves"
    note = f"No replacement of this pod is ready, nor of others: {whom} pause until {instant(opening.until)}"
    return Happening(namespace, pod, latest.uid, "Pause", Reason.CIRCUIT_OPEN.value, note, warning=True)
