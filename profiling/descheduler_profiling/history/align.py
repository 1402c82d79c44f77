"""Series on one clock: a matrix with NaN where nothing trustworthy was measured, and a count of what was thrown away.

Absent is not zero, and neither is impossible: negative usage (a counter that was reset inside a hand-written query),
infinities, values above the signal's ceiling and samples off the clock become gaps, and are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.prometheus.wire import Series
from descheduler_profiling.history.signals import Conversion

_ON_CLOCK = 1.0  # seconds by which a sample may miss its column
_LARGEST = 1e30  # what float32 sums still hold
_MIB = 1 << 20
_NOISE = 1e-9  # below zero by rounding, not by a reset


@dataclass(frozen=True, slots=True)
class Oddities:
    """How many samples were dropped, and why; `conflicts`: two values of a series at one time (the later is kept)."""

    not_finite: int = 0
    negative: int = 0
    absurd: int = 0
    off_clock: int = 0
    outside: int = 0
    conflicts: int = 0

    def __add__(self, other: Oddities) -> Oddities:
        return Oddities(
            self.not_finite + other.not_finite,
            self.negative + other.negative,
            self.absurd + other.absurd,
            self.off_clock + other.off_clock,
            self.outside + other.outside,
            self.conflicts + other.conflicts,
        )

    @property
    def total(self) -> int:
        return self.not_finite + self.negative + self.absurd + self.off_clock + self.outside + self.conflicts


def to_matrix(series: Sequence[Series], grid: Grid, ceiling: float = np.inf) -> tuple[Floats32, Oddities]:
    """Values [S, T] of the series, in their order, on the grid's columns."""
    matrix = np.full((len(series), grid.count), np.nan, np.float32)
    if not series or not grid.count:
        return matrix, Oddities(outside=sum(one.times.size for one in series))
    rows = np.repeat(np.arange(len(series)), [one.times.size for one in series])
    times = np.concatenate([one.times for one in series])
    values = np.concatenate([one.values for one in series])
    placed = np.isfinite(times) & (np.abs(times) < 1e15)
    columns = np.rint((np.where(placed, times, 0.0) - grid.start) / grid.step)
    inside = placed & (columns >= 0) & (columns < grid.count)
    on_clock = np.abs(times - (grid.start + columns * grid.step)) <= _ON_CLOCK
    finite = np.isfinite(values)
    negative = finite & (values < -_NOISE)
    absurd = finite & (values > min(ceiling, _LARGEST))
    good = inside & on_clock & finite & ~negative & ~absurd
    at_row, at_column = rows[good], columns[good].astype(np.intp)
    kept = np.maximum(values[good], 0.0).astype(np.float32)
    matrix[at_row, at_column] = kept
    return matrix, Oddities(
        not_finite=int(np.count_nonzero(inside & on_clock & ~finite)),
        negative=int(np.count_nonzero(inside & on_clock & negative)),
        absurd=int(np.count_nonzero(inside & on_clock & absurd)),
        off_clock=int(np.count_nonzero(inside & ~on_clock)),
        outside=int(np.count_nonzero(~inside)),
        conflicts=int(np.count_nonzero(matrix[at_row, at_column] != kept)),
    )


def unit_factors(values: Floats32, conversion: Conversion, block: int = 288) -> NDArray[np.float32]:
    """By what each value [S, T] must be multiplied, judged by the numbers of its own series: what a query of the
    policy's own returns may be of several exporters.

    `ratio`: a series is of percent in a block of columns where most of what is not 0 is more than 1.5. One that cannot
    be told is taken for fractions, the larger of the two. `mebibytes`: no GPU has 1 TiB, so a larger number of "MiB"
    counts bytes; and nobody who counts bytes has less than one MiB but 0.
    """
    factors = np.ones(values.shape, np.float32)
    if conversion == "mebibytes":
        factors[~(values >= _MIB)] = _MIB
    elif conversion == "ratio":
        columns = values.shape[1]
        for first in range(0, columns, block):
            part = values[:, max(0, min(first, columns - block)) : first + block]
            percent = (part > 1.5).sum(axis=1) * 2 > (part > 0).sum(axis=1)
            factors[percent, first : first + block] = 0.01
    return factors
