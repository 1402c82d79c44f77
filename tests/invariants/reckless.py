"""A strategy that proposes anything, and says that all of it is worth a lot: what is refused is refused by planning."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import ClassVar

from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.moves import ActionKind, Finding, Move, Proposal, Seat
from descheduler.model.subjects import Subject


class RecklessArgs(StrategyArgs):
    """How reckless."""

    seed: int = 0
    proposals: int = 12


class Ruthless:
    """Removes whatever it comes upon: single pods, bundles, whole units and parts of them, finished or not."""

    name: ClassVar[str] = "Ruthless"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = RecklessArgs

    def propose(self, view: RebalanceView, args: RecklessArgs) -> Iterable[Proposal]:
        node = view.snapshot.columns.pod_node
        rng = Random(args.seed * 1013 + int(view.removable.sum()))
        bound = [i for i, on in enumerate(node.tolist()) if on >= 0]
        for i in range(args.proposals if bound else 0):
            one = rng.choice(bound)
            several = rng.sample(bound, min(len(bound), rng.randint(2, 3)))
            pods = rng.choice(((one,), (one,), view.moving(one), several))
            pods = [p for p in dict.fromkeys(pods) if node[p] >= 0]
            moves = tuple(Move(p, int(node[p]) if rng.random() > 0.03 else 0) for p in pods)
            finding = Finding(self.name, Subject("whim", str(i)), "whim", 1.0, 0.5, "away with it")
            worth = rng.choice((1e9, 1e9, 1e5, 10.0))
            yield Proposal(finding, moves, benefit=-0.1, worth=worth, kind=ActionKind.REMOVE)


class Reckless:
    """Single pods, arbitrary bundles, whole units, emptied nodes; with wishes for arbitrary destinations."""

    name: ClassVar[str] = "Reckless"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = RecklessArgs

    def propose(self, view: RebalanceView, args: RecklessArgs) -> Iterable[Proposal]:
        snapshot = view.snapshot
        state = view.what_if()
        bound = [i for i in range(len(snapshot.pods)) if state.node_of(i) >= 0]
        rng = Random(args.seed * 1009 + int(view.movable.sum()))
        for i in range(args.proposals if bound else 0):
            pods = dict.fromkeys(self._bundle(rng, view, bound))
            moves = tuple(
                Move(
                    p,
                    state.node_of(p) if rng.random() > 0.03 else 0,
                    tuple(rng.sample(range(len(snapshot.nodes)), rng.randint(0, 2))),
                )
                for p in pods
                if state.node_of(p) >= 0
            )
            if not moves:
                continue
            finding = Finding(self.name, Subject("whim", str(i)), "whim", 1.0, 0.5, "it felt like it")
            yield Proposal(
                finding,
                moves,
                benefit=0.1,
                worth=rng.choice((1e9, 1e9, 1e5, 10.0)),
                seats=self._seats(rng, view),
                avoid=tuple(rng.sample(range(len(snapshot.nodes)), rng.randint(0, 2))),
                staged=rng.random() < 0.5,
            )

    @staticmethod
    def _seats(rng: Random, view: RebalanceView) -> tuple[Seat, ...]:
        """Now and then room for somebody who waits, or who does not, anywhere."""
        pods, nodes = len(view.snapshot.pods), len(view.snapshot.nodes)
        waiting = [p for p in range(pods) if view.what_if().node_of(p) < 0]
        if not waiting or rng.random() > 0.1:
            return ()
        return tuple(Seat(rng.choice(waiting), rng.randrange(nodes)) for _ in range(rng.randint(1, 2)))

    @staticmethod
    def _bundle(rng: Random, view: RebalanceView, bound: list[int]) -> list[int]:
        kind = rng.random()
        one = rng.choice(bound)
        if kind < 0.4:
            return [one]
        if kind < 0.7:
            return list(view.moving(one))
        if kind < 0.85:
            return rng.sample(bound, min(len(bound), rng.randint(2, 5)))
        here = view.what_if().node_of(one)
        movable = [p for p in bound if view.movable[p] and view.what_if().node_of(p) == here]
        return [m for p in movable for m in view.moving(p) if m in movable or rng.random() < 0.5]
