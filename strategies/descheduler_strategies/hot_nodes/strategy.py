"""HotNodes: cool the nodes that are, or will be, too busy, with the fewest and cheapest moves.

A node is cooled or left: moves are not spent on a node that they leave hot. Nodes whose cure is worth most for what it
costs come first, and all moves of one node are accepted together or not at all. A destination must take the pod by the
scheduler's own rules and stay cool for the whole horizon. A peak that passes sooner than a move pays is left alone, and
said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from descheduler.contract import RebalanceView, StrategyArgs, each
from descheduler.model.moves import Observation, Proposal
from descheduler.model.reasons import Blocked
from descheduler_strategies.hot_nodes.args import NAME, HotNodesArgs
from descheduler_strategies.hot_nodes.cure import Curing, proposals
from descheduler_strategies.hot_nodes.heat import Heat, Thermometer
from descheduler_strategies.hot_nodes.places import Places


class HotNodes:
    """See the module."""

    name: ClassVar[str] = NAME
    signals: ClassVar[tuple[str, ...]] = ("cpu", "memory")
    Args: ClassVar[type[StrategyArgs]] = HotNodesArgs

    def propose(self, view: RebalanceView, args: HotNodesArgs) -> Iterable[Proposal | Observation]:
        """The moves of one hot node after the other."""
        search = _Search(view, args)
        yield from each(search.in_order(), lambda heat: heat.finding, search.answers)


class _Search:
    """One run: what is hot, and who leaves; `state` moves on with every node that was cooled."""

    def __init__(self, view: RebalanceView, args: HotNodesArgs) -> None:
        self._view = view
        self._meter = Thermometer(view, args)
        self._state = view.what_if()
        self._hot = list(self._meter.hot(self._state))
        places = None
        if self._hot and view.landing.chosen:
            places = Places(view, self._meter, self._state, args.destination_quantile)
        self._curing = Curing(view, args, self._meter, places)

    def in_order(self) -> list[Heat]:
        """What is hot, by what a cure is worth for its cost."""
        promise = {id(heat): self._curing.promise(self._state, heat) for heat in self._hot}
        return sorted(self._hot, key=lambda heat: (-promise[id(heat)], heat.node, heat.resource))

    def answers(self, heat: Heat) -> Iterator[Proposal | Observation]:
        """What to do about one hot node."""
        blocked = self._meter.left_alone(heat)
        if blocked is not None:
            yield Observation(heat.finding, blocked)
            return
        found = self._curing.cool(self._state, heat)
        if isinstance(found, Blocked):
            pods = tuple(self._view.snapshot.columns.pods_on(heat.node).tolist())
            yield Observation(heat.finding, found, pods)
            return
        self._state = found.state
        yield from proposals(self._view, found, self._curing.worth(heat))
