"""What is hot: nodes whose forecast reaches the threshold of their pool within the horizon; and what is left alone.

A node that was hot in every step of the last minutes is hot whatever the forecast says. Of one forecast a lower
quantile raises the alarm, a higher one says where others may still go. The load of a node is the quantile of its summed
pods, never the sum of their quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from descheduler.contract import Accept, NodeLevel, RebalanceView, Scenario
from descheduler.model.arrays import Floats, Floats32, Mask, Positions
from descheduler.model.format import plural, span
from descheduler.model.moves import Finding
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler_strategies.hot_nodes.args import NAME, HotNodesArgs
from descheduler_strategies.hot_nodes.measured import lasting_level

DIP = 3  # steps: below the threshold for less than this is noise within one stretch
_WORTH_TELLING = 0.005  # fraction of allocatable
_ROUNDING = 1e-3  # by how much two ways to compute the top of one curve may differ at most


@dataclass(frozen=True, slots=True)
class Heat:
    """One hot node for one resource; `lasts` seconds above the threshold, and cooled at the `target` below it."""

    node: int
    resource: str
    threshold: float
    target: float
    finding: Finding
    lasts: int


class Thermometer:
    """How hot nodes are in any state, held against the thresholds of their pools: `limits` [N] by resource."""

    def __init__(self, view: RebalanceView, args: HotNodesArgs) -> None:
        self._view, self._args = view, args
        self.seconds = args.horizon.total_seconds()
        self.limits: Mapping[str, Floats] = {
            resource: np.array([args.pools.get(p, {}).get(resource, general) for p in view.pools])[view.pool_of]
            for resource, general in args.thresholds.items()
            if resource in view.loads
        }
        self._now: Mapping[str, Floats] = {
            resource: lasting_level(view, resource, args.min_duration.total_seconds(), limit)
            for resource, limit in self.limits.items()
        }
        self._lift = {resource: self._above_forecast(resource, now) for resource, now in self._now.items()}

    def _above_forecast(self, resource: str, now: Floats) -> Floats32:
        """[N] by how much nodes that are hot already are above the highest point that is forecast for them."""
        loads, hot = self._view.loads[resource], np.flatnonzero(now).astype(np.int32)
        out = np.zeros(len(now), np.float32)
        forecast = loads.hottest(loads.of_nodes(hot), hot, self._args.quantile, self.seconds)
        out[hot] = np.maximum(now[hot] - forecast, 0.0)
        return out

    def alarm(self, state: Scenario, resource: str, nodes: Positions, plus: int | None = None) -> Floats32:
        """[K] the highest point of the alarm's curve within the horizon, as a fraction of allocatable, with a pod more
        if one is given; at least as high as a node is already."""
        return (
            state.hottest(resource, nodes, self._args.quantile, self.seconds, plus=plus) + self._lift[resource][nodes]
        )

    def node_levels(self, state: Scenario, node: int) -> Iterator[NodeLevel]:
        """The same of one node for each resource, beside its threshold."""
        for resource, limit in self.limits.items():
            level = float(self.alarm(state, resource, np.array([node], np.int32))[0])
            measure, most = self._measure(resource), float(limit[node])
            yield NodeLevel(measure, level, most, level > most)

    def _measure(self, resource: str) -> str:
        return f"p{self._args.quantile * 100:g} {resource} in the next {span(self.seconds)}, fraction of allocatable"

    def level(self, state: Scenario, heat: Heat) -> float:
        """The same of the hot node."""
        return float(self.alarm(state, heat.resource, np.array([heat.node], np.int32))[0])

    def vector(self, state: Scenario, heat: Heat) -> Floats32:
        """[D] the forecast vector of the node."""
        vectors: Floats32 = state.vectors(heat.resource, np.array([heat.node], np.int32))
        return vectors.reshape(-1)

    def levels(self, heat: Heat, vectors: Floats32) -> Floats32:
        """[K] the same level if the node had these vectors [K, D]."""
        nodes = np.full(len(vectors), heat.node, np.int32)
        level = self._view.loads[heat.resource].hottest(vectors, nodes, self._args.quantile, self.seconds)
        return level + self._lift[heat.resource][nodes]

    def warmth(self, state: Scenario, nodes: Positions, plus: int | None = None) -> Floats:
        """[R, K] how warm nodes become as destinations: their highest point within the horizon, by resource of
        `limits`, with a pod more if one is given."""
        by = (state.hottest(r, nodes, self._args.promise, self.seconds, plus=plus) for r in self.limits)
        return np.array(list(by), np.float64).reshape(len(self.limits), len(nodes))

    def rooms(self, state: Scenario, nodes: Positions) -> Floats:
        """[R, K] how much warmer they may become."""
        ceilings = np.array([limit[nodes] for limit in self.limits.values()]).reshape(len(self.limits), len(nodes))
        room: Floats = ceilings - self._args.headroom - self.warmth(state, nodes)
        return room

    def stays_cool(self, state: Scenario, pod: int) -> Accept:
        """Accepts nodes that stay `headroom` below every threshold with the pod on them."""

        def accept(nodes: Positions) -> Mask:
            cool = np.ones(len(nodes), np.bool_)
            for limit, level in zip(self.limits.values(), self.warmth(state, nodes, plus=pod), strict=True):
                cool &= level <= limit[nodes] - self._args.headroom
            return cool

        return accept

    def hot(self, state: Scenario) -> Iterator[Heat]:
        """Nodes whose curve exceeds their threshold within the horizon."""
        nodes = self._view.snapshot.nodes
        real = np.flatnonzero(np.fromiter((not n.virtual for n in nodes), np.bool_, len(nodes))).astype(np.int32)
        for resource, limit in self.limits.items():
            level = self.alarm(state, resource, real)
            for node in real[level > limit[real] - _ROUNDING].tolist():
                heat = self._heat(state, resource, node, float(limit[node]))
                if heat is not None:
                    yield heat

    def _heat(self, state: Scenario, resource: str, node: int, threshold: float) -> Heat | None:
        loads, args, one = self._view.loads[resource], self._args, np.array([node], np.int32)
        curve = loads.curve(state.vectors(resource, one), one, args.quantile)[0]
        step, origin, now = loads.profiles.step, loads.profiles.origin, float(self._now[resource][node])
        value = float(curve[: max(1, int(self.seconds // step))].max()) + float(self._lift[resource][node])
        if value <= threshold:
            return None
        first, length = stretch(curve.astype(np.float64) > threshold)  # as compared above: not in float32
        if now:  # and is taken to stay so
            first, length = -1, max(length, math.ceil(self.seconds / step))
        name, ahead = self._view.snapshot.nodes[node].name, span(self.seconds)
        percent = f"p{args.quantile * 100:g} {resource}"
        told = f"reaches {value:.0%} of allocatable in the next {ahead}"
        told = f"is at {now:.0%} already and {told}" if now else told
        outside = float(loads.outside_of_pods(one, args.quantile, self.seconds)[0])
        aside = f"; {outside:.0%} of allocatable is used outside of pods" if outside >= _WORTH_TELLING else ""
        stopped = int(loads.throttled[node])
        aside += f"; {plural(stopped, 'pod')} on it would use more, were it not for CPU limits" if stopped else ""
        finding = Finding(
            strategy=NAME,
            subject=Subject(SubjectKind.NODE, name),
            measure=self._measure(resource),
            value=value,
            threshold=threshold,
            text=f"node {name}: {percent} {told} (threshold {threshold:.0%}), above it for {length * step // 60} min"
            + aside,
            nodes=(node,),
            since=float(origin + (first + 1) * step),
            until=float(origin + (first + 1 + length) * step),
            curve=tuple(float(x) for x in curve),
            step_seconds=step,
            resource=resource,
            quantile=args.quantile,
            horizon_seconds=self.seconds,
            numbers=(("used outside of pods, fraction of allocatable", outside),) if outside >= _WORTH_TELLING else (),
        )
        return Heat(node, resource, threshold, max(0.0, threshold - args.clearance), finding, length * step)

    def left_alone(self, heat: Heat) -> Blocked | None:
        """Why nothing is tried: too little is known, or the peak passes before a move pays."""
        loads, subject = self._view.loads[heat.resource], str(heat.finding.subject)
        covered, trust = float(loads.covered[heat.node]), float(loads.confidence[heat.node])
        if covered < self._args.min_coverage:
            return Blocked(Reason.DATA_MISSING, subject, f"{covered:.0%} of its {heat.resource} has history")
        if trust < self._args.min_confidence:
            return Blocked(Reason.LOW_CONFIDENCE, subject, f"confidence {trust:.2f}")
        now = self._now[heat.resource][heat.node] > 0
        if not now and heat.lasts <= self._args.min_duration.total_seconds():
            pays = f"a move pays from {span(self._args.min_duration.total_seconds())}"
            return Blocked(Reason.SPIKE_PASSES, subject, f"over in {heat.lasts // 60} min, {pays}")
        return None


def stretch(above: Mask) -> tuple[int, int]:
    """The first stretch of steps [H] above the threshold: where it begins and how many steps it lasts (0: there is
    none); short dips do not end it."""
    steps = np.flatnonzero(above)
    if not steps.size:
        return 0, 0
    ends = np.flatnonzero(np.diff(steps) > DIP)
    last = int(steps[ends[0]] if ends.size else steps[-1])
    return int(steps[0]), last - int(steps[0]) + 1
