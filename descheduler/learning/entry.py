"""What is remembered of one evicted pod."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.learning.verification import Goal
from descheduler.model.removed_state import was_over


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One evicted pod.

    `goal` is what it will be judged by, None when nothing can be. `turn` counts the moves of the same unit within a
    day, this one included. `landed`, `successor` and `ready_seconds` describe the replacement; `resolved` whether the
    move did what it was to do, None until judged; `closed`: no replacement is expected. `towards` are the nodes of
    which the plan chose one for it, empty where the scheduler decides; `predicted` is the likeliest. `removed` says
    what a pod was like that was removed (`model.removed_state`): where its replacement comes up does not matter.
    `executor` moved it, empty in what older versions kept.
    """

    at: float
    plan: str
    action: str
    strategy: str
    unit: str
    workload: str
    pod: str
    uid: str
    source: str
    predicted: str
    landed: str = ""
    successor: str = ""
    ready_seconds: float | None = None
    resolved: bool | None = None
    turn: int = 1
    closed: bool = False
    goal: Goal | None = None
    towards: tuple[str, ...] = ()
    removed: str = ""
    executor: str = ""

    @property
    def quiet(self) -> bool:
        """Nobody was disturbed."""
        return was_over(self.removed)

    @property
    def waiting(self) -> bool:
        """Its replacement is expected and not ready."""
        return self.ready_seconds is None and not self.closed

    @property
    def namespace(self) -> str:
        """Of the pod; its workload is in the same."""
        return self.pod.partition("/")[0]

    @property
    def pool(self) -> str:
        """Of the node that it left; empty while unknown."""
        return self.goal.pool if self.goal is not None else ""

    @property
    def vacated(self) -> tuple[str, ...]:
        """Nodes that the move was to leave, or on which it made room for others."""
        return (self.source, *self.goal.room) if self.goal is not None else (self.source,)
