"""How many replicas of each workload were measured, and when: a by-product of reading a signal of pods.

Where the server rolls up pods for a long range, their controllers tell (kube-state-metrics).

Most workloads never change it. Of those nothing is kept: a workload without a row has as many as now, and a column
before the first one of a row has what that one has. Columns that nobody counted have nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler_profiling.history.align import to_matrix
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.owners import Owners
from descheduler_profiling.history.prometheus.chunks import RangeReader
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.wire import QueryAnswer
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.rollup import group, reduce_rows
from descheduler_profiling.history.signals import Signal
from descheduler_profiling.series import History

REPLICAS: Final = "replicas"
COUNTED: Final = "cpu"
"""The signal whose pods are counted."""
_NUMBER: Final = (
    "label_replace(label_replace(max by (namespace, %(kind)s) "
    '(kube_%(kind)s_status_replicas{%(kind)s!=""$owners$match}), "workload", "$1", "%(kind)s", "(.*)"), '
    '"workload_type", "%(kind)s", "", "")'
)
TOLD_BY_CONTROLLERS: Final = " or ".join(
    _NUMBER % {"kind": kind} for kind in ("deployment", "statefulset", "replicaset")
)
"""How many replicas each controller says that it has."""
_NONE = "no workload had another number of replicas than now"


def count_rows(values: Floats32, groups: NDArray[np.intp], count: int) -> Floats32:
    """How many rows [P, T] of each group have a value, [count, T]; NaN for none."""
    made = np.full((count, values.shape[1]), np.nan, np.float32)
    if values.size:
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
        there = np.add.reduceat(np.isfinite(values[order]).astype(np.int32), starts, axis=0)
        made[groups[order][starts]] = np.where(there > 0, there, np.nan)
    return made


def count_past(client: HistoryClient, counts: Ring, owners: Owners, promql: str, columns: int) -> None:
    """Fill what is unread of the first `columns` by what controllers say of themselves (`promql`: a series for each
    workload); what they do not say stays unknown."""

    def sink(part: Grid, answer: QueryAnswer) -> None:
        labels = ("namespace", "workload_type", "workload")
        names = [[one.labels.get(label, "") for label in labels] for one in answer.series]
        distinct, index = group([owners.workload(*name) for name in names])
        told, _ = to_matrix(answer.series, part)
        values = reduce_rows(np.where(told > 0, told, np.float32(np.nan)), index, len(distinct), "max")
        counts.write(part, distinct, values, whole=bool(distinct) and not answer.partial)

    RangeReader(client, promql, 0).read(counts.unread(columns), sink)


def forget_constant(ring: Ring) -> None:
    """Drop the rows that never change."""
    values = ring.values[: len(ring.keys)]
    lowest, highest = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
    values[~(lowest < highest)] = np.nan


def replicas_of(signal: Signal, ring: Ring) -> History:
    """The history of a settled ring. It is as whole as that of the signal whose pods were counted."""
    values = ring.values.copy()
    known = np.isfinite(values)
    first = known.argmax(axis=1)
    before = np.arange(values.shape[1])[None, :] < first[:, None]
    opening = values[np.arange(len(values)), first][:, None] if len(values) else values
    values = np.where(before & ring.read[None, :], opening, values)
    return History(
        signal=signal.name,
        unit=signal.unit,
        keys=tuple(ring.keys),
        start=ring.grid.start,
        step=ring.grid.step,
        values=values.astype(np.float32),
        replicas=np.ones(len(ring.keys), np.float32),
        problems=() if ring.keys else (_NONE,),
        absent=not ring.keys,
    )
