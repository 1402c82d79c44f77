"""The arrays of the program, each kind by one name; docstrings say the shapes, N nodes and P pods above all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
"""Forecasts and histories: half the memory, and more digits than any measurement has."""
Floats16 = NDArray[np.float16]
"""What is kept of long series."""
Ints = NDArray[np.int64]
"""Amounts of resources in the unit of `quantity.amount`, counts, and sets as bits."""
Ints32 = NDArray[np.int32]
"""Thousandths of devices, codes."""
Positions = NDArray[np.int32]
"""Positions of nodes or pods in a snapshot."""
Indices = NDArray[np.intp]
"""What numpy itself answers when asked where (`flatnonzero`, `argsort`)."""


_FULL = 2.0**62


def added_up(count: int, at: Positions, rows: Ints) -> Ints:
    """[count, R] the rows [K, R] by their place `at` [K], added up. Exact up to 2^53; what is beyond 2^62 stays there.

    Amounts are bounded, but not how many of them there are, and a sum that turns negative would be room.
    """
    out = np.zeros((count, rows.shape[1]), np.float64)
    np.add.at(out, at, rows)
    return np.minimum(out, _FULL).astype(np.int64)
