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
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(values) & (values >= 0) & (values <= absurd)
    out = np.where(usable, values, np.float32(np.nan)).astype(np.float32, copy=False)
    high = _beyond(out, spike)
    if high is not None:
        out[high] = np.nan
        usable &= ~high
    measured = usable.sum(axis=1)
    dropped = np.isfinite(values).sum(axis=1) + np.isinf(values).sum(axis=1) - measured
    return Cleaned(out, dropped.astype(np.int64), measured.astype(np.int64))


def _beyond(values: Floats32, spike: float) -> NDArray[np.bool_] | None:
    """Mask [S, T] of lone absurd samples, or None when no row has any."""
    if values.shape[1] < 100:
        return None
    filled = np.where(np.isnan(values), np.float32(0), values)
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
