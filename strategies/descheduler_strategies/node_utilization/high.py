"""HighNodeUtilization: nodes of which little is requested are emptied onto others that are in use.

A node is emptied wholly or left alone: half a node's pods restarted for nothing empty no node. Whoever lands does so
on a node that is in use and stays so, hence every plan leaves fewer nodes in use, and none comes back to where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from descheduler.contract import (
    MOST_AVOIDED,
    Accept,
    Needs,
    RebalanceView,
    Relocation,
    Scenario,
    StrategyArgs,
    each,
    relocate,
    required,
)
from descheduler.model.arrays import Floats, Mask
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Among, Finding, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler_strategies.node_utilization.args import HIGH, HighNodeUtilizationArgs
from descheduler_strategies.node_utilization.bounds import below, seen_nodes
from descheduler_strategies.node_utilization.evictable import may_leave
from descheduler_strategies.node_utilization.places import with_room
from descheduler_strategies.node_utilization.sources import requested
from descheduler_strategies.node_utilization.tenants import Tenants, tenants

MAX_RISK = 0.2
"""Accepted probability that a pod lands where it would keep, or take, a node in use."""
MOST_VAIN = 400  # pods of nodes that are tried in vain in one plan
WISHED = 64  # nodes that are named for one pod where the plan chooses


class HighNodeUtilization:
    """See the module."""

    name: ClassVar[str] = HIGH
    signals: ClassVar[tuple[str, ...]] = ()
    order: ClassVar[int] = 50
    Args: ClassVar[type[StrategyArgs]] = HighNodeUtilizationArgs

    def needs(self, args: HighNodeUtilizationArgs) -> Needs:
        """The right to cordon, where that is asked for."""
        return Needs(cordons=args.cordon)

    def propose(self, view: RebalanceView, args: HighNodeUtilizationArgs) -> Iterable[Proposal | Observation]:
        """One proposal for each node that is emptied, the cheapest first."""
        yield from _Packing(view, args).answers()


class _Packing:
    """One pass over the underutilized nodes."""

    def __init__(self, view: RebalanceView, args: HighNodeUtilizationArgs) -> None:
        self._view, self._args = view, args
        self._state = view.what_if()
        self._resources = tuple(args.thresholds)
        every, seen = np.arange(len(view.snapshot.nodes), dtype=np.int32), seen_nodes(view)
        levels = requested(view, self._resources).levels(self._state, every)
        levels[~seen] = np.nan
        self._levels: Floats = levels
        self._most: Floats = np.array([args.thresholds[name] for name in self._resources])
        self._under: Mask = below(levels, self._most)
        self._tenants: Tenants = tenants(view, self._state, self._thresholding())
        self._staying = ~may_leave(view, args.evictable_namespaces)
        in_use = (self._tenants.leaving > 0) | (~self._under & ~np.isnan(levels).all(axis=1))
        in_use[list(self._tenants.arrived)] = True
        self._sinks: Mask = view.destinations() & seen & in_use
        granted = [proposal for proposal in view.granted if proposal.finding.measure == _MEASURE]
        self._emptied = tuple(node for proposal in granted for node in proposal.finding.nodes)
        self._sinks[list(self._emptied)] = False
        self._vain = 0
        self._without: dict[int, Blocked] = {}  # specs for which no node in use has room

    def answers(self) -> Iterator[Proposal | Observation]:
        if int(self._under.sum()) <= self._args.number_of_nodes:
            return
        left = self._args.max_nodes - len(self._emptied)
        for node in self._in_order():
            if left <= 0 or self._vain >= MOST_VAIN:
                return
            for answer in each((node,), self._finding, self._empty):
                left -= isinstance(answer, Proposal)
                yield answer

    def _in_order(self) -> list[int]:
        """Underutilized nodes with somebody on them, the cheapest to empty first."""
        nodes = np.flatnonzero(self._under & (self._tenants.leaving > 0))
        return [
            int(node) for node in nodes[np.lexsort((nodes, self._tenants.leaving[nodes], self._tenants.cost[nodes]))]
        ]

    def _empty(self, node: int) -> Iterator[Proposal | Observation]:
        """All that may not stay on an empty node leaves, or nobody does."""
        finding, pods = self._finding(node), self._tenants.on(node)
        if node in self._tenants.arrived or any(pod in self._state.moved for pod in pods):
            return  # somebody came or left in this plan
        held = next((why for pod in pods if (why := self._held(pod)) is not None), None)
        if held is not None:
            yield Observation(finding, held, pods)
            return
        found = self._moved(node, pods)
        if isinstance(found, Blocked):
            yield Observation(finding, found, pods)
            return
        moving = tuple(move.pod for move in found.moves)
        yield Proposal(
            finding=finding,
            moves=tuple(replace(move, promise=Among(self._others(node))) for move in found.moves),
            benefit=-finding.value,
            worth=required(self._view, moving),
            note=f"empties {self._view.snapshot.nodes[node].name}",
            avoid=found.avoid,
            staged=True,
            cordon=self._cordon(node),
        )
        self._state = found.state
        self._sinks[node] = False
        self._emptied = (*self._emptied, node)
        self._tenants.arrived.update(found.landed.values())

    def _others(self, node: int) -> Mask:
        """[N] the other nodes that are in use, and stay so."""
        sinks = self._sinks.copy()
        sinks[node] = False
        return sinks

    def _moved(self, node: int, pods: tuple[int, ...]) -> Relocation | Blocked:
        sinks = self._others(node)
        if not sinks.any():
            return Blocked(Reason.NO_PLACE, HIGH, "no other node is in use")
        lacking = next((why for pod in pods if (why := self._lacking(pod, node)) is not None), None)
        if lacking is not None:
            return lacking

        def in_use(_state: Scenario, _pod: int) -> Accept:
            return lambda nodes: sinks[nodes]

        units = {self._view.moving(pod) for pod in pods}
        wished = self._fullest(sinks) if self._view.landing.chosen else ()
        found = relocate(
            self._view,
            self._state,
            pods,
            in_use,
            max_risk=MAX_RISK,
            bad=Reason.NO_GAIN,
            wished=dict.fromkeys((pod for unit in units for pod in unit), wished),
            more_avoided=MOST_AVOIDED,
            cordon=self._cordon(node),
        )
        self._vain += len(pods) if isinstance(found, Blocked) else 0
        if isinstance(found, Blocked) and found.reason in (Reason.WOULD_STAY, Reason.NO_GAIN):
            return Blocked(found.reason, found.by, f"{found.detail}; {_HOW}")
        return found

    def _lacking(self, pod: int, node: int) -> Blocked | None:
        """Why the pod finds no place, whatever becomes of others: nodes are only filled, so it finds none later."""
        view, spec = self._view, int(self._view.snapshot.columns.pod_remade[pod])
        if view.snapshot.pods[pod].claims or spec in self._without:
            return self._without.get(spec)
        room = with_room(view, self._state, pod, np.flatnonzero(self._sinks).astype(np.int32))
        if (room != node).any():
            return None
        blocked = Blocked(Reason.NO_PLACE, f"pod/{view.snapshot.pods[pod].key}", "no other node in use has room for it")
        if not len(room):
            self._without[spec] = blocked
        return blocked

    def _fullest(self, sinks: Mask) -> tuple[int, ...]:
        """Nodes that take others, the fullest first; those that may yet be emptied last."""
        nodes = np.flatnonzero(sinks)
        fullest = np.fmax.reduce(self._levels[nodes], axis=1, initial=0.0)
        return tuple(nodes[np.lexsort((nodes, -fullest, self._under[nodes]))].tolist())[:WISHED]

    def _held(self, pod: int) -> Blocked | None:
        """Why the pod stays on the node."""
        key = f"pod/{self._view.snapshot.pods[pod].key}"
        if self._staying[pod]:
            return Blocked(Reason.NAMESPACE_EXCLUDED, key, "evictableNamespaces.exclude")
        if self._view.movable[pod]:
            return None
        return self._view.blocked(pod) or Blocked(Reason.NO_CURE, key, "was refused before in this plan")

    def _cordon(self, node: int) -> tuple[int, ...]:
        """Nodes that take nobody meanwhile: this one, and those that were emptied before it."""
        chosen = self._view.landing is LandingMode.RESERVED
        return tuple(sorted((*self._emptied, node))) if self._args.cordon and not chosen else ()

    def _thresholding(self) -> Mask | None:
        """[S] specs that request any of the resources; None where it does not matter."""
        if not self._args.eviction_modes:
            return None
        columns = self._view.snapshot.columns
        at = [found for name in self._resources if (found := columns.resource(name)) >= 0]
        asking: Mask = np.any(columns.spec_requests[:, at] > 0, axis=1)
        return asking

    def _finding(self, node: int) -> Finding:
        levels, name = self._levels[node].tolist(), self._view.snapshot.nodes[node].name
        parts = [f"{level:.0f} % of {of}" for of, level in zip(self._resources, levels, strict=True) if level == level]
        return Finding(
            strategy=HIGH,
            subject=Subject(SubjectKind.NODE, name),
            measure=_MEASURE,
            value=float(self._tenants.leaving[node]),
            threshold=0.0,
            text=f"{name} is in use for little: {', '.join(parts)} requested",
            nodes=(node,),
        )


_MEASURE = "pods for which it is in use"
_HOW = (
    "schedulers: MostAllocated (where that is how the scheduler scores), acting.landing or cordon make replacements go "
    "where they are wanted"
)
