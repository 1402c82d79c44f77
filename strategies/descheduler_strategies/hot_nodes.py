"""HotNodes: cool the nodes that are, or will be, too busy, with the fewest and cheapest moves.

A node is hot when the forecast quantile of its *summed* pods reaches the threshold of its pool within the horizon.
Victims are chosen by how well they clear the excess and how little their restart costs; a destination must take the
pod by the scheduler's own rules and stay cool for the whole horizon. A peak that passes sooner than a move pays is
left alone, and said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from descheduler.contract import (
    MOST_AVOIDED,
    Accept,
    NodeLoads,
    RebalanceView,
    Scenario,
    StrategyArgs,
    each,
    relocate,
)
from descheduler.contract.types import Duration, Fraction
from descheduler.model.arrays import Floats32
from descheduler.model.format import span
from descheduler.model.moves import Finding, Move, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind

DIP = 3  # steps: below the threshold for less than this is noise within one stretch
WISHED = 256  # coolest nodes that are named as destinations before those that the scheduler likes
MAX_TRIED = 12  # victims tried on one node in one round; more would only search among ever worse ones


class HotNodesArgs(StrategyArgs):
    """Cool nodes whose forecast load is too high."""

    thresholds: dict[str, Fraction] = Field(default_factory=lambda: {"cpu": 0.75, "memory": 0.85})
    """Fraction of allocatable, by resource, above which a node is hot."""
    pools: dict[str, dict[str, Fraction]] = Field(default_factory=dict)
    """Thresholds by pool, laid over `thresholds`."""
    headroom: Fraction = 0.05
    """A destination must stay this far below its threshold."""
    quantile: Fraction = 0.95
    """Quantile of the forecast that is held against the thresholds."""
    horizon: Duration = timedelta(hours=1)
    """How far ahead to look."""
    min_duration: Duration = timedelta(minutes=15)
    """A node that will be hot for less than this is left alone: the peak passes before a move pays."""
    min_confidence: Fraction = 0.3
    """Nodes whose profiles are trusted less than this are left alone."""
    min_coverage: Fraction = 0.8
    """Share of a node's requests that must have history; otherwise its load is not known and it is left alone."""
    max_moves_per_node: int = Field(default=5, ge=1, le=50)
    """At most so many units leave one node in one plan."""
    max_risk: Fraction = 0.2
    """Accepted probability that a pod lands on its source or on a node that it would make hot."""
    weight: float = Field(default=4.0, gt=0)
    """Worth of one core-second (or the same share of memory) of excess, in core-seconds of restarted work."""


@dataclass(frozen=True, slots=True)
class _Heat:
    """One hot node for one resource; `lasts` seconds above the threshold."""

    node: int
    resource: str
    threshold: float
    finding: Finding
    lasts: int


class HotNodes:
    """See the module."""

    name: ClassVar[str] = "HotNodes"
    signals: ClassVar[tuple[str, ...]] = ("cpu", "memory")
    Args: ClassVar[type[StrategyArgs]] = HotNodesArgs

    def propose(self, view: RebalanceView, args: HotNodesArgs) -> Iterable[Proposal | Observation]:
        """One proposal for each unit that leaves a hot node, hottest node first."""
        search = _Search(view, args)
        hottest = sorted(search.hot(), key=lambda h: (-h.finding.value / h.threshold, h.node))
        yield from each(hottest, lambda heat: heat.finding, search.answers)


class _Search:
    """One run: what is hot, and who leaves; `state` moves on with every unit that was proposed."""

    def __init__(self, view: RebalanceView, args: HotNodesArgs) -> None:
        self.view = view
        self.args = args
        self.state: Scenario = view.what_if()
        self.seconds = args.horizon.total_seconds()
        self._coolest: tuple[int, ...] | None = None
        self.limits: Mapping[str, NDArray[np.float64]] = {  # [N] the threshold of each node's pool
            resource: np.array([args.pools.get(p, {}).get(resource, general) for p in view.pools])[view.pool_of]
            for resource, general in args.thresholds.items()
            if resource in view.loads
        }

    def hot(self) -> Iterator[_Heat]:
        """Nodes whose curve exceeds their threshold within the horizon."""
        real = np.fromiter((not n.virtual for n in self.view.snapshot.nodes), np.bool_, len(self.view.snapshot.nodes))
        for resource, limit in self.limits.items():
            loads = self.view.loads[resource]
            steps = max(1, int(self.seconds // loads.profiles.step))
            curves = loads.curves(self.args.quantile)
            changed = self.state.changed(resource)
            if changed.size:
                curves = curves.copy()
                curves[changed] = loads.curve(self.state.vectors(resource, changed), changed, self.args.quantile)
            for node in np.flatnonzero((curves[:, :steps].max(axis=1) > limit) & real).tolist():
                yield self._heat(loads, resource, node, curves[node], float(limit[node]), steps)

    def _heat(self, loads: NodeLoads, resource: str, node: int, curve: Floats32, threshold: float, steps: int) -> _Heat:
        step, origin = loads.profiles.step, loads.profiles.origin
        first, length = _stretch(curve.astype(np.float64) > threshold)  # as `hot` compared: not in the curve's float32
        value = float(curve[:steps].max())
        name, ahead = self.view.snapshot.nodes[node].name, span(self.args.horizon.total_seconds())
        percent = f"p{self.args.quantile * 100:g} {resource}"
        finding = Finding(
            strategy=HotNodes.name,
            subject=Subject(SubjectKind.NODE, name),
            measure=f"{percent} in the next {ahead}, fraction of allocatable",
            value=value,
            threshold=threshold,
            text=f"node {name}: {percent} reaches {value:.0%} of allocatable in the next {ahead}"
            f" (threshold {threshold:.0%}), above it for {length * step // 60} min",
            nodes=(node,),
            since=float(origin + (first + 1) * step),
            until=float(origin + (first + 1 + length) * step),
            curve=tuple(float(x) for x in curve),
            step_seconds=step,
            resource=resource,
            quantile=self.args.quantile,
            horizon_seconds=self.seconds,
        )
        return _Heat(node, resource, threshold, finding, length * step)

    def answers(self, heat: _Heat) -> Iterator[Proposal | Observation]:
        """What to do about one hot node."""
        blocked = self.left_alone(heat)
        if blocked is None:
            yield from self.cool(heat)
        else:
            yield Observation(heat.finding, blocked)

    def left_alone(self, heat: _Heat) -> Blocked | None:
        """Why nothing is tried: too little is known, or the peak passes before a move pays."""
        loads, subject = self.view.loads[heat.resource], str(heat.finding.subject)
        covered, trust = float(loads.covered[heat.node]), float(loads.confidence[heat.node])
        if covered < self.args.min_coverage:
            return Blocked(Reason.DATA_MISSING, subject, f"{covered:.0%} of its {heat.resource} has history")
        if trust < self.args.min_confidence:
            return Blocked(Reason.LOW_CONFIDENCE, subject, f"confidence {trust:.2f}")
        if heat.lasts < self.args.min_duration.total_seconds():
            pays = f"a move pays from {span(self.args.min_duration.total_seconds())}"
            return Blocked(Reason.SPIKE_PASSES, subject, f"over in {heat.lasts // 60} min, {pays}")
        return None

    def cool(self, heat: _Heat) -> Iterator[Proposal | Observation]:
        """Unit after unit leaves the node until it is cool or nothing more helps."""
        before, failed = self._level(heat), None
        found: list[Proposal] = []
        while len(found) < self.args.max_moves_per_node and self._level(heat) > heat.threshold:
            chosen = self._choose(heat, self.args.max_moves_per_node - len(found))
            if isinstance(chosen, Blocked):
                failed = chosen
                break
            found.append(chosen)
        level, granted = self._level(heat), len(found)
        yield from self._as_one(heat, found, before, level)
        if level > heat.threshold:
            reached = Blocked(Reason.NO_CURE, str(heat.finding.subject), f"at best {level:.0%} with {granted} moves")
            pods = tuple(self.view.snapshot.columns.pods_on(heat.node).tolist())
            yield Observation(heat.finding, failed if failed is not None and not granted else reached, pods)

    def _as_one(self, heat: _Heat, found: Sequence[Proposal], before: float, after: float) -> Iterator[Proposal]:
        """The moves of one node, judged one right after the other: a limit that ends the plan then leaves few nodes
        half cooled, and the rest as they are.

        They share what they gain together, by what they cost. A node that stays hot counts for what it gains alone, and
        by so much less as it stays above its threshold.
        """
        gained = sum(proposal.worth for proposal in found)
        if after > heat.threshold:
            gained *= (before - after) / (before - heat.threshold)
        costs = [sum(self.view.cost(move.pod) for move in proposal.moves) + 1.0 for proposal in found]
        for at, (proposal, cost) in enumerate(zip(found, costs, strict=True)):
            yield replace(proposal, worth=gained * cost / sum(costs), follows=at > 0)

    def _level(self, heat: _Heat) -> float:
        return float(self.state.hottest(heat.resource, _one(heat.node), self.args.quantile, self.seconds)[0])

    def _choose(self, heat: _Heat, left: int) -> Proposal | Blocked:
        """The best unit to take away now, when `left` may still go, moved in `state`; or why there is none."""
        victims = self._victims(heat)
        if not victims.size:
            return Blocked(Reason.NO_CURE, str(heat.finding.subject), "no pod on it may be moved")
        level = self._level(heat)
        order = self._rank(victims, self._relief(heat, victims, level), level - heat.threshold, left)
        refusal = Blocked(Reason.NO_CURE, str(heat.finding.subject), "no pod on it would help")
        for pod in victims[order][:MAX_TRIED].tolist():
            wished = self._coolest_nodes() if self.view.landing.chosen else ()
            moved = relocate(
                self.view,
                self.state,
                (pod,),
                self._cool,
                max_risk=self.args.max_risk,
                bad=Reason.DESTINATION_HOT,
                wished=dict.fromkeys(self.view.moving(pod), wished),
                more_avoided=MOST_AVOIDED,
            )
            if isinstance(moved, Blocked):
                refusal = moved
                continue
            self.state = moved.state
            most = None if self.view.landing.chosen else 1  # what the scheduler may choose besides is no wish
            moves = tuple(replace(move, destinations=move.destinations[:most]) for move in moved.moves)
            return replace(self._proposal(heat, moves, level, self._level(heat)), avoid=moved.avoid)
        return refusal

    def _coolest_nodes(self) -> tuple[int, ...]:
        """Nodes by how far below their thresholds they stay for the whole horizon, as the plan begins: the first are
        where somebody more does least harm. What has been moved since is asked of each when its turn comes."""
        if self._coolest is None:
            every = np.arange(len(self.view.snapshot.nodes), dtype=np.int32)
            nearest = np.full(len(every), -np.inf)
            for resource, limit in self.limits.items():
                level = self.state.hottest(resource, every, self.args.quantile, self.seconds)
                nearest = np.maximum(nearest, level / limit)
            order = np.lexsort((every, nearest))
            self._coolest = tuple(every[order][nearest[order] < 1.0][:WISHED].tolist())
        return self._coolest

    def _victims(self, heat: _Heat) -> NDArray[np.int32]:
        """Movable pods that are still on the node in `state`."""
        pods = self.view.snapshot.columns.pods_on(heat.node)
        pods = pods[self.view.movable[pods]]
        return pods[np.fromiter((self.state.node_of(p) == heat.node for p in pods.tolist()), np.bool_, len(pods))]

    def _relief(self, heat: _Heat, victims: NDArray[np.int32], level: float) -> NDArray[np.float64]:
        """[K] by how much the node's hottest point falls when each victim leaves alone."""
        loads = self.view.loads[heat.resource]
        without = self.state.vectors(heat.resource, _one(heat.node)) - loads.of_pods(victims)
        nodes = np.full(len(victims), heat.node, np.int32)
        after = loads.hottest(without, nodes, self.args.quantile, self.seconds)
        return np.maximum(level - after.astype(np.float64), 0.0)

    def _rank(
        self, victims: NDArray[np.int32], relief: NDArray[np.float64], excess: float, left: int
    ) -> NDArray[np.int64]:
        """Order of victims: the cheapest for what they relieve that do their share of the rest, then the strongest.

        The share is the excess over the moves left, so that many small pods do not use up the moves of a node.
        """
        cost = np.array([self.view.cost(p) for p in victims.tolist()]) + 1.0
        useful = np.minimum(relief, excess)
        enough = relief >= excess / max(1, left)
        order = np.lexsort((victims, relief, np.where(enough, cost / np.maximum(useful, 1e-9), -relief), ~enough))
        return order[useful[order] > 0.02 * excess]

    def _cool(self, attempt: Scenario, pod: int) -> Accept:
        """Accepts nodes that stay `headroom` below every threshold with the pod on them."""

        def accept(nodes: NDArray[np.int32]) -> NDArray[np.bool_]:
            cool = np.ones(len(nodes), np.bool_)
            for resource, limit in self.limits.items():
                level = attempt.hottest(resource, nodes, self.args.quantile, self.seconds, plus=pod)
                cool &= level <= limit[nodes] - self.args.headroom
            return cool

        return accept

    def _proposal(self, heat: _Heat, moves: tuple[Move, ...], before: float, after: float) -> Proposal:
        relieved = before - max(after, heat.threshold)
        cores = float(self.view.snapshot.columns.allocatable[heat.node, 0]) / 1000.0
        return Proposal(
            finding=heat.finding,
            moves=moves,
            benefit=before - after,
            worth=relieved * cores * heat.lasts * self.args.weight,
            note=f"{heat.resource} {before:.0%} → {after:.0%}",
        )


def _stretch(above: NDArray[np.bool_]) -> tuple[int, int]:
    """The first stretch above the threshold: where it begins and how many steps it lasts; short dips do not end it."""
    steps = np.flatnonzero(above)
    ends = np.flatnonzero(np.diff(steps) > DIP)
    last = int(steps[ends[0]] if ends.size else steps[-1])
    return int(steps[0]), last - int(steps[0]) + 1


def _one(node: int) -> NDArray[np.int32]:
    return np.array([node], np.int32)
