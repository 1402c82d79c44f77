"""Raw values made fit for arithmetic: what cannot be usage becomes a gap, never a zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32


@dataclass(frozen=True, slots=True)
class Cleaned:
    """`values` [S, T] with every unusable sample as NaN; `dropped` [S] counts them; `measured` [S] what is left."""

    values: Floats32
    dropped: NDArray[np.int64]
    measured: NDArray[np.int64]


def clean(values: Floats32, absurd: float, spike: float = 1000.0) -> Cleaned:
    """Values [S, T], in the unit of their signal, in which negative, infinite and absurd samples become gaps.

    Absurd is more than `absurd`, or more than `spike` times the 99th percentile of the row and alone (fewer than one
    sample in a thousand): the mark of a counter reset read as an increase, not of load.
    """
    columns = values.shape[1]
    out = values.astype(np.float32, copy=False)
    measured, dropped = np.full(len(values), columns, np.int64), np.zeros(len(values), np.int64)
    doubtful = _doubtful(values, absurd)
    if doubtful.size:
        out = out.copy()
        some = values[doubtful]
        with np.errstate(invalid="ignore"):
            usable = np.isfinite(some) & (some >= 0) & (some <= absurd)
        out[doubtful] = np.where(usable, some, np.float32(np.nan))
        measured[doubtful] = usable.sum(axis=1)
        dropped[doubtful] = columns - np.isnan(some).sum(axis=1) - measured[doubtful]
    high = _beyond(out, doubtful, spike)
    if high is not None:
        out = np.where(high, np.float32(np.nan), out)
        measured -= high.sum(axis=1)
        dropped += high.sum(axis=1)
    return Cleaned(out, dropped, measured)


def _doubtful(values: Floats32, absurd: float) -> NDArray[np.int64]:
    """Rows that hold anything but usable samples: few, and all others are taken as they are."""
    if values.shape[1] == 0:
        return np.empty(0, np.int64)
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(~((values.min(axis=1) >= 0) & (values.max(axis=1) <= absurd)))


def _beyond(values: Floats32, torn: NDArray[np.int64], spike: float) -> NDArray[np.bool_] | None:
    """Mask [S, T] of lone absurd samples, or None when no row has any; `torn` rows may have gaps."""
    if values.shape[1] < 100:
        return None
    filled = values
    if torn.size:
        filled = values.copy()
        filled[torn] = np.where(np.isnan(filled[torn]), np.float32(0), filled[torn])
    top = filled.max(axis=1)
    mean = filled.mean(axis=1)
    # A lone spike of 1,000 times the rest pulls the mean to at least its share of the columns.
    suspects = np.flatnonzero((top > spike * 0.5 * np.maximum(mean - top / values.shape[1], 0)) & (top > 0))
    if suspects.size == 0:
        return None
    mask = np.zeros(values.shape, dtype=np.bool_)
    level = np.nanquantile(values[suspects], 0.99, axis=1)
    rare = values[suspects] > (spike * level)[:, None]
    rare &= (level > 0)[:, None] & (rare.mean(axis=1) < 0.001)[:, None]
    mask[suspects] = rare
    return mask if rare.any() else None
