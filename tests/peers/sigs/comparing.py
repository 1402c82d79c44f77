"""The same situation under the original and under ours, and what is to be said of the two answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeVar

from controlplane.cluster import ControlPlane
from descheduler.model.plan import PlanDocument
from peers.sigs.contenders import PassFailedError, ours, theirs
from peers.sigs.differences import DIFFERENCES, shown
from peers.sigs.situations import Situation
from peers.sigs.staging import Stage

T = TypeVar("T")


class Kind(StrEnum):
    AGREE = "agree"
    DOCUMENTED = "documented"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What left under each, by workload; `why` says what is unexplained, or which difference it is."""

    situation: Situation
    kind: Kind
    theirs: Mapping[str, int]
    ours: Mapping[str, int]
    why: str = ""

    def __str__(self) -> str:
        one = self.situation
        answers = f"theirs {dict(self.theirs)}, ours {dict(self.ours)}"
        return f"{one.strategy}, {one.name}: {self.kind}: {answers}{f' ({self.why})' if self.why else ''}"


class Comparison:
    """Compares on one control plane, which it leaves as it was; `binary` is the original's."""

    def __init__(self, plane: ControlPlane, binary: Path, folder: Path) -> None:
        self._plane = plane
        self._binary = binary
        self._policy = folder / "policy.yaml"

    def of(self, situation: Situation) -> Verdict:
        self._policy.write_text(situation.policy_text())
        try:
            their, _ = self._under(situation, partial(theirs, self._binary))
            our, plan = self._under(situation, ours)
        except PassFailedError as failed:
            return Verdict(situation, Kind.UNEXPLAINED, {}, {}, str(failed))
        return judged(situation, their, our, plan)

    def _under(self, situation: Situation, run: Callable[[ControlPlane, Path], T]) -> tuple[Mapping[str, int], T]:
        """How many pods of each workload leave in one pass over the situation, and what the pass gives."""
        stage = Stage(self._plane.client)
        try:
            before = stage.staged(situation, self._clear)
            given = run(self._plane, self._policy)
            after = stage.pods(situation)
            return Counter(workload for uid, (workload, _) in before.items() if uid not in after), given
        finally:
            self._clear()

    def _clear(self) -> None:
        self._plane.reset(keep_namespaces=True)


def judged(situation: Situation, their: Mapping[str, int], our: Mapping[str, int], plan: PlanDocument) -> Verdict:
    """Whether the answers agree, or differ as the table says and the documentation explains."""
    total = situation.compare == "total"

    def same(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
        return sum(one.values()) == sum(other.values()) if total else dict(one) == dict(other)

    def verdict(kind: Kind, why: str = "") -> Verdict:
        return Verdict(situation, kind, their, our, why)

    if not same(their, situation.leave):
        return verdict(Kind.UNEXPLAINED, f"the original does not do what the table says: {dict(situation.leave)}")
    if same(their, our):
        return verdict(Kind.AGREE)
    if situation.ours is None or not same(our, situation.ours):
        return verdict(Kind.UNEXPLAINED, _refusals(plan))
    if situation.because not in DIFFERENCES:
        return verdict(Kind.UNEXPLAINED, f"there is no difference {situation.because}")
    if not shown(situation.because, plan):
        return verdict(Kind.UNEXPLAINED, f"the plan does not show {situation.because}: {_refusals(plan)}")
    return verdict(Kind.DOCUMENTED, situation.because)


def _refusals(plan: PlanDocument) -> str:
    """What the plan says of those that stay, in a line."""
    found = [f"{row.text}: {row.outcome} {dict(row.refused)}" for row in plan.findings]
    return "; ".join([*found, *(f"{row.subject} {row.reason} {row.detail}" for row in plan.refusals)][:8])
