"""Rows in units of their own size, so that bytes and thousandths of a core are computed with alike.

A size is a power of two: dividing by it loses no digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler_profiling.layout import Layout

IN_UNITS = ("levels", "peaks", "scales", "losses", "season", "offset", "rise")
"""Columns of a row that have the unit of its values."""


def sizes_of(values: Floats32) -> Floats32:
    """The power of two [S] just above the largest of each row [S, T], NaN left out; 1 where there is none."""
    largest = np.fmax.reduce(np.abs(values), axis=1, initial=np.float32(0))
    _, exponent = np.frexp(np.where(largest > 0, largest, np.float32(0.5)))
    # Near the ends of single precision the reciprocal would be none.
    return np.asarray(np.ldexp(np.float32(1), np.clip(exponent, -100, 100)), np.float32)


def in_units(rows: Mapping[str, NDArray[Any]], sizes: Floats32, plan: Layout) -> dict[str, NDArray[Any]]:
    """Columns that were computed in `sizes` [S], in the unit of the signal again; changed in place."""
    for name in IN_UNITS:
        part = rows[name]
        part *= sizes.reshape(-1, *[1] * (part.ndim - 1))
    vectors = rows["vectors"]
    vectors *= sizes[:, None]
    vectors[:, plan.excess :] *= sizes[:, None]  # squares
    return dict(rows)
