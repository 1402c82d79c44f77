"""RemovePodsViolatingNodeTaints: pods on nodes whose taints they do not tolerate.

A taint that comes with NoSchedule keeps new pods away and lets those that are there stay. They go where they may be.
NoExecute is not looked at: the node lifecycle controller evicts for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import ClassVar, Self

import numpy as np
from pydantic import model_validator

from descheduler.contract import RebalanceView, StrategyArgs, tolerates
from descheduler.contract.naming import TaintName
from descheduler.model.arrays import Mask, Positions
from descheduler.model.moves import Among, Move, Observation, Proposal
from descheduler.model.nodes import VACATING, Taint
from descheduler.model.pods import Toleration
from descheduler_strategies.selection import SelectedArgs, selected
from descheduler_strategies.sorting import first_to_go
from descheduler_strategies.violations import answered, findings, named, nodes_of, standing

NAME = "RemovePodsViolatingNodeTaints"
MEASURE = "pods that do not tolerate a taint of their node"


class NodeTaintsArgs(SelectedArgs):
    """Move pods away from nodes with taints that they do not tolerate."""

    excluded_taints: tuple[TaintName, ...] = ()
    """Taints that are not looked at, each by `key` or `key=value`."""
    included_taints: tuple[TaintName, ...] | None = None
    """The only taints that are looked at; all when left out."""
    include_prefer_no_schedule: bool = False
    """Look at taints with the effect PreferNoSchedule too."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.excluded_taints and self.included_taints:
            raise ValueError("give one of includedTaints and excludedTaints")
        return self

    def counts(self, taint: Taint) -> bool:
        """Whether a taint is looked at."""
        effects = ("NoSchedule", "PreferNoSchedule") if self.include_prefer_no_schedule else ("NoSchedule",)
        if taint.effect not in effects or taint == VACATING or _listed(taint, self.excluded_taints):
            return False
        return self.included_taints is None or _listed(taint, self.included_taints)


def _listed(taint: Taint, names: tuple[str, ...]) -> bool:
    return taint.key in names or (taint.value != "" and f"{taint.key}={taint.value}" in names)


class RemovePodsViolatingNodeTaints:
    name: ClassVar[str] = NAME
    order: ClassVar[int] = 10
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = NodeTaintsArgs

    def propose(self, view: RebalanceView, args: NodeTaintsArgs) -> Iterator[Proposal | Observation]:
        rules = _Taints(view, args)
        pods = np.flatnonzero(standing(view) & selected(view, args)).astype(np.int32)
        broken = first_to_go(view, pods[rules.broken_by(pods)])
        about = findings(view, broken, self.name, MEASURE, rules.say)
        yield from answered(view, self.name, broken, about, rules.cure)


class _Taints:
    """The taints that count, and who tolerates them."""

    def __init__(self, view: RebalanceView, args: NodeTaintsArgs) -> None:
        self._view = view
        self._soft = args.include_prefer_no_schedule
        self._of = [tuple(filter(args.counts, node.taints)) for node in view.snapshot.nodes]  # [N]
        self._not_tolerated = cache(_not_tolerated)
        self._free_for = cache(self._free)

    def broken_by(self, pods: Positions) -> Mask:
        """[K] which of the pods stand on a node with a taint that counts and that they do not tolerate."""
        columns = self._view.snapshot.columns
        sets = {taints: row for row, taints in enumerate(dict.fromkeys(self._of))}
        kind = np.array([sets[taints] for taints in self._of], np.int64)[columns.pod_node[pods]]
        pairs, rows = np.unique(columns.pod_spec[pods].astype(np.int64) * len(sets) + kind, return_inverse=True)
        every = tuple(sets)
        refused = [
            bool(self._not_tolerated(columns.specs[pair // len(sets)].tolerations, every[pair % len(sets)]))
            for pair in pairs.tolist()
        ]
        broken: Mask = np.array(refused, np.bool_)[rows.reshape(-1)] if refused else np.zeros(0, np.bool_)
        return broken

    def say(self, who: str, pods: Positions) -> str:
        """Of pods [K]."""
        columns = self._view.snapshot.columns
        looks = np.unique(np.stack((columns.pod_spec[pods], columns.pod_node[pods])), axis=1).T.tolist()
        taints = {
            t for spec, node in looks for t in self._not_tolerated(columns.specs[spec].tolerations, self._of[node])
        }
        return f"{named(map(_text, taints))} of {nodes_of(self._view, pods)} is not tolerated by {who}"

    def cure(self, moves: tuple[Move, ...]) -> tuple[Move, ...]:
        """A scheduler avoids what forbids by itself. What it only would rather avoid it may choose again: that is
        promised then."""
        if not self._soft:
            return moves
        columns = self._view.snapshot.columns
        specs = [columns.specs[columns.pod_remade[move.pod]] for move in moves]
        free = [self._free_for(spec.tolerations) for spec in specs]
        return tuple(replace(move, promise=among) for move, among in zip(moves, free, strict=True))

    def _free(self, tolerations: tuple[Toleration, ...]) -> Among:
        """Nodes without a taint that counts and that is not tolerated."""
        return Among(np.array([not self._not_tolerated(tolerations, taints) for taints in self._of], np.bool_))


def _not_tolerated(tolerations: tuple[Toleration, ...], taints: tuple[Taint, ...]) -> tuple[Taint, ...]:
    return tuple(taint for taint in taints if not any(tolerates(one, taint) for one in tolerations))


def _text(taint: Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"
