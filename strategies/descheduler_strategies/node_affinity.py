"""RemovePodsViolatingNodeAffinity: pods whose node is not, or not any more, the one that their node affinity asks for.

What is required of a node is asked when a pod is scheduled, and never again though the node's labels change. What is
preferred may have had no room then, and have it now: a pod goes only where it is expected on a node of more weight than
its own, so that nothing comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.model.moves import Among, Move, Observation, Proposal
from descheduler_strategies.promises import AllOf, NoLessWanted
from descheduler_strategies.selection import SelectedArgs, selected
from descheduler_strategies.sorting import first_to_go
from descheduler_strategies.violations import answered, findings, nodes_of, standing

NAME = "RemovePodsViolatingNodeAffinity"
REQUIRED_TYPE = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED_TYPE = "preferredDuringSchedulingIgnoredDuringExecution"
NodeAffinityType = Literal[
    "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
]


class NodeAffinityArgs(SelectedArgs):
    """Move pods to nodes that their node affinity asks for."""

    node_affinity_type: tuple[NodeAffinityType, ...] = Field(min_length=1, examples=[[REQUIRED_TYPE]])
    """What is looked at: `requiredDuringSchedulingIgnoredDuringExecution`,
    `preferredDuringSchedulingIgnoredDuringExecution`, or both."""


class RemovePodsViolatingNodeAffinity:
    name: ClassVar[str] = NAME
    order: ClassVar[int] = 10
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = NodeAffinityArgs

    def propose(self, view: RebalanceView, args: NodeAffinityArgs) -> Iterator[Proposal | Observation]:
        pods = np.flatnonzero(standing(view) & selected(view, args)).astype(np.int32)
        required = np.zeros(len(pods), np.bool_)
        if REQUIRED_TYPE in args.node_affinity_type:
            required = _misplaced(view, pods)
            yield from _required(view, pods[required])
        if PREFERRED_TYPE in args.node_affinity_type:
            yield from _preferred(view, pods[~required])


def _required(view: RebalanceView, pods: Positions) -> Iterator[Proposal | Observation]:
    """Wherever a scheduler puts them now is right."""
    broken = first_to_go(view, pods)

    def say(who: str, mine: Positions) -> str:
        return f"{nodes_of(view, mine)} is not selected by the node selector and required affinity of {who}"

    about = findings(view, broken, NAME, "pods on nodes that they could not be scheduled on for their labels", say)
    yield from answered(view, NAME, broken, about)


def _preferred(view: RebalanceView, pods: Positions) -> Iterator[Proposal | Observation]:
    wishes = _Wishes(view)
    broken = first_to_go(view, pods[wishes.unmet(pods)])

    def say(who: str, mine: Positions) -> str:
        return f"other nodes than {nodes_of(view, mine)} are preferred by the node affinity of {who}"

    measure = "pods that prefer other nodes by their node affinity"
    about = findings(view, broken, NAME, measure, say, PREFERRED_TYPE)
    yield from answered(view, NAME, broken, about, wishes.cure)


def _misplaced(view: RebalanceView, pods: Positions) -> Mask:
    """[K] which of the pods are on a node that they could not be scheduled on for its labels; asked for each spec."""
    columns = view.snapshot.columns
    out = np.zeros(len(pods), np.bool_)
    of = columns.pod_spec[pods]
    for spec in np.unique(of).tolist():
        one = columns.specs[spec]
        if one.node_selector or one.node_affinity.required is not None:
            mine = of == spec
            out[mine] = ~view.start.affine(one)[columns.pod_node[pods[mine]]]
    return out


class _Wishes:
    """What pods, as they will be made again, prefer of nodes."""

    def __init__(self, view: RebalanceView) -> None:
        self._view = view
        self._open = view.destinations()
        self._wanted = NoLessWanted(view)
        self._weights = cache(self._weights_of)
        self._better = cache(self._better_than)

    def unmet(self, pods: Positions) -> Mask:
        """[K] which of the pods could ever be on a node that they prefer to theirs."""
        columns = self._view.snapshot.columns
        wishing = np.array([bool(spec.node_affinity.preferred) for spec in columns.specs], np.bool_)
        out = wishing[columns.pod_remade[pods]]
        out[out] = [self.better(pod) is not None for pod in pods[out].tolist()]
        return out

    def cure(self, moves: tuple[Move, ...]) -> tuple[Move, ...]:
        """Whoever of a unit prefers other nodes must come to one of these."""
        better = [(move, self.better(move.pod)) for move in moves]
        return tuple(
            replace(move, promise=AllOf((nodes, self._wanted.by_taints(move.pod)))) if nodes else move
            for move, nodes in better
        )

    def better(self, pod: int) -> Among | None:
        """Nodes that the pod prefers to its own and that could ever take it; None where there is none."""
        columns = self._view.snapshot.columns
        spec = int(columns.pod_remade[pod])
        nodes = self._better(spec, int(self._weights(spec)[columns.pod_node[pod]]))
        if nodes is None or not self._view.snapshot.pods[pod].claims:
            return nodes
        return _some(nodes.mask & self._view.start.possible(pod))

    def _weights_of(self, spec: int) -> Ints:
        """[N] for a spec, by its position."""
        return self._view.start.preferences(self._view.snapshot.columns.specs[spec])

    def _better_than(self, spec: int, weight: int) -> Among | None:
        able = self._view.start.schedulable(self._view.snapshot.columns.specs[spec])
        return _some(self._open & able & (self._weights(spec) > weight))


def _some(nodes: Mask) -> Among | None:
    return Among(nodes) if nodes.any() else None
