"""HotNodes: cool the nodes that are, or will be, too busy, with the fewest and cheapest moves.

A node is hot when the forecast quantile of its *summed* pods reaches the threshold of its pool within the horizon.
Victims are chosen by how well they clear the excess and how little their restart costs; a destination must take the
pod by the scheduler's own rules and stay cool for the whole horizon. A peak that passes sooner than a move pays is
left alone, and said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from descheduler.contract import NodeLoads, RebalanceView, Scenario, StrategyArgs
from descheduler.contract.types import Duration, Fraction
from descheduler.model.moves import Finding, Move, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason

Array = NDArray[np.float32]
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
    """One hot node for one resource: its curve [H] as fractions, and what is wrong with it."""

    node: int
    resource: str
    threshold: float
    curve: Array
    finding: Finding
    excess_steps: int


class HotNodes:
    """See the module."""

    name: ClassVar[str] = "HotNodes"
    signals: ClassVar[tuple[str, ...]] = ("cpu", "memory")
    Args: ClassVar[type[StrategyArgs]] = HotNodesArgs

    def propose(self, view: RebalanceView, args: HotNodesArgs) -> Iterable[Proposal | Observation]:
        """One proposal for each unit that leaves a hot node, hottest node first."""
        limits = {r: _limits(view, args, r) for r in args.thresholds if r in view.loads}
        state = view.what_if()
        for heat in sorted(_hot(view, args, limits, state), key=lambda h: (-h.finding.value / h.threshold, h.node)):
            blocked = _left_alone(view, args, heat)
            if blocked is not None:
                yield Observation(heat.finding, blocked)
                continue
            yield from _cool(view, args, limits, state, heat)


def _limits(view: RebalanceView, args: HotNodesArgs, resource: str) -> NDArray[np.float64]:
    """[N] the threshold of each node's pool."""
    by_pool = [args.pools.get(pool, {}).get(resource, args.thresholds[resource]) for pool in view.pools]
    return np.array(by_pool, np.float64)[view.pool_of]


def _hot(
    view: RebalanceView, args: HotNodesArgs, limits: dict[str, NDArray[np.float64]], state: Scenario
) -> Iterator[_Heat]:
    for resource, limit in limits.items():
        loads = view.loads[resource]
        steps = _steps(loads, args)
        curves = loads.curves(args.quantile)
        changed = state.changed(resource)
        if changed.size:
            curves = curves.copy()
            curves[changed] = loads.curve(state.vectors(resource, changed), changed, args.quantile)
        hottest = curves[:, :steps].max(axis=1)
        sources = (hottest > limit) & np.fromiter((not n.virtual for n in view.snapshot.nodes), np.bool_, len(limit))
        for node in np.flatnonzero(sources).tolist():
            yield _heat(view, args, loads, resource, node, curves[node], float(limit[node]), steps)


def _steps(loads: NodeLoads, args: HotNodesArgs) -> int:
    return max(1, int(args.horizon.total_seconds() // loads.profiles.step))


def _heat(
    view: RebalanceView,
    args: HotNodesArgs,
    loads: NodeLoads,
    resource: str,
    node: int,
    curve: Array,
    threshold: float,
    steps: int,
) -> _Heat:
    step, origin = loads.profiles.step, loads.profiles.origin
    above = curve > threshold
    first = int(np.argmax(above))
    after = np.flatnonzero(~above[first:])
    length = int(after[0]) if after.size else len(curve) - first
    value = float(curve[:steps].max())
    name = view.snapshot.nodes[node].name
    percent = f"p{args.quantile * 100:g}"
    finding = Finding(
        strategy=HotNodes.name,
        subject=f"node/{name}",
        measure=f"{percent} {resource} in the next {_text(args.horizon)}, fraction of allocatable",
        value=value,
        threshold=threshold,
        text=f"node {name}: {percent} {resource} reaches {value:.0%} of allocatable in the next {_text(args.horizon)}"
        f" (threshold {threshold:.0%}), above it for {length * step // 60} min",
        nodes=(node,),
        since=float(origin + (first + 1) * step),
        until=float(origin + (first + 1 + length) * step),
        curve=tuple(float(x) for x in curve),
        step_seconds=step,
        resource=resource,
        quantile=args.quantile,
        horizon_seconds=args.horizon.total_seconds(),
    )
    return _Heat(node, resource, threshold, curve, finding, length)


def _text(period: timedelta) -> str:
    minutes = int(period.total_seconds() // 60)
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _left_alone(view: RebalanceView, args: HotNodesArgs, heat: _Heat) -> Blocked | None:
    loads = view.loads[heat.resource]
    name = view.snapshot.nodes[heat.node].name
    covered, trust = float(loads.covered[heat.node]), float(loads.confidence[heat.node])
    if covered < args.min_coverage:
        return Blocked(Reason.DATA_MISSING, f"node/{name}", f"{covered:.0%} of its {heat.resource} has history")
    if trust < args.min_confidence:
        return Blocked(Reason.LOW_CONFIDENCE, f"node/{name}", f"confidence {trust:.2f}")
    lasts = heat.excess_steps * loads.profiles.step
    if lasts < args.min_duration.total_seconds():
        return Blocked(
            Reason.SPIKE_PASSES,
            f"node/{name}",
            f"over in {lasts // 60} min, a move pays from {_text(args.min_duration)}",
        )
    return None


def _cool(
    view: RebalanceView,
    args: HotNodesArgs,
    limits: dict[str, NDArray[np.float64]],
    state: Scenario,
    heat: _Heat,
) -> Iterator[Proposal | Observation]:
    """Unit after unit leaves the node in `state` until it is cool or nothing more helps."""
    granted = 0
    failed: Blocked | None = None
    while granted < args.max_moves_per_node:
        level = float(state.hottest(heat.resource, _one(heat.node), args.quantile, _seconds(args))[0])
        if level <= heat.threshold:
            return
        chosen = _choose(view, args, limits, state, heat, level, granted)
        if isinstance(chosen, Blocked):
            failed = chosen
            break
        granted += 1
        yield chosen
    level = float(state.hottest(heat.resource, _one(heat.node), args.quantile, _seconds(args))[0])
    if level > heat.threshold:
        reached = f"at best {level:.0%} with {granted} moves"
        blocked = (
            failed if failed is not None and not granted else Blocked(Reason.NO_CURE, heat.finding.subject, reached)
        )
        yield Observation(heat.finding, blocked, tuple(view.snapshot.columns.pods_on(heat.node).tolist()))


def _choose(
    view: RebalanceView,
    args: HotNodesArgs,
    limits: dict[str, NDArray[np.float64]],
    state: Scenario,
    heat: _Heat,
    level: float,
    granted: int,
) -> Proposal | Blocked:
    """The best unit to take away now, moved in `state`; or why there is none."""
    victims = _victims(view, state, heat)
    if not victims.size:
        return Blocked(Reason.NO_CURE, heat.finding.subject, "no pod on it may be moved")
    relief = _relief(view, args, state, heat, victims, level)
    order = _rank(view, victims, relief, level - heat.threshold, args.max_moves_per_node - granted)
    refusal = Blocked(Reason.NO_CURE, heat.finding.subject, "no pod on it would help")
    for pod in victims[order][:MAX_TRIED].tolist():
        landed = _land(view, args, limits, state.fork(), heat, view.moving(pod))
        if isinstance(landed, Blocked):
            refusal = landed
            continue
        moves = tuple(Move(p, state.node_of(p), (landed[p],)) for p in landed)
        state.apply(moves, landed)
        after = float(state.hottest(heat.resource, _one(heat.node), args.quantile, _seconds(args))[0])
        return _proposal(view, args, heat, moves, level, after)
    return refusal


def _victims(view: RebalanceView, state: Scenario, heat: _Heat) -> NDArray[np.int32]:
    """Movable pods that are still on the node in `state`."""
    pods = view.snapshot.columns.pods_on(heat.node)
    pods = pods[view.movable[pods]]
    return pods[np.fromiter((state.node_of(p) == heat.node for p in pods.tolist()), np.bool_, len(pods))]


def _relief(
    view: RebalanceView, args: HotNodesArgs, state: Scenario, heat: _Heat, victims: NDArray[np.int32], level: float
) -> NDArray[np.float64]:
    """[K] by how much the node's hottest point falls when each victim leaves alone."""
    loads = view.loads[heat.resource]
    without = state.vectors(heat.resource, _one(heat.node)) - loads.of_pods(victims)
    nodes = np.full(len(victims), heat.node, np.int32)
    after = loads.hottest(without, nodes, args.quantile, _seconds(args))
    return np.maximum(level - after.astype(np.float64), 0.0)


def _rank(
    view: RebalanceView, victims: NDArray[np.int32], relief: NDArray[np.float64], excess: float, left: int
) -> NDArray[np.int64]:
    """Order of victims when `left` may still go: the cheapest that does its share of the rest, then the strongest.

    Its share is the excess over the moves left; one that clears everything alone does more than its share and is
    preferred when its cost for what it relieves is lower.
    """
    cost = np.array([view.cost(p) for p in victims.tolist()]) + 1.0
    useful = np.minimum(relief, excess)
    enough = relief >= excess / max(1, left)
    order = np.lexsort((victims, relief, np.where(enough, cost / np.maximum(useful, 1e-9), -relief), ~enough))
    return order[useful[order] > 0.02 * excess]


def _land(
    view: RebalanceView,
    args: HotNodesArgs,
    limits: dict[str, NDArray[np.float64]],
    attempt: Scenario,
    heat: _Heat,
    members: tuple[int, ...],
) -> dict[int, int] | Blocked:
    """Where each pod of the unit goes, tried on `attempt`: where the scheduler would put it, if that stays cool."""
    for pod in members:
        attempt.remove(pod)
    landed: dict[int, int] = {}
    for pod in members:
        node = _destination(view, args, limits, attempt, heat, pod)
        if isinstance(node, Blocked):
            return node
        attempt.place(pod, node)
        landed[pod] = node
    return landed


def _destination(
    view: RebalanceView,
    args: HotNodesArgs,
    limits: dict[str, NDArray[np.float64]],
    attempt: Scenario,
    heat: _Heat,
    pod: int,
) -> int | Blocked:
    """The likeliest node that stays cool, if the pod will probably land on such a one."""
    likely = attempt.landing(pod)
    key = view.snapshot.pods[pod].key
    if all(node == heat.node for node, _ in likely):
        return Blocked(Reason.NO_PLACE, f"pod/{key}", attempt.state.explain_text(pod))
    nodes = np.array([node for node, _ in likely], np.int32)
    cool = np.ones(len(nodes), np.bool_)
    for resource, limit in limits.items():
        level = attempt.hottest(resource, nodes, args.quantile, _seconds(args), plus=pod)
        cool &= level <= limit[nodes] - args.headroom
    shares = np.array([share for _, share in likely])
    source = view.snapshot.nodes[heat.node].name
    if float(shares[nodes == heat.node].sum()) > args.max_risk:
        return Blocked(Reason.WOULD_STAY, f"node/{source}", key)
    good = cool & (nodes != heat.node)
    if float(shares[~good].sum()) > args.max_risk:
        worst = view.snapshot.nodes[int(nodes[np.argmin(good)])].name
        return Blocked(Reason.DESTINATION_HOT, f"node/{worst}", f"{key} would probably land there")
    return int(nodes[np.argmax(good)])


def _proposal(
    view: RebalanceView, args: HotNodesArgs, heat: _Heat, moves: tuple[Move, ...], before: float, after: float
) -> Proposal:
    loads = view.loads[heat.resource]
    relieved = before - max(after, heat.threshold)
    seconds = heat.excess_steps * loads.profiles.step
    cores = float(view.snapshot.columns.allocatable[heat.node, 0]) / 1000.0
    return Proposal(
        finding=heat.finding,
        moves=moves,
        benefit=before - after,
        worth=relieved * cores * seconds * args.weight,
        note=f"{heat.resource} {before:.0%} → {after:.0%}",
    )


def _one(node: int) -> NDArray[np.int32]:
    return np.array([node], np.int32)


def _seconds(args: HotNodesArgs) -> float:
    return args.horizon.total_seconds()
