"""Knapsack cover: the cheapest of some things that together amount to enough."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints

STEPS = 2000
"""Nodes of the search tree before the best so far is taken."""


@dataclass(frozen=True, slots=True)
class Cover:
    """`chosen` positions; no cover weighs less than `least`."""

    chosen: tuple[int, ...]
    weight: float
    least: float


def cover(weight: NDArray[np.float64], amounts: Ints, deficit: Ints) -> Cover | None:
    """The cheapest of B things (`weight` [B], `amounts` [B, R]) that cover `deficit` [R]; None when all do not."""
    short = np.flatnonzero(deficit > 0)
    if not len(short):
        return Cover((), 0.0, 0.0)
    amounts, deficit = amounts[:, short], deficit[short]
    if (amounts.sum(axis=0) < deficit).any():
        return None
    return _Search(weight, amounts, deficit).run()


class _Search:
    """Branch and bound, things in order of how much they cover per weight."""

    def __init__(self, weight: NDArray[np.float64], amounts: Ints, deficit: Ints) -> None:
        useful = np.flatnonzero((amounts > 0).any(axis=1))
        scale = np.minimum(amounts[useful], deficit) / deficit
        order = useful[np.lexsort((useful, -scale.sum(axis=1) / np.maximum(weight[useful], 1e-9)))]
        self.order = order.tolist()
        self.weight = weight[order]
        self.amounts = amounts[order]
        self.suffix = np.concatenate([np.cumsum(self.amounts[::-1], axis=0)[::-1], np.zeros((1, amounts.shape[1]))])
        self.deficit = deficit.astype(np.int64)
        self.after = _next_other(self.amounts)
        self.single = _Fractions(self.amounts[:, 0], self.weight) if len(deficit) == 1 else None
        self.best: tuple[float, float, tuple[int, ...]] | None = None
        self.steps = 0

    def run(self) -> Cover:
        root = self._floor(0, self.deficit)
        self._walk(0, self.deficit, 0.0, ())
        assert self.best is not None
        weight, _, chosen = self.best
        least = weight if self.steps <= STEPS else min(root, weight)
        return Cover(tuple(sorted(self.order[i] for i in chosen)), weight, least)

    def _floor(self, at: int, deficit: Ints) -> float:
        """What the rest weighs at least: per resource, fractions of the things that cover it most cheaply."""
        if self.single is not None:
            return self.single.floor(at, int(deficit[0]))
        floor = 0.0
        for r in np.flatnonzero(deficit > 0).tolist():
            gives = np.minimum(self.amounts[at:, r], deficit[r])
            able = np.flatnonzero(gives > 0)
            order = able[np.argsort(self.weight[at:][able] / gives[able], kind="stable")]
            total = np.cumsum(gives[order])
            last = int(np.searchsorted(total, deficit[r]))
            if last == len(order):
                return np.inf
            before = float(total[last - 1]) if last else 0.0
            weights = self.weight[at:][order]
            part = (
                float(weights[:last].sum()) + float(weights[last]) * (float(deficit[r]) - before) / gives[order[last]]
            )
            floor = max(floor, part)
        return floor

    def _walk(self, at: int, deficit: Ints, weight: float, chosen: tuple[int, ...]) -> None:
        if (deficit <= 0).all():
            key = (weight, float(-deficit.sum()), chosen)
            if self.best is None or key[0] < self.best[0] - 1e-9 or (key[0] < self.best[0] + 1e-9 and key < self.best):
                self.best = key
            return
        self.steps += 1
        if at == len(self.order) or (self.suffix[at] < deficit).any() or (self.steps > STEPS and self.best is not None):
            return
        if self.best is not None and weight + self._floor(at, deficit) > self.best[0] + 1e-9:
            return
        self._walk(at + 1, deficit - self.amounts[at], weight + float(self.weight[at]), (*chosen, at))
        # Whoever leaves this thing need not look at others that cover the same: none of them weighs less.
        self._walk(self.after[at], deficit, weight, chosen)


class _Fractions:
    """Lower bounds for one resource: things are in order of what they cover per weight, so fractions are prefixes.

    What a thing covers beyond the deficit at the root counts too, which can only lower the bound.
    """

    def __init__(self, amounts: Ints, weight: NDArray[np.float64]) -> None:
        order = np.argsort(-amounts / np.maximum(weight, 1e-9), kind="stable")
        self._sorted = bool((order == np.arange(len(order))).all())
        self._amounts = [0, *np.cumsum(amounts).tolist()]
        self._weights = [0.0, *np.cumsum(weight).tolist()]
        self._best = [float(x) for x in np.minimum.accumulate((weight / np.maximum(amounts, 1))[::-1])[::-1]]

    def floor(self, at: int, deficit: int) -> float:
        """What covering the deficit with the things from `at` on weighs at least."""
        if at >= len(self._best):
            return np.inf
        if not self._sorted:
            return float(deficit * self._best[at])
        wanted = self._amounts[at] + deficit
        last = bisect_left(self._amounts, wanted, at + 1)
        if last == len(self._amounts):
            return np.inf
        share = (wanted - self._amounts[last - 1]) / (self._amounts[last] - self._amounts[last - 1])
        more = self._weights[last] - self._weights[last - 1]
        return float(self._weights[last - 1] - self._weights[at] + share * more)


def _next_other(amounts: Ints) -> list[int]:
    """For each thing the next one that covers something else, in the order given."""
    size = len(amounts)
    out = list(range(1, size + 1))
    for i in range(size - 2, -1, -1):
        if (amounts[i] == amounts[i + 1]).all():
            out[i] = out[i + 1]
    return out
