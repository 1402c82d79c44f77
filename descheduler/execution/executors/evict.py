"""The executor `evict`: pods go by the Eviction API, and the scheduler decides where their replacements run.

Where an action steers, preparing it means to taint the nodes that its replacements should avoid (`steering`); where it
directs, to have them made with a preference for the planned nodes (`directions`); where it cordons nodes, to do that
(`cordons`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from descheduler.execution.executors.eviction import EVICTING, PodEvictor
from descheduler.execution.executors.protocol import (
    ActingTools,
    DisruptionAnswer,
    ExecutorArgs,
    NotPrepared,
    PodFilter,
    UnitMover,
)
from descheduler.execution.guidance import Guidance
from descheduler.execution.intents import Intent
from descheduler.model.landing_mode import LandingMode
from descheduler.model.manners import Manner
from descheduler.model.plan import Action, PodMove
from descheduler.model.rights import Right
from descheduler.model.snapshot import ClusterSnapshot


class EvictArgs(ExecutorArgs):
    """Moving by eviction; there is nothing to set."""


class Evict:
    """Moves any pod that may be moved at all."""

    name: ClassVar[str] = "evict"
    landing: ClassVar[LandingMode] = LandingMode.PREDICTED
    kinds: ClassVar[tuple[str, ...]] = ()
    rights: ClassVar[tuple[Right, ...]] = EVICTING
    manner: ClassVar[Manner] = Manner(("evict the pod", "its controller makes another one"), releases=True)
    Args: ClassVar[type[ExecutorArgs]] = EvictArgs

    def filter(self, _: EvictArgs, __: ClusterSnapshot) -> PodFilter | None:
        return None

    def mover(self, tools: ActingTools, _: EvictArgs) -> UnitMover:
        return _Evicting(tools)


class _Evicting:
    def __init__(self, tools: ActingTools) -> None:
        self._evictor = PodEvictor(tools)
        self._guidance = Guidance(tools)

    def holds(self, action: Action) -> bool:
        return self._guidance.asked_by(action)

    def prepare(self, intent: Intent) -> NotPrepared | None:
        return self._guidance.give(intent.action)

    def disrupt(self, move: PodMove, *, dry_run: bool = False) -> DisruptionAnswer:
        return self._evictor.evict(move, dry_run=dry_run)

    def disrupted(self, move: PodMove) -> bool:
        return not self._evictor.is_there(move)

    def release(self, closing: Sequence[Intent], still_open: Sequence[Intent]) -> None:
        self._guidance.take(closing, still_open)
