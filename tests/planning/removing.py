"""A strategy that removes what a test wants removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from descheduler.contract import RebalanceView, StrategyArgs, required
from descheduler.model.moves import ActionKind, Finding, Move, Proposal
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning import ChosenStrategy


@dataclass(frozen=True)
class Removing:
    """One removal for each bundle of pods, in their order; of pods that may not be removed too."""

    bundles: tuple[tuple[str, ...], ...]
    order: int = 100
    namespace: str = "default"
    name: ClassVar[str] = "Removing"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def propose(self, view: RebalanceView, _: StrategyArgs) -> Iterable[Proposal]:
        for names in self.bundles:
            pods = [view.snapshot.pod_index[self.namespace, name] for name in names]
            if any(pod == move.pod for one in view.granted for move in one.moves for pod in pods):
                continue
            moves = tuple(Move(pod, int(view.snapshot.columns.pod_node[pod])) for pod in pods)
            subject = Subject(SubjectKind.POD, f"{self.namespace}/{names[0]}")
            finding = Finding(self.name, subject, "pods", 1.0, 0.0, "is to go")
            yield Proposal(finding, moves, -1.0, required(view, pods), kind=ActionKind.REMOVE)


def removing(*bundles: str | tuple[str, ...], order: int = 100, namespace: str = "default") -> ChosenStrategy:
    """`removing("a-0", ("b-0", "b-1"))`."""
    as_tuples = tuple((one,) if isinstance(one, str) else one for one in bundles)
    return ChosenStrategy(Removing(as_tuples, order, namespace), StrategyArgs())
