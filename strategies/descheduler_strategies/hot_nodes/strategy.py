"""HotNodes: cool the nodes that are, or will be, too busy, with the fewest and cheapest moves.

A node is cooled or left: moves are not spent on a node that they leave hot. Nodes whose cure is worth most for what it
costs come first, and all moves of one node are accepted together or not at all. A destination must take the pod by the
scheduler's own rules and stay cool for the whole horizon. A peak that passes sooner than a move pays is left alone, and
said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import ClassVar

from descheduler.contract import NodeLevel, RebalanceView, Scenario, StrategyArgs, each
from descheduler.model.fence import fenced
from descheduler.model.moves import FindingKey, Observation, Proposal
from descheduler_strategies.hot_nodes.args import NAME, HotNodesArgs
from descheduler_strategies.hot_nodes.assignment import HOT, Assignment, HotOne
from descheduler_strategies.hot_nodes.cure import FULL, Cure, Curing, Hot, proposals
from descheduler_strategies.hot_nodes.heat import Heat, Thermometer
from descheduler_strategies.hot_nodes.places import Places


class HotNodes:
    """See the module."""

    name: ClassVar[str] = NAME
    signals: ClassVar[tuple[str, ...]] = ("cpu", "memory")
    Args: ClassVar[type[StrategyArgs]] = HotNodesArgs

    def propose(self, view: RebalanceView, args: HotNodesArgs) -> Iterable[Proposal | Observation]:
        """The moves of one hot node after the other, the hottest first."""
        search = _Search(view, args)
        search.one_by_one()
        search.together()
        yield from search.answers()

    def node_levels(self, view: RebalanceView, args: HotNodesArgs, node: int) -> Iterator[NodeLevel]:
        """The alarm of each resource beside the threshold of the node's pool."""
        return Thermometer(view, args).node_levels(view.what_if(), node)


class _Search:
    """One run: what is hot, and what was found for each; what is decided for one holds for all that come after it."""

    def __init__(self, view: RebalanceView, args: HotNodesArgs) -> None:
        self._view = view
        self._meter = Thermometer(view, args)
        self._begin = view.what_if()
        self._hot = list(self._meter.hot(self._begin))
        self._found: dict[FindingKey, Cure | Hot | Observation] = {}
        places = None
        if self._hot and view.landing.chosen:
            places = Places(view, self._meter, self._begin, args.promise)
        self._curing = Curing(view, args, self._meter, places)
        self._assignment = Assignment(view, self._meter, places) if places is not None else None

    def one_by_one(self) -> None:
        """Greedily: each takes the best places that are left, those whose cure is worth most for its cost first."""
        promise = {id(heat): fenced(partial(self._promise, heat), lambda _why: 0.0) for heat in self._hot}
        order = sorted(self._hot, key=lambda heat: (-promise[id(heat)], heat.node, heat.resource))
        state = self._begin
        self._curing.begin()

        def look(heat: Heat) -> Iterator[Observation]:
            nonlocal state
            blocked = self._meter.left_alone(heat)
            if blocked is not None:
                yield Observation(heat.finding, blocked)
                return
            found = self._curing.cool(state, heat)
            state = found.state if isinstance(found, Cure) else state
            self._found[heat.finding.key] = found

        for alone in each(order, lambda heat: heat.finding, look):
            if isinstance(alone, Observation):
                self._found[alone.finding.key] = alone

    def _promise(self, heat: Heat) -> float:
        return self._curing.promise(self._begin, heat)

    def together(self) -> None:
        """Where somebody found no place, or one that others had to make, all that contend for places are assigned at
        once; that counts if it is worth more."""
        contending = self._contending()
        if self._assignment is None or not contending:
            return
        others = [found for key, found in self._found.items() if key not in {h.finding.key for h in contending}]
        state = self._begin.fork()
        for cure in others:
            if isinstance(cure, Cure):
                for step in cure.steps:
                    state.apply(step.moved.moves, step.moved.landed)
        found = fenced(partial(self._assigned, self._assignment, state, contending), lambda _why: {})
        now = sum(self._gain(heat, self._found[heat.finding.key]) for heat in contending)
        if sum(self._gain(heat, found.get(heat.finding.key)) for heat in contending) > now:
            self._found |= found

    def _contending(self) -> list[Heat]:
        """Nodes that lacked places, and as many of the others that were cooled, the cheapest first; none where there
        were places for all."""
        lacking = [heat for heat in self._hot if _lacking(self._of(heat))]
        cures = [(found.price, heat.node, heat) for heat in self._hot if isinstance(found := self._of(heat), Cure)]
        others = [heat for _, _, heat in sorted(cures, key=lambda one: one[:2]) if heat not in lacking]
        return [*lacking, *others][:HOT] if lacking else []

    def _of(self, heat: Heat) -> Cure | Hot | Observation | None:
        return self._found.get(heat.finding.key)

    def _assigned(self, assignment: Assignment, state: Scenario, hot: list[Heat]) -> dict[FindingKey, Cure | Hot]:
        """What comes of the nodes when they are assigned together; those that this leaves hot try once more alone."""
        one = [HotOne(heat, self._curing.most(heat), self._curing.worth(heat)) for heat in hot]
        wishes = assignment.wishes(state, one)
        out: dict[FindingKey, Cure | Hot] = {}
        self._curing.begin()
        for heat, wished in sorted(zip(hot, wishes, strict=True), key=lambda pair: not pair[1]):
            found = self._curing.follow(state, heat, wished) if wished else None
            out[heat.finding.key] = made = found or self._curing.cool(state, heat)
            state = made.state if isinstance(made, Cure) else state
        return out

    def _gain(self, heat: Heat, found: Cure | Hot | Observation | None) -> float:
        return self._curing.worth(heat) - found.price if isinstance(found, Cure) else 0.0

    def answers(self) -> Iterator[Proposal | Observation]:
        """What to do about each hot node, and why nothing about the others."""
        for heat in sorted(self._hot, key=lambda heat: (-heat.finding.value / heat.threshold, heat.node)):
            found = self._of(heat)
            if isinstance(found, Cure):
                yield from proposals(self._view, found, self._curing.worth(heat))
            elif isinstance(found, Hot):
                pods = tuple(self._view.snapshot.columns.pods_on(heat.node).tolist())
                yield Observation(heat.finding, found.blocked, pods, found.tried)
            elif found is not None:
                yield found


def _lacking(found: Cure | Hot | Observation | None) -> bool:
    if isinstance(found, Hot):
        return any(one.blocked.reason in FULL for one in found.tried)
    return isinstance(found, Cure) and found.refused
