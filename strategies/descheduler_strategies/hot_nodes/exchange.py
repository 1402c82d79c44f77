"""A pod of a hot node for which no node is cool enough, or has room: another pod makes place for it.

A chain: the other one goes on to a third node, and has left before the first one comes where that needs its room. A
swap: it goes to the hot node, which loses more than it gets; both leave at once, so each must find room beside the
other. Only where the plan chooses the nodes, and only a pod that is itself a unit makes place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from descheduler.contract import Accept, RebalanceView, Relocation, Scenario, relocate
from descheduler.model.arrays import Mask, Positions
from descheduler.model.reasons import Blocked, Reason
from descheduler_strategies.hot_nodes.args import HotNodesArgs
from descheduler_strategies.hot_nodes.heat import Heat, Thermometer
from descheduler_strategies.hot_nodes.places import Places

NODES = 16  # nodes on which somebody might make place, for one pod
OFFERS = 4  # pods that are asked to, the cheapest first
MOST = 16
"""Pods that somebody is looked for in one pass over the hot nodes. Where no node is cool enough, all pods of all hot
nodes would be asked for, each at the price of many landings, and hardly one in vain less."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """`pod` would leave `node` for the one that comes; for the hot node too, if a `swap` is possible."""

    pod: int
    node: int
    cost: float
    swap: bool


class Exchange:
    """Looks for somebody who makes place, in any state."""

    def __init__(self, view: RebalanceView, args: HotNodesArgs, meter: Thermometer, places: Places) -> None:
        self._view, self._args, self._meter, self._places = view, args, meter, places
        self._left = MOST

    def begin(self) -> None:
        """A pass over the hot nodes begins."""
        self._left = MOST

    def make_place(self, state: Scenario, heat: Heat, pod: int) -> Relocation | None:
        """The pod leaves the hot node, and another one its place to it; None where nobody does, or nobody is looked
        for any more."""
        if len(self._view.moving(pod)) > 1 or self._left <= 0:
            return None
        self._left -= 1
        for offer in sorted(self._offers(state, heat, pod), key=lambda one: (one.cost, one.pod))[:OFFERS]:
            moved = self._tried(state, heat, pod, offer)
            if moved is not None:
                return moved
        return None

    def _tried(self, state: Scenario, heat: Heat, pod: int, offer: _Offer) -> Relocation | None:
        def good(attempt: Scenario, who: int) -> Accept:
            cool = self._meter.stays_cool(attempt, who)
            if who == pod or not offer.swap:
                return cool
            return lambda nodes: cool(nodes) | self._takes(attempt, heat, who, nodes)

        onward = (*self._places.wished(state, offer.pod), *((heat.node,) if offer.swap else ()))
        moved = relocate(
            self._view,
            state,
            (pod, offer.pod),
            good,
            max_risk=self._args.max_risk,
            bad=Reason.DESTINATION_HOT,
            wished={pod: (offer.node,), offer.pod: tuple(node for node in onward if node != offer.node)},
        )
        return None if isinstance(moved, Blocked) else moved

    def _takes(self, state: Scenario, heat: Heat, pod: int, nodes: Positions) -> Mask:
        """[K] whether it is the hot node, and stays at its target with this pod instead."""
        out: Mask = nodes == heat.node
        if out.any():
            one = np.array([heat.node], np.int32)
            out &= self._meter.alarm(state, heat.resource, one, plus=pod)[0] <= heat.target
        return out

    def _offers(self, state: Scenario, heat: Heat, pod: int) -> Iterator[_Offer]:
        """Pods without whom the one that comes would find a cool node with room: amounts are compared here, all other
        rules when it is tried."""
        view, columns = self._view, self._view.snapshot.columns
        asked, free = columns.spec_requests[columns.pod_remade[pod]], state.free()
        nodes = [node for node in self._places.wished(state, pod) if node != heat.node][:NODES]
        for node in nodes:
            there = [p for p in columns.pods_on(node).tolist() if self._may_leave(state, p, node)]
            if not there:
                continue
            others = np.array(there, np.int32)
            given = columns.spec_requests[columns.pod_spec[others]]
            room = ((free[node] + given >= asked) | (asked == 0)).all(axis=1)
            beside = bool(((free[node] >= asked) | (asked == 0)).all())
            able = others[room]
            for other in able[self._cool_without(state, node, able, pod)].tolist():
                yield _Offer(other, node, view.cost(other), beside)

    def _may_leave(self, state: Scenario, pod: int, node: int) -> bool:
        view = self._view
        return bool(view.movable[pod]) and view.moving(pod) == (pod,) and state.node_of(pod) == node

    def _cool_without(self, state: Scenario, node: int, others: Positions, pod: int) -> Mask:
        """[K] whether the node stays cool with the pod, once one of the `others` [K] has left it."""
        cool, at, seconds = np.ones(len(others), np.bool_), np.full(len(others), node, np.int32), self._meter.seconds
        if not len(others):
            return cool
        for resource, limit in self._meter.limits.items():
            loads = self._view.loads[resource]
            width = loads.width(seconds)
            comes = loads.of_pods(np.array([pod], np.int32), remade=True, width=width)
            vectors = state.vectors(resource, at[:1], width) + comes - loads.of_pods(others, width=width)
            level = loads.hottest(vectors, at, self._args.promise, seconds)
            cool &= (level <= limit[node] - self._args.headroom) & ~loads.closed[node]
        return cool
