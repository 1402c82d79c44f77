"""How right findings and forecasts were, held against what each node would have come to, had nobody moved anything.

A finding that is answered spoils what it foretold: the node does not become hot. So a node's future is that of the pods
that stood on it when the plan was made, and what is counted are its bouts of heat: the cycles on end in which it would
have been hot within the horizon.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.backtest.contender import Foreseen
from descheduler.model.arrays import Floats32, Mask


@dataclass(frozen=True, slots=True)
class Forecast:
    """`precision`: share of the findings whose node was to be hot within the horizon. `recall`: share of the bouts of
    heat that were found; `before`: share of those of a node that was cool at first that were found while it was.
    `coverage` by signal: share of the nodes whose highest load within the horizon stayed at or under what was
    forecast. None where there was nothing to be right about."""

    precision: float | None
    recall: float | None
    before: float | None
    coverage: Mapping[str, float]


@dataclass(frozen=True, eq=False, slots=True)
class Future:
    """What the N nodes would come to within the horizon of a plan: which are `hot` [N, H] in each step, and the
    `highest` load [N] by signal."""

    hot: Mask
    highest: Mapping[str, Floats32]


def forecast(foreseen: Sequence[Foreseen], futures: Sequence[Future]) -> Forecast:
    """What was foreseen in each plan, against what then was to come."""
    found = right = 0
    under: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    bouts = _Bouts(len(foreseen[0].found) if foreseen else 0)
    for said, future in zip(foreseen, futures, strict=True):
        will = np.logical_or.reduce(future.hot, axis=1, initial=False)
        now = future.hot[:, 0] if future.hot.shape[1] else np.zeros(len(will), np.bool_)
        found, right = found + int(said.found.sum()), right + int((said.found & will).sum())
        bouts.look(said.found, will, now)
        for signal, level in said.level.items():
            under[signal] += int((future.highest[signal] <= level).sum())
            asked[signal] += len(level)
    bouts.end()
    return Forecast(
        precision=right / found if found else None,
        recall=bouts.found / bouts.all if bouts.all else None,
        before=bouts.early / bouts.onsets if bouts.onsets else None,
        coverage={signal: under[signal] / asked[signal] for signal in asked if asked[signal]},
    )


class _Bouts:
    """The bouts of heat of N nodes, cycle by cycle."""

    def __init__(self, nodes: int) -> None:
        self.all = self.found = self.onsets = self.early = 0
        self._on, self._found, self._early, self._onset, self._hot = (np.zeros(nodes, np.bool_) for _ in range(5))

    def look(self, found: Mask, will: Mask, now: Mask) -> None:
        """`will` [N] be hot within the horizon, `now` [N] in the step that begins: who is found then, and was cool
        until then, is found early."""
        self._count(self._on & ~will)
        begun = will & ~self._on
        self._found[begun] = self._early[begun] = False
        self._onset[begun] = ~self._hot[begun] & ~now[begun]
        self._found |= will & found
        self._early |= will & found & ~self._hot
        self._on, self._hot = will.copy(), now.copy()

    def end(self) -> None:
        """There are no more cycles."""
        self._count(self._on)

    def _count(self, over: Mask) -> None:
        self.all += int(over.sum())
        self.found += int((over & self._found).sum())
        self.onsets += int((over & self._onset).sum())
        self.early += int((over & self._onset & self._early).sum())
