"""What is remembered of one evicted pod."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.learning.verification import Goal


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One evicted pod.

    `goal` is what it will be judged by, None when nothing can be. `turn` counts the moves of the same unit within a
    day, this one included. `landed`, `successor` and `ready_seconds` describe the replacement; `resolved` whether the
    goal was reached, None until judged; `closed`: no replacement is expected.
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

    @property
    def waiting(self) -> bool:
        """Its replacement is expected and not ready."""
        return self.ready_seconds is None and not self.closed

    @property
    def namespace(self) -> str:
        """Of the pod; its workload is in the same."""
        return self.pod.partition("/")[0]
