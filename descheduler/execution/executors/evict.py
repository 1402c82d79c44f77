"""The executor `evict`: pods go by the Eviction API, and the scheduler decides where their replacements run.

Where an action steers, preparing it means to taint the nodes that its replacements should avoid (`steering`); where it
directs, to have them made with a preference for the planned nodes (`directions`); where it cordons nodes, to do that
(`cordons`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from descheduler.execution.cordons import Cordons
from descheduler.execution.cordons import refusal as open_still
from descheduler.execution.directions import Directing, Directions, directions_of
from descheduler.execution.directions import refusal as undirected
from descheduler.execution.executors.eviction import EVICTING, PodEvictor
from descheduler.execution.executors.protocol import (
    ActingTools,
    DisruptionAnswer,
    ExecutorArgs,
    NotPrepared,
    PodFilter,
    UnitMover,
)
from descheduler.execution.intents import Intent
from descheduler.execution.steering import Steering, refusal
from descheduler.model.errors import ClusterError
from descheduler.model.landing_mode import LandingMode
from descheduler.model.plan import Action, PodMove
from descheduler.model.rights import Right


class EvictArgs(ExecutorArgs):
    """Moving by eviction; there is nothing to set."""


class Evict:
    """Moves any pod that may be moved at all."""

    name: ClassVar[str] = "evict"
    landing: ClassVar[LandingMode] = LandingMode.PREDICTED
    kinds: ClassVar[tuple[str, ...]] = ()
    rights: ClassVar[tuple[Right, ...]] = EVICTING
    Args: ClassVar[type[ExecutorArgs]] = EvictArgs

    def filter(self, _: EvictArgs) -> PodFilter | None:
        return None

    def mover(self, tools: ActingTools, _: EvictArgs) -> UnitMover:
        return _Evicting(tools)


class _Evicting:
    def __init__(self, tools: ActingTools) -> None:
        self._evictor = PodEvictor(tools)
        self._steering = Steering(tools.writer)
        self._cordons = Cordons(tools.writer)
        self._directing = Directing(tools.writer, tools.namespace, tools.clock)

    def holds(self, action: Action) -> bool:
        return bool(action.steer or action.cordon or directions_of([action]))

    def prepare(self, intent: Intent) -> NotPrepared | None:
        for node in intent.action.steer:
            try:
                self._steering.taint(node)
            except ClusterError as error:
                return refusal(node, error)
        for node in intent.action.cordon:
            try:
                self._cordons.cordon(node)
            except ClusterError as error:
                return open_still(node, error)
        wanted = directions_of([intent.action])
        return self._direct(wanted) if wanted else None

    def disrupt(self, move: PodMove, *, dry_run: bool = False) -> DisruptionAnswer:
        return self._evictor.evict(move, dry_run=dry_run)

    def disrupted(self, move: PodMove) -> bool:
        return not self._evictor.is_there(move)

    def release(self, closing: Sequence[Intent], still_open: Sequence[Intent]) -> None:
        for node in _over(closing, still_open, lambda action: action.steer):
            self._steering.untaint(node)
        for node in _over(closing, still_open, lambda action: action.cordon):
            self._cordons.uncordon(node)
        taken = directions_of(intent.action for intent in closing)
        if taken:
            self._directing.take(taken, directions_of(intent.action for intent in still_open))

    def _direct(self, wanted: Directions) -> NotPrepared | None:
        try:
            self._directing.give(wanted)
            unproved = self._directing.unproved(wanted)
        except ClusterError as error:
            return NotPrepared(undirected(error), certain=error.refused)
        return None if unproved is None else NotPrepared(unproved)


def _over(
    closing: Sequence[Intent], still_open: Sequence[Intent], nodes: Callable[[Action], Sequence[str]]
) -> list[str]:
    """The nodes of those that close which none that is open needs."""
    needed = {node for intent in still_open for node in nodes(intent.action)}
    return sorted({node for intent in closing for node in nodes(intent.action)} - needed)
