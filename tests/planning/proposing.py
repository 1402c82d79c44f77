"""Strategies that propose what a test wants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.moves import Finding, Move, Observation, Proposal
from descheduler.model.subjects import Subject, SubjectKind


@dataclass(frozen=True)
class Proposing:
    """Proposes a bundle for each (pod, nodes that it avoids)."""

    bundles: tuple[tuple[str, tuple[int, ...]], ...]
    namespace: str = "default"
    name: ClassVar[str] = "Proposing"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def propose(self, view: RebalanceView, _: StrategyArgs) -> Iterable[Proposal]:
        for i, (name, avoid) in enumerate(self.bundles):
            at = view.snapshot.pod_index[self.namespace, name]
            if view.movable[at] and view.start.node_of(at) == view.snapshot.columns.pod_node[at]:
                finding = Finding("Proposing", Subject(SubjectKind.POD, name), "", 0.0, 1.0, name)
                yield Proposal(finding, (Move(at, view.start.node_of(at)),), 1.0, 1e9 / (i + 1), avoid=avoid)


@dataclass(frozen=True)
class Wishing:
    """One proposal for each (pod, the nodes that it should go to)."""

    wishes: tuple[tuple[str, tuple[int, ...]], ...]
    name: ClassVar[str] = "Wishing"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def propose(self, view: RebalanceView, _: StrategyArgs) -> Iterable[Proposal]:
        for i, (name, nodes) in enumerate(self.wishes):
            at = view.snapshot.pod_index["default", name]
            if view.movable[at] and view.start.node_of(at) == view.snapshot.columns.pod_node[at]:
                finding = Finding(self.name, Subject(SubjectKind.POD, name), "", 0.0, 1.0, name)
                yield Proposal(finding, (Move(at, view.start.node_of(at), nodes),), 1.0, 1e9 / (i + 1))


Route = tuple[str, int, int]
"""Pod, from, to."""


class Routes:
    """Proposes bundles of moves in the order given, earlier ones worth more."""

    name: ClassVar[str] = "Routes"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def __init__(self, bundles: Iterable[Iterable[Route]], staged: bool) -> None:
        self._bundles = [tuple(bundle) for bundle in bundles]
        self._staged = staged

    def propose(self, view: RebalanceView, args: StrategyArgs) -> Iterable[Proposal | Observation]:
        finding = Finding("Routes", "cluster", "order", 1.0, 0.0, "pods stand in the wrong places")
        for at, bundle in enumerate(self._bundles):
            moves = tuple(
                Move(view.snapshot.pod_index["default", name], source, (target,), only=True)
                for name, source, target in bundle
            )
            if all(view.movable[move.pod] for move in moves):
                yield Proposal(finding, moves, -1.0, 10.0 ** (12 - 2 * at), f"bundle {at}", staged=self._staged)
