"""A history as it was known at an earlier time, for those who ask what would have been planned then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from descheduler.model.arrays import Mask
from descheduler_profiling.history.grid import LAG, Grid, window
from descheduler_profiling.series import NO_STRAIN, History


def as_of(history: History, now: float, window_seconds: int) -> History:
    """The columns of the window that could be read at `now` (unix seconds), and nothing that was learnt later.

    Rows of which nothing had been measured by then are left out, and what is known of single pods is what remains of
    their own columns. `replicas` stay: they are those of the pods that are looked at, wherever these come from.
    """
    columns = history.values.shape[1]
    whole = Grid(history.start, history.step, columns)
    known = window(now, window_seconds, history.step, LAG).within(whole)
    first = whole.column(known.start) if known.count else 0
    values = history.values[:, first : first + known.count]
    later = columns - first - known.count
    past = replace(history, start=whole.part(first, 0).start, values=values)
    if not later:
        return past
    measured: Mask = np.asarray(np.isfinite(values).any(axis=1))
    kept = max(0, history.recent.shape[1] - later)
    return replace(
        past,
        keys=tuple(key for key, there in zip(history.keys, measured.tolist(), strict=True) if there),
        values=values if measured.all() else values[measured],
        replicas=history.replicas[measured],
        pod_level={},
        pods=history.pods if kept else (),
        recent=history.recent[:, :kept] if kept else np.empty((0, 0), np.float32),
        standing_still=(),
        strain=NO_STRAIN,
    )
