"""Does the server say the same of the last hour as it said a cycle ago?

A server that answers in good order may still be wrong for a while: a store gateway that has not loaded its blocks, a
tenant header that was lost, a clock that was set. What it said of a time that is past should not change afterwards;
where it does, either answer may be the wrong one.
"""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Floats32, Mask
from descheduler_profiling.history.ring import Ring

LATE_COLUMNS = 3  # the newest ones, whose samples may still arrive
_NEAR = 0.1  # of the larger value; what is kept is rounded
_TINY = 1e-6
_SHARE = 0.25  # of all values: a few workloads may go by another name when their pods are gone


class EarlierAnswer:
    """What `ring` holds of its last `columns` columns now, to be compared with what it will hold."""

    def __init__(self, ring: Ring, columns: int) -> None:
        first, last = ring.grid.count - columns, max(0, ring.grid.count - LATE_COLUMNS)
        self._part = slice(first, max(first, last))
        self._read: Mask = ring.read[self._part].copy()  # [C]
        self._values: Floats32 = ring.values[: len(ring.keys), self._part].copy()  # [S, C]

    def differs(self, ring: Ring) -> bool:
        """Whether a quarter of the values is another by now, or is there where none was, or the other way round.

        `ring` is the same one: it may have got rows, and has none where others were.
        """
        after = ring.values[: len(ring.keys), self._part]
        before = np.full(after.shape, np.nan, np.float32)
        before[: self._values.shape[0]] = self._values
        before, after = before[:, self._read], after[:, self._read]
        was, there = np.isfinite(before), np.isfinite(after)
        both = was & there
        apart = np.abs(np.where(both, before - after, 0.0)) > _TINY + _NEAR * np.where(
            both, np.maximum(np.abs(before), np.abs(after)), 0.0
        )
        measured = int(np.count_nonzero(was | there))
        return measured > 0 and int(np.count_nonzero((was != there) | apart)) > _SHARE * measured
