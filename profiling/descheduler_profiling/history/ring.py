"""The kept history of one signal: a window that moves with time, and which of its columns were really read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Mask
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.grid import Grid, runs
from descheduler_profiling.history.serial import coarse

_NEWEST = 16  # columns in which nearly everybody who was ever measured is
_BLOCK = 1024  # rows that are rounded at once: a fleet's whole matrix would be copied several times


@dataclass(slots=True)
class Ring:
    """`values` [S, T] as the server gives them, a row for each key; `read` [T] marks the columns that were read whole.

    A column that was not read is a hole, also when parts of it are there. `query` is the text that answered.
    """

    grid: Grid
    keys: list[WorkloadKey]
    values: Floats32
    read: Mask
    query: str = ""
    weighed: int = 0  # the last column when the query was last held against what others measure
    heard: float = 0.0  # share of the pods, as it was then, that it measures
    _rows: dict[WorkloadKey, int] = field(default_factory=dict)
    _rounded: int = 0  # columns, the first, that are as `settle` left them

    def __post_init__(self) -> None:
        self._rows = {key: row for row, key in enumerate(self.keys)}

    @classmethod
    def empty(cls, grid: Grid, query: str = "") -> Ring:
        return cls(grid, [], np.empty((0, grid.count), np.float32), np.zeros(grid.count, np.bool_), query)

    def moved_to(self, grid: Grid) -> Ring:
        """The same history on another window of the same step; workloads that have nothing left in it are dropped."""
        shared = self.grid.within(grid) if grid.step == self.grid.step else Grid(grid.start, grid.step, 0)
        if not shared.count:
            return Ring.empty(grid, self.query)
        old, new = self.grid.column(shared.start), grid.column(shared.start)
        kept = self.values[: len(self.keys), old : old + shared.count]
        alive = np.flatnonzero(_measured(kept))
        values = np.empty((alive.size, grid.count), np.float32)
        values[:, :new] = np.nan
        values[:, new : new + shared.count] = kept if alive.size == len(kept) else kept[alive]
        values[:, new + shared.count :] = np.nan
        read = np.zeros(grid.count, np.bool_)
        read[new : new + shared.count] = self.read[old : old + shared.count]
        keys = [self.keys[row] for row in alive]
        rounded = 0 if self.values.flags.writeable else new + shared.count
        return Ring(grid, keys, values, read, self.query, self.weighed, self.heard, _rounded=rounded)

    def write(self, part: Grid, keys: Sequence[WorkloadKey], values: Floats32, *, whole: bool) -> None:
        """Lay `values` [len(keys), part.count] over the columns of `part`.

        Whole columns replace what was there: a workload that is not in them was not there. Parts only add.
        """
        rows = self._rows_of(keys)
        first = self.grid.column(part.start)
        self._rounded = min(self._rounded, first)
        columns = slice(first, first + part.count)
        if whole:
            self.values[:, columns] = np.nan
            self.values[rows, columns] = values
            self.read[columns] = True
        else:
            self.values[rows, columns] = np.where(np.isfinite(values), values, self.values[rows, columns])

    def ever_used(self, keys: Sequence[WorkloadKey]) -> Mask:
        """[K] whether anything but 0 is known of each key."""
        rows = np.array([self._rows.get(key, -1) for key in keys], np.intp)
        used = np.append((self.values[: len(self.keys)] > 0).any(axis=1), False)
        found: Mask = used[rows]
        return found

    def leave_out(self, keys: Sequence[WorkloadKey], idle: NDArray[np.int32], replicas: NDArray[np.int32]) -> None:
        """Take replicas that were counted as 0 out of the means: `idle` [K, T] of the `replicas` [K, T] of each key."""
        for at, key in enumerate(keys):
            row = self._rows.get(key, -1)
            touched = np.flatnonzero(idle[at])
            if row >= 0 and touched.size:
                left = (replicas[at] - idle[at])[touched]
                self._rounded = min(self._rounded, int(touched[0]))
                mean = self.values[row, touched] * replicas[at, touched] / np.maximum(left, 1)
                self.values[row, touched] = np.where(left > 0, mean, np.nan)

    def unread(self, columns: int) -> list[Grid]:
        """The holes among the first `columns` columns, oldest first."""
        return runs((int(c) for c in np.flatnonzero(~self.read[:columns])), self.grid)

    def settle(self) -> None:
        """Sort the rows by key, drop those without a value, round as recordings do, and let nobody change them.

        What is read from here on may share the memory: the next window is a copy (`moved_to`).
        """
        there = _measured(self.values[: len(self.keys)])
        order = sorted((int(row) for row in np.flatnonzero(there)), key=self.keys.__getitem__)
        in_place = self.values.flags.writeable and order == list(range(len(self.values)))
        settled = self.values if in_place else self.values[order]
        for first in range(0, len(order), _BLOCK):
            _round(settled[first : first + _BLOCK], self._rounded)
        settled.flags.writeable = False
        self.keys = [self.keys[row] for row in order]
        self.values = settled
        self.__post_init__()

    def _rows_of(self, keys: Iterable[WorkloadKey]) -> NDArray[np.intp]:
        found = []
        for key in keys:
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = len(self.keys)
                self.keys.append(key)
            found.append(row)
        if len(self.keys) > self.values.shape[0]:
            room = max(len(self.keys), 2 * self.values.shape[0])
            grown = np.full((room, self.grid.count), np.nan, np.float32)
            grown[: self.values.shape[0]] = self.values
            self.values = grown
        return np.array(found, np.intp)


def _round(values: Floats32, known: int) -> None:
    """Round rows [S, T], of which the first `known` columns are rounded, in place."""
    before = np.fmax.reduce(values[:, :known], axis=1, initial=0.0)
    newer = values[:, known:]
    grown = np.fmax.reduce(newer, axis=1, initial=0.0) > before  # beside more, other values are tiny
    values[grown] = coarse(values[grown])
    newer[~grown] = coarse(newer[~grown], before[~grown])


def _measured(values: Floats32) -> Mask:
    """[S] whether anything is known of each row [S, T]."""
    out = np.asarray(np.isfinite(values[:, -_NEWEST:]).any(axis=1), np.bool_)
    others = np.flatnonzero(~out)
    out[others] = np.isfinite(values[others]).any(axis=1)
    return out
