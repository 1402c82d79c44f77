"""LowNodeUtilization: pods leave overutilized nodes for others that stay below their target.

Each move is worth its while alone: it takes from what is too much, and fills nobody above the target. So it may be that
a node is not brought down wholly, and no chain of moves ever comes back to where it began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from descheduler.contract import (
    MOST_AVOIDED,
    Accept,
    Needs,
    NodeLevel,
    RebalanceView,
    Relocation,
    Scenario,
    StrategyArgs,
    each,
    relocate,
    required,
)
from descheduler.model.arrays import Floats, Mask, Positions
from descheduler.model.format import plural
from descheduler.model.moves import Finding, Observation, Proposal, Tried
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler_strategies.node_utilization.args import LOW, LowNodeUtilizationArgs
from descheduler_strategies.node_utilization.bounds import Bounds, Deviations, below, seen_nodes
from descheduler_strategies.node_utilization.evictable import may_leave
from descheduler_strategies.node_utilization.gauges import Gauge, KeepsTarget
from descheduler_strategies.node_utilization.places import Places
from descheduler_strategies.node_utilization.sources import gauge_of, needs_of_source
from descheduler_strategies.node_utilization.victims import victims_on
from descheduler_strategies.sorting import tiers

MAX_RISK = 0.2
"""Accepted probability that a pod lands back on its node, or where it would be too much."""
MOST_REFUSED = 12  # units of one node that are tried in vain
MOST_MOVES = 200  # in one plan; the next plan goes on from there, with what has become of these


class LowNodeUtilization:
    """See the module."""

    name: ClassVar[str] = LOW
    signals: ClassVar[tuple[str, ...]] = ()
    order: ClassVar[int] = 40
    Args: ClassVar[type[StrategyArgs]] = LowNodeUtilizationArgs

    def needs(self, args: LowNodeUtilizationArgs) -> Needs:
        """Samples, the answer to a query, or history, as the source of usage is."""
        return needs_of_source(args)

    def propose(self, view: RebalanceView, args: LowNodeUtilizationArgs) -> Iterable[Proposal | Observation]:
        """The moves of one overutilized node after the other, the one first that is farthest above its target."""
        gauge = gauge_of(view, args)
        if isinstance(gauge, Blocked):
            text = f"nobody knows what nodes use by {args.source}"
            yield Observation(Finding(LOW, Subject(SubjectKind.STRATEGY, LOW), "", 0.0, 0.0, text), gauge)
            return
        yield from _Balance(view, args, gauge).answers()

    def node_levels(self, view: RebalanceView, args: LowNodeUtilizationArgs, node: int) -> Iterator[NodeLevel]:
        """How full the node is beside the targets; nothing where nobody knows."""
        gauge = gauge_of(view, args)
        return iter(()) if isinstance(gauge, Blocked) else _Balance(view, args, gauge).node_levels(node)


class _Balance:
    """One pass over the overutilized nodes."""

    def __init__(self, view: RebalanceView, args: LowNodeUtilizationArgs, gauge: Gauge) -> None:
        self._view, self._args, self._gauge = view, args, gauge
        self._state = view.what_if()
        every, seen = np.arange(len(view.snapshot.nodes), dtype=np.int32), seen_nodes(view)
        levels = gauge.levels(self._state, every)
        levels[~seen] = np.nan
        self._now = levels
        self._bounds = _bounds(args, gauge, levels, seen)
        excess = self._bounds.excess(levels).max(axis=1, initial=0.0)
        over = np.flatnonzero(excess > 0)
        self._over: Positions = over[np.lexsort((over, -excess[over]))].astype(np.int32)
        self._under: Mask = below(levels, self._bounds.low) & view.destinations()
        self._able: Mask = view.destinations() & seen & (excess <= 0)
        self._places = Places(view, gauge, self._bounds, np.flatnonzero(self._under).astype(np.int32))
        self._leaving = may_leave(view, args.evictable_namespaces) & view.movable
        self._tier = np.zeros(len(view.snapshot.pods), np.int64)
        pods = np.flatnonzero(self._leaving & (excess > 0)[view.snapshot.columns.pod_node])
        self._tier[pods] = tiers(view, pods.astype(np.int32))
        self._moves = 0

    def answers(self) -> Iterator[Proposal | Observation]:
        idle = self._idle()
        if idle is not None:
            yield from (Observation(self._finding(node), idle) for node in self._over.tolist())
            return
        yield from each(self._over.tolist(), self._finding, self._relieve)

    def _idle(self) -> Blocked | None:
        """Why nothing is done at all."""
        under, most = int(self._under.sum()), self._args.number_of_nodes
        if not under:
            return Blocked(Reason.NO_PLACE, LOW, "no node is underutilized")
        if under <= most:
            text = f"{plural(under, 'node')} underutilized, and numberOfNodes wants more than {most}"
            return Blocked(Reason.NO_CURE, LOW, text)
        return None

    def _relieve(self, node: int) -> Iterator[Proposal | Observation]:
        """Units leave the node, one after the other, until it is at its target."""
        finding = self._finding(node)
        may = self._may_leave(finding) if self._moves < MOST_MOVES else 0
        refused: dict[int, Blocked] = {}
        if may > 0:
            for moved in self._moves_from(finding, node, may, refused):
                may -= len(moved.moves)
                yield moved
        if self._bounds.excess(self._levels(node)).any():
            tried = tuple(Tried(self._view.moving(pod), why) for pod, why in refused.items())
            yield Observation(finding, self._why(node, refused, may), tried=tried)

    def _moves_from(self, finding: Finding, node: int, most: int, refused: dict[int, Blocked]) -> Iterator[Proposal]:
        """Moves of at most so many pods; `refused` then has those that may not go, by a pod of each unit."""
        victims = victims_on(self._view, self._state, self._gauge, node, self._leaving, self._tier)
        refused |= self._places.hopeless(self._state, victims.pods)
        left, tries = np.array([pod not in refused for pod in victims.pods], np.bool_), 0
        while most > 0 and tries < MOST_REFUSED and self._moves < MOST_MOVES:
            chosen = victims.next(self._bounds.excess(self._levels(node))[0], left)
            if chosen is None:
                return
            left[chosen], pod = False, victims.pods[chosen]
            known = self._places.refusal(self._state, pod)
            if len(self._view.moving(pod)) > most:
                known = Blocked(Reason.NODE_LIMIT, LOW, f"it moves with others, and {most} pods more may leave")
            tries += known is None
            moved = known or self._leave(finding, node, pod, victims.relief[chosen])
            if isinstance(moved, Blocked):
                refused[pod] = moved
                continue
            most, tries = most - len(moved.moves), 0
            self._moves += len(moved.moves)
            yield moved

    def _leave(self, finding: Finding, node: int, pod: int, relief: Floats) -> Proposal | Blocked:
        """The unit of the pod leaves, and each of it lands where it is not too much."""
        view, unit = self._view, self._view.moving(pod)
        chosen = self._places.wished(self._state, pod) if view.landing.chosen else ()

        def fits_in(state: Scenario, member: int) -> Accept:
            def accept(nodes: Positions) -> Mask:
                now, then = self._gauge.levels_with(state, nodes, member)
                return self._able[nodes] & self._bounds.admits(now, then, node, relief, nodes)

            return accept

        found = relocate(
            view,
            self._state,
            (pod,),
            fits_in,
            max_risk=MAX_RISK,
            bad=Reason.DESTINATION_HOT,
            wished=dict.fromkeys(unit, chosen),
            more_avoided=MOST_AVOIDED,
        )
        self._places.tried(pod, found if isinstance(found, Blocked) else None)
        if isinstance(found, Blocked):
            return found
        before, promise = self._levels(node)[0].copy(), KeepsTarget(self._gauge, self._bounds.high, self._able)
        self._take(found)
        at = self._gauge.resources.index(finding.resource)
        after = self._levels(node)[0]
        note = f"{finding.resource} {before[at]:.0f} % → {after[at]:.0f} %"
        benefit = float(after[at] - before[at]) / 100.0
        moves = tuple(replace(move, promise=promise) for move in found.moves)
        return Proposal(finding, moves, benefit, required(view, unit), note, avoid=found.avoid)

    def _take(self, found: Relocation) -> None:
        """What was found is done, for all that is asked from now on."""
        self._state = found.state
        touched = np.unique([*found.landed.values(), *(move.source for move in found.moves)]).astype(np.int32)
        self._now[touched] = self._gauge.levels(self._state, touched)
        self._bounds.changed(touched, self._now[touched])

    def _levels(self, node: int) -> Floats:
        """[1, K] how full the node is now."""
        return self._now[node : node + 1]

    def node_levels(self, node: int) -> Iterator[NodeLevel]:
        above = self._bounds.excess(self._levels(node))[0] > 0
        for at in range(len(self._gauge.resources)):
            level, target = float(self._levels(node)[0, at]) / 100.0, float(self._bounds.high[at]) / 100.0
            if not np.isnan(level):
                yield NodeLevel(self._measure(at), level, target, bool(above[at]))

    def _measure(self, at: int) -> str:
        return f"{self._gauge.resources[at]} by {self._gauge.source}, fraction of allocatable"

    def _may_leave(self, finding: Finding) -> int:
        """How many pods may still leave the node of the finding in this plan."""
        limit = self._args.per_node
        if limit is None:
            limit = 1 if not self._gauge.counts_pods else MOST_MOVES
        return limit - self._view.moves_granted(LOW, finding.subject)

    def _why(self, node: int, refused: Mapping[int, Blocked], may: int) -> Blocked:
        """Why the node is still above its target: the most frequent refusal, unless there were moves enough."""
        subject = f"node/{self._view.snapshot.nodes[node].name}"
        if self._moves >= MOST_MOVES:
            return Blocked(Reason.CYCLE_LIMIT, LOW, f"{MOST_MOVES} moves are planned at once")
        if may <= 0:
            return Blocked(Reason.NODE_LIMIT, LOW, "evictionLimits.node" if self._gauge.counts_pods else _GUESSED)
        if not refused:
            return Blocked(Reason.NO_CURE, subject, "no pod on it that may move takes of what is too much")
        most = Counter(why.reason for why in refused.values()).most_common(1)[0][0]
        return next(why for why in refused.values() if why.reason is most)

    def _finding(self, node: int) -> Finding:
        """What is too much on the node, by the resource of which it is farthest above the target."""
        levels, resources = self._levels(node)[0], self._gauge.resources
        at = int(np.argmax(self._bounds.excess(levels[None])[0]))
        target, name = float(self._bounds.high[at]), self._view.snapshot.nodes[node].name
        return Finding(
            strategy=LOW,
            subject=Subject(SubjectKind.NODE, name),
            measure=self._measure(at),
            value=float(levels[at]) / 100.0,
            threshold=target / 100.0,
            text=f"{name} is at {levels[at]:.0f} % of its {resources[at]} by {self._gauge.source}, the target is "
            f"{target:.0f} %",
            nodes=(node,),
            resource=resources[at],
            numbers=tuple(
                (f"{other} in %", round(float(level), 1))
                for other, level in zip(resources, levels.tolist(), strict=True)
                if other != resources[at] and not np.isnan(level)
            ),
        )


_GUESSED = "what a pod takes of the query is not known, so one pod leaves a node in one plan"


def _bounds(args: LowNodeUtilizationArgs, gauge: Gauge, levels: Floats, seen: Mask) -> Bounds:
    low = np.array([args.thresholds[name] for name in gauge.resources])
    high = np.array([args.target_thresholds[name] for name in gauge.resources])
    return Deviations(low, high, levels, seen) if args.use_deviation_thresholds else Bounds(low, high)
