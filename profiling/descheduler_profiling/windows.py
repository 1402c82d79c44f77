"""Means over windows of gapless values, by running sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Ints


def running(values: Floats32) -> NDArray[np.float64]:
    """Cumulative sums [S, T + 1] starting at 0; in double precision, as differences of them are taken."""
    out = np.empty((values.shape[0], values.shape[1] + 1), np.float64)
    out[:, 0], out[:, 1:] = 0, values  # first made doubles: summing what must be converted takes three times as long
    np.cumsum(out, axis=1, out=out)
    return out


def trailing(sums: NDArray[np.float64], width: int) -> Floats32:
    """Mean [S, T] of the last `width` columns (fewer at the start), from `running` sums of gapless values."""
    columns = sums.shape[1] - 1
    out = np.empty((sums.shape[0], columns), np.float32)
    head = min(width, columns)
    out[:, :head] = sums[:, 1 : head + 1] / np.arange(1, head + 1)
    np.divide(sums[:, width + 1 :] - sums[:, 1:-width], width, out=out[:, width:], casting="same_kind")
    return out


def trailing_at(sums: NDArray[np.float64], width: int, at: Ints) -> Floats32:
    """The same at some columns only: [S, N]."""
    start = np.maximum(at + 1 - width, 0)
    mean = (sums.take(at + 1, axis=1) - sums.take(start, axis=1)) / (at + 1 - start)
    return np.asarray(mean, np.float32)


def centred(values: Floats32, width: int) -> Floats32:
    """Centred mean over `width` columns (one more where that is even) of gapless values [S, T], narrower at the ends.

    Summed in single precision column by column: exact enough for so few, and several times faster than running sums.
    """
    half, columns = width // 2, values.shape[1]
    if half == 0 or columns == 0:
        return values
    out = values.copy()
    for shift in range(1, min(half, columns - 1) + 1):
        out[:, shift:] += values[:, :-shift]
        out[:, :-shift] += values[:, shift:]
    at = np.arange(columns)
    out /= (np.minimum(at, half) + np.minimum(columns - 1 - at, half) + 1).astype(np.float32)
    return out
