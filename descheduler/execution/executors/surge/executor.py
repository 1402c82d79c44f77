"""The executor `surge`: one replica more, on its destination; once that is ready one less, which is the old pod.

| step                                       | a crash after it leaves                                             |
|--------------------------------------------|---------------------------------------------------------------------|
| the intent                                 | nothing but the intent                                              |
| taints or directions (`guidance`)          | what the intent names; whoever resumes takes it away                |
| the entry in the book                      | an entry, and the replicas as they were; it is taken away           |
| replicas more, and waiting                 | replicas that the entry counts; as many new pods are taken away     |
| the old pod is marked to leave first       | the same, and a mark, which is taken away first                     |
| the entry counts one less, then the target | the same; or, once the replicas are less, the old pod goes          |
| marks, entry and guidance away             | an open intent; there is nothing to take away any more              |

A unit of which nothing is gone yet is dropped by whoever resumes, one that is begun is finished. Whatever else sets the
replicas meanwhile has the last word: nothing is added to its number nor taken from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from descheduler.contract.types import Duration
from descheduler.execution.executors.protocol import (
    ActingTools,
    DisruptionAnswer,
    DisruptionVerdict,
    ExecutorArgs,
    NotPrepared,
    PodFilter,
    UnitMover,
)
from descheduler.execution.executors.surge.arrivals import Arrivals
from descheduler.execution.executors.surge.pods import MARKING
from descheduler.execution.executors.surge.replicas import Replicas
from descheduler.execution.executors.surge.rules import BY, surge_filter
from descheduler.execution.executors.surge.target import SCALING, Target, target_of
from descheduler.execution.guidance import Guidance
from descheduler.execution.intents import Intent
from descheduler.kube.client.answers import missing_right
from descheduler.model.errors import ClusterError, Conflict, Throttled
from descheduler.model.landing_mode import LandingMode
from descheduler.model.manners import Manner, Part
from descheduler.model.plan import Action, PodMove
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.rights import Right
from descheduler.model.snapshot import ClusterSnapshot


class SurgeArgs(ExecutorArgs):
    """Moving by one replica more first, then one less."""

    timeout: Duration = Field(default=timedelta(minutes=5), ge=timedelta(seconds=1), le=timedelta(minutes=30))
    """How long the new pods of a unit may take to be ready; then they are taken away again, and the unit stays."""


class Surge:
    """Moves pods of Deployments, Argo Rollouts and ReplicaSets whose number of replicas is nobody else's business."""

    name: ClassVar[str] = "surge"
    landing: ClassVar[LandingMode] = LandingMode.PREDICTED
    kinds: ClassVar[tuple[str, ...]] = ()
    rights: ClassVar[tuple[Right, ...]] = (*SCALING, Right("", "pods", "get"), *MARKING)
    manner: ClassVar[Manner] = Manner(
        steps=(
            "one replica more",
            "wait until the new pod is ready where it should be",
            "the old pod gets the least pod-deletion-cost",
            "one replica less",
        ),
        kept="there are never fewer ready pods than before",
        spares=frozenset({Part.RESTART}),
        full=True,
    )
    Args: ClassVar[type[ExecutorArgs]] = SurgeArgs

    def filter(self, _: SurgeArgs, snapshot: ClusterSnapshot) -> PodFilter | None:
        return surge_filter(snapshot)

    def mover(self, tools: ActingTools, args: SurgeArgs) -> UnitMover:
        return _Surging(tools, args)


class _Surging:
    def __init__(self, tools: ActingTools, args: SurgeArgs) -> None:
        self._guidance = Guidance(tools)
        self._replicas = Replicas(tools)
        self._arrivals = Arrivals(tools, args.timeout.total_seconds())

    def holds(self, _: Action) -> bool:
        return True

    def prepare(self, intent: Intent) -> NotPrepared | None:
        failed = self._guidance.give(intent.action)
        if failed is not None:
            return failed
        by_target = _by_target(intent.action.pods)
        if isinstance(by_target, Blocked):
            return NotPrepared(by_target)
        try:
            blocked = self._arrive(intent, by_target)
            if blocked is not None:  # others of the wave may be about to take away a pod of the same owner
                self._give_back(by_target)
        except ClusterError as error:
            return NotPrepared(_refusal(error), certain=error.refused)
        return None if blocked is None else NotPrepared(blocked)

    def disrupt(self, move: PodMove, *, dry_run: bool = False) -> DisruptionAnswer:
        target = target_of(move)
        if target is None:
            blocked = Blocked(Reason.EXECUTOR, BY, f"{move.workload} cannot be scaled")
            return DisruptionAnswer(DisruptionVerdict.REFUSED, blocked)
        try:
            return self._replicas.try_out(target, move) if dry_run else self._replicas.one_less(target, move)
        except ClusterError as error:
            return _answer(error)

    def disrupted(self, move: PodMove) -> bool:
        return self._replicas.left(target_of(move), move)

    def release(self, closing: Sequence[Intent], still_open: Sequence[Intent]) -> None:
        for intent in closing:
            by_target = _by_target(intent.action.pods)
            if not isinstance(by_target, Blocked):
                self._give_back(by_target)
        self._guidance.take(closing, still_open)

    def _arrive(self, intent: Intent, by_target: dict[Target, list[PodMove]]) -> Blocked | None:
        """Have one pod more for each that is to leave, ready where it should be; or say why that cannot be."""
        for target, moves in by_target.items():
            seen = self._replicas.more(target, moves)
            if isinstance(seen, Blocked):
                return seen
            self._arrivals.expect(target, intent.action, moves, seen)
        waits = (self._arrivals.wait(target, moves) for target, moves in by_target.items())
        return next((blocked for blocked in waits if blocked is not None), None)

    def _give_back(self, by_target: dict[Target, list[PodMove]]) -> None:
        for target, moves in by_target.items():
            self._replicas.give_back(target, moves, self._arrivals.astray(target, moves))
            self._arrivals.forget(target, moves)


def _by_target(moves: Sequence[PodMove]) -> dict[Target, list[PodMove]] | Blocked:
    found: dict[Target, list[PodMove]] = {}
    for move in moves:
        target = target_of(move)
        if target is None:
            return Blocked(Reason.EXECUTOR, BY, f"{move.workload} cannot be scaled")
        found.setdefault(target, []).append(move)
    return found


def _refusal(error: ClusterError) -> Blocked:
    return missing_right(error) or Blocked(Reason.API_REFUSED, BY, str(error))


def _answer(error: ClusterError) -> DisruptionAnswer:
    """What an error of the server means for a move: every step can be done again."""
    verdict = DisruptionVerdict.REFUSED if error.refused else DisruptionVerdict.UNKNOWN
    retryable = isinstance(error, Conflict | Throttled) or not error.refused
    return DisruptionAnswer(verdict, _refusal(error), retryable=retryable)
