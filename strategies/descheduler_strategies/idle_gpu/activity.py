"""What the GPUs of each pod did lately, from measured history: how busy at most, and since when not at all.

History knows means: over the GPUs of a pod, and, but for the last hour of single pods, over the replicas of a workload.
A mean times the number of what it is taken over bounds each of them from above: when the bound is idle, all are. That
holds only if every replica is in the mean; what was not measured is not known, never idle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats32, Indices, Mask
from descheduler_profiling.series import History


@dataclass(frozen=True, eq=False, slots=True)
class Activity:
    """A signal of K pods over its last T steps: no GPU of the pod was above `values` [K, T]; NaN: not measured.

    They are means times `over` [K], the number of GPUs that the mean was taken over. `last` [K] is the column of the
    whole history in which the pod was last above the threshold, -1 for never, and `end` the time of the newest column.
    """

    values: Floats32
    over: NDArray[np.int64]
    last: Indices
    start: int
    step: int
    end: int

    def since(self) -> NDArray[np.float64]:
        """[K] unix seconds from which on the pod was idle, as far as history reaches."""
        return self.start + self.last.astype(np.float64) * self.step


def activity(
    view: RebalanceView, history: History, pods: Indices, each: NDArray[np.int64], steps: int, threshold: float
) -> Activity:
    """The last `steps` steps of each of the K pods, whose values are means over `each` [K].

    `threshold` is what counts as busy for `Activity.last`.
    """
    total = history.values.shape[1]
    steps = min(steps, total)
    rows, replicas = _rows(view, history, pods)
    known = rows >= 0
    over = np.where(known, replicas, 1) * each
    values = np.full((len(pods), steps), np.nan, np.float32)
    values[known] = history.values[rows[known], total - steps :] * over[known, None].astype(np.float32)
    last = np.full(len(pods), total - 1, np.intp)  # not known to have been idle at all
    if known.any():
        last[known] = _last_of_workloads(history.values, rows[known], over[known], threshold)
    own = _own_rows(view, history, pods)
    single = own >= 0
    if single.any():
        over[single] = each[single]
        recent = history.recent[own[single]] * each[single, None].astype(np.float32)
        shown = min(steps, recent.shape[1])
        values[single, steps - shown :] = recent[:, recent.shape[1] - shown :]
        last[single] = _last_of_both(recent, last[single], total, threshold)
    return Activity(values=values, over=over, last=last, start=history.start, step=history.step, end=history.end)


def pooled(seen: Activity, group: Indices) -> Activity:
    """Who shares a device is told what is measured of the device, whichever of its users it was measured for.

    `group` [K] is the same for all users of a device, -1 for a pod that shares none.
    """
    values, last = seen.values.copy(), seen.last.copy()
    there: Mask = np.asarray(np.isfinite(seen.values).any(axis=1))
    for one in np.unique(group[group >= 0]).tolist():
        users = np.flatnonzero(group == one)
        told = users[there[users]]
        if told.size:
            values[users] = np.fmax.reduce(seen.values[told], axis=0)
            last[users] = seen.last[told].max()
    return replace(seen, values=values, last=last)


def _rows(view: RebalanceView, history: History, pods: Indices) -> tuple[Indices, NDArray[np.int64]]:
    """[K] the row of each pod's workload (-1: there is none, or not every replica is in it), and [K] its replicas."""
    columns = view.snapshot.columns
    at = {key: row for row, key in enumerate(history.keys)}
    row_of = np.fromiter((at.get(key, -1) for key in columns.workloads), np.intp, len(columns.workloads))
    live = np.bincount(columns.pod_workload[columns.pod_live], minlength=len(columns.workloads))
    rows = row_of[columns.pod_workload[pods]]
    count = live[columns.pod_workload[pods]].astype(np.int64)
    counted = np.where(rows >= 0, history.replicas[rows], 0.0) if history.replicas.size else np.zeros(len(pods))
    return np.where(counted >= count, rows, -1), count


def _own_rows(view: RebalanceView, history: History, pods: Indices) -> Indices:
    """[K] the row of each pod in `history.recent`, -1 where it was not measured itself."""
    at = {name: row for row, name in enumerate(history.pods)}
    named = ((view.snapshot.pods[p].namespace, view.snapshot.pods[p].name) for p in pods.tolist())
    return np.fromiter((at.get(name, -1) for name in named), np.intp, len(pods))


def _last_busy(values: Floats32, threshold: float) -> Indices:
    """[S] the last column above the threshold, or the last one before anything was measured, -1 for neither."""
    busy = values > threshold
    there = np.isfinite(values)
    first = np.where(there.any(axis=1), there.argmax(axis=1), values.shape[1])
    last = values.shape[1] - 1 - busy[:, ::-1].argmax(axis=1)
    found: Indices = np.where(busy.any(axis=1), last, first - 1).astype(np.intp)
    return found


def _last_of_workloads(values: Floats32, rows: Indices, over: NDArray[np.int64], threshold: float) -> Indices:
    """The same [K] for the bounds of the workloads in `rows` [K], each looked at once."""
    distinct, back = np.unique(rows, return_inverse=True)
    scale = np.ones(len(distinct), np.float32)
    np.maximum.at(scale, back, over.astype(np.float32))
    found: Indices = _last_busy(values[distinct] * scale[:, None], threshold)[back]
    return found


def _last_of_both(recent: Floats32, older: Indices, total: int, threshold: float) -> Indices:
    """[K] of pods measured themselves: their own last hour decides about it, the workload about what was before."""
    begin = total - recent.shape[1]
    own = _last_busy(recent, threshold)
    found: Indices = np.where((recent > threshold).any(axis=1), begin + own, np.minimum(older, begin - 1))
    return found
