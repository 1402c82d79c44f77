"""One unit under way: which of its pods are disrupted, which are not yet, and what the last answer about each was."""

from __future__ import annotations

from dataclasses import dataclass, field

from descheduler.execution.executors.protocol import DisruptionAnswer, DisruptionVerdict
from descheduler.execution.outcomes import ActionOutcome, PodOutcome, Result
from descheduler.model.plan import Action, PodMove
from descheduler.model.reasons import Blocked
from descheduler.model.removed_state import was_over


@dataclass(slots=True)
class UnitRun:
    """Mutable, written by the threads that disrupt (one entry per pod), read by the one that leads them."""

    action: Action
    resumed: bool = False
    refused: Blocked | None = None  # before anything was touched
    raced: bool = False
    since: float = 0.0  # where replacements come first: when they were asked for, unix seconds
    unsure: bool = False  # what was prepared for it may yet come to be, though the unit was refused
    answers: dict[str, DisruptionAnswer] = field(default_factory=dict)  # by uid
    disrupted_at: dict[str, float] = field(default_factory=dict)  # by uid, unix seconds

    def record(self, move: PodMove, answer: DisruptionAnswer, now: float) -> None:
        """Note the last answer about a pod. What replaces it is made after the instant that is kept."""
        self.answers[move.uid] = answer
        if answer.disrupted:
            self.disrupted_at.setdefault(move.uid, self.since or now)

    @property
    def quiet(self) -> bool:
        """All its pods are over: whatever interrupts it, nobody is disturbed, and the rest of them is found again."""
        return all(was_over(move.state) for move in self.action.pods)

    @property
    def begun(self) -> bool:
        return bool(self.disrupted_at)

    @property
    def left(self) -> tuple[PodMove, ...]:
        """Pods that are not evicted."""
        return tuple(m for m in self.action.pods if m.uid not in self.disrupted_at)

    @property
    def settled(self) -> bool:
        """It is certain that nothing is half done: all of it is evicted, or none of it, and nothing is on its way."""
        if self.begun:
            return not self.left
        return not self.unsure and all(
            answer.verdict is not DisruptionVerdict.UNKNOWN for answer in self.answers.values()
        )

    @property
    def hopeless(self) -> bool:
        """Refused before anything of it was touched."""
        return self.refused is not None and not self.begun

    def outcome(self) -> ActionOutcome:
        """What it came to so far; where the replacements land is filled in later."""
        if not self.left:
            result = Result.DONE
        elif self.begun:
            result = Result.PARTIAL
        else:
            result = Result.REFUSED if self.refused is not None else Result.NOT_REACHED
        pods = tuple(self._pod(move) for move in self.action.pods)
        return ActionOutcome(self.action, result, pods, self.refused, self.raced, self.resumed)

    def _pod(self, move: PodMove) -> PodOutcome:
        answer = self.answers.get(move.uid)
        evicted = move.uid in self.disrupted_at
        return PodOutcome(
            move,
            evicted,
            at=self.disrupted_at.get(move.uid, 0.0),
            attempts=answer.attempts if answer else 0,
            blocked=None if evicted or answer is None else answer.blocked,
        )
