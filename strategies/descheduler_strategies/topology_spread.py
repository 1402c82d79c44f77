"""RemovePodsViolatingTopologySpreadConstraint: pods that are spread less evenly than their constraints ask.

As many leave as bring the skew down to what is allowed, and no more. All constraints of a pod are looked at together:
it goes to a domain that has fewer than the one that it leaves, and to none where another of its constraints would be
broken instead. Pods that may not move count, as they do for the scheduler.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from descheduler.contract import RebalanceView, Spread, StrategyArgs
from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.model.moves import Finding, Move, Observation, Placed, Proposal
from descheduler.model.subjects import Subject, SubjectKind
from descheduler_strategies.promises import AllOf, NoLessWanted
from descheduler_strategies.selection import SelectedArgs, selected
from descheduler_strategies.sorting import first_to_go
from descheduler_strategies.violations import answered, in_sight, standing

NAME = "RemovePodsViolatingTopologySpreadConstraint"


class TopologySpreadArgs(SelectedArgs):
    """Spread pods as evenly as their topology spread constraints ask."""

    constraints: tuple[Literal["DoNotSchedule", "ScheduleAnyway"], ...] = ("DoNotSchedule",)
    """Constraints that are looked at, by their `whenUnsatisfiable`."""
    topology_balance_node_fit: bool = True
    """Without effect: every move is proved, so that a pod goes only where it can be."""


@dataclass(frozen=True, slots=True)
class Evens:
    """The promise that a node's domains have fewer pods than those that the pod leaves, where the `uneven` constraints
    are concerned, and that the `even` ones of it hold afterwards."""

    uneven: tuple[Spread, ...]
    even: tuple[Spread, ...] = ()

    def keeps(self, state: Placed, pod: int, nodes: Positions) -> Mask:
        """[K] for the nodes."""
        found = np.ones(len(nodes), np.bool_)
        for one in (*self.uneven, *self.even):
            counts = one.counts(state)
            there, here = counts[one.domain[nodes]], int(counts[one.domain[one.home[pod]]])
            fewer = there < here
            if one in self.even:
                least = int(counts[one.domains].min()) if len(one.domains) >= one.min_domains else 0
                fewer = (there <= here) | (there + 1 - least <= one.max_skew)
            found &= one.eligible[nodes] & fewer
        return found


class RemovePodsViolatingTopologySpreadConstraint:
    name: ClassVar[str] = NAME
    order: ClassVar[int] = 30
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = TopologySpreadArgs

    def propose(self, view: RebalanceView, args: TopologySpreadArgs) -> Iterator[Proposal | Observation]:
        groups = view.start.uneven(args.constraints, in_sight(view))
        broken = _Broken(view, groups, selected(view, args) & standing(view))
        for answer in answered(view, NAME, broken.pods, broken.finding, broken.cure):
            if isinstance(answer, Proposal):
                yield replace(answer, benefit=broken.benefit(answer))
            else:
                yield answer


class _Broken:
    """Constraints that do not hold, and the `pods` [K] that are to leave for it, first to go first, who may move before
    who may not."""

    def __init__(self, view: RebalanceView, groups: Sequence[tuple[Spread, ...]], may: Mask) -> None:
        self._view = view
        self._wanted = NoLessWanted(view)
        self._excess: dict[Spread, Ints] = {}  # [D + 1] how many are to leave each domain
        self._after: dict[Spread, int] = {}
        self._beside: dict[Spread, dict[Spread, None]] = {}  # the other constraints of pods that carry it
        for group in groups:
            for one in group:
                if one not in self._excess:
                    self._excess[one], self._after[one] = _leaving(one, one.counts(view.start))
                self._beside.setdefault(one, {}).update(dict.fromkeys(group))
        self._of: dict[int, list[Spread]] = {}  # the constraints for which each pod may leave
        for one, excess in self._excess.items():
            crowd = one.members[may[one.members] & (excess[one.domain[one.home[one.members]]] > 0)]
            for pod in crowd.tolist():
                self._of.setdefault(pod, []).append(one)
        crowded = dict.fromkeys(one for found in self._of.values() for one in found)
        self._findings = {one: self._found(one) for one in crowded}
        self.pods = self._chosen()

    def finding(self, pod: int) -> Finding:
        return self._findings[self._of[pod][0]]

    def cure(self, moves: tuple[Move, ...]) -> tuple[Move, ...]:
        return tuple(replace(move, promise=self._promise(move.pod)) if move.pod in self._of else move for move in moves)

    def benefit(self, proposal: Proposal) -> float:
        """An equal part of what all that leave for the finding bring; rounded up, so that all bring that much."""
        one = self._of[proposal.moves[0].pod][0] if proposal.moves[0].pod in self._of else None
        if one is None:
            return proposal.benefit
        each = (self._after[one] - self._findings[one].value) / int(self._excess[one].sum())
        return math.floor(each * 2**20) / 2**20

    def _promise(self, pod: int) -> AllOf:
        uneven = self._of[pod]
        others = {other for one in uneven for other in self._beside[one] if other not in uneven and other.counted(pod)}
        evens = Evens(tuple(uneven), tuple(sorted(others, key=lambda one: one.topology_key)))
        return AllOf((evens, self._wanted.of(pod)))

    def _chosen(self) -> Positions:
        view, needs = self._view, {one: excess.copy() for one, excess in self._excess.items()}
        every = np.array(sorted(self._of), np.int32)
        last = np.array([_bound(view, pod) - len(self._of[pod]) for pod in every.tolist()], np.int64)
        ordered = first_to_go(view, every, last)
        chosen: list[int] = []
        for pod in ordered[np.argsort(~view.movable[ordered], kind="stable")].tolist():
            wanted = [one for one in self._of[pod] if needs[one][one.domain[one.home[pod]]] > 0]
            for one in wanted:
                needs[one][one.domain[one.home[pod]]] -= 1
            if wanted:
                chosen.append(pod)
        return np.array(chosen, np.int32)

    def _found(self, one: Spread) -> Finding:
        columns, counts = self._view.snapshot.columns, one.counts(self._view.start)
        name = str(columns.workloads[columns.pod_workload[one.members[0]]])
        most, least = (int(one.domains[at(counts[one.domains])]) for at in (np.argmax, np.argmin))
        few = f", {len(one.domains)} of {one.min_domains} domains" if len(one.domains) < one.min_domains else ""
        return Finding(
            strategy=NAME,
            subject=Subject(SubjectKind.WORKLOAD, name),
            measure="pods that the fullest domain has more than the emptiest",
            value=float(one.skew(counts)),
            threshold=float(one.max_skew),
            text=f"{name} has {counts[most]} pods in {one.names[most]} and {counts[least]} in {one.names[least]} by "
            f"{one.topology_key}{few}: {one.max_skew} more are allowed",
            resource=one.topology_key,
        )


def _bound(view: RebalanceView, pod: int) -> int:
    """Whether what the pod's spec says of nodes leaves it less choice than others: those others go before it."""
    spec = view.snapshot.columns.specs[view.snapshot.columns.pod_spec[pod]]
    return bool(spec.node_selector or spec.node_affinity.required or spec.node_affinity.preferred)


def _leaving(spread: Spread, counts: Ints) -> tuple[Ints, int]:
    """[D + 1] how many must leave each domain, one after the other from the fullest to the emptiest, until the skew is
    what is allowed or cannot be less; and that skew."""
    counts, gone = counts.copy(), np.zeros(len(counts), np.int64)
    while (skew := spread.skew(counts)) > spread.max_skew:
        there = counts[spread.domains]
        most, least = int(spread.domains[np.argmax(there)]), int(spread.domains[np.argmin(there)])
        if counts[most] - counts[least] < 2:
            break
        counts[most], counts[least], gone[most] = counts[most] - 1, counts[least] + 1, gone[most] + 1
    return gone, skew
