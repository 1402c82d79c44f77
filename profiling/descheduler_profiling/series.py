"""The aligned history of one signal: what the readers of history produce and what profiles are built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from descheduler.model.arrays import Floats32
from descheduler.model.workloads import WorkloadKey


@dataclass(frozen=True, slots=True)
class Strain:
    """What tells that more was wanted than was used.

    Of the last quarter of an hour, and only where they are large: `throttled` by workload, the share of periods in
    which the CPU limit stopped one of its pods, that of the pod that it stopped most; `pressed` by node, the share of
    time in which something on it waited for the resource.
    """

    throttled: Mapping[WorkloadKey, float] = field(default_factory=dict)
    pressed: Mapping[str, float] = field(default_factory=dict)


NO_STRAIN = Strain()


@dataclass(frozen=True, slots=True)
class History:
    """Usage of one signal on one clock, a row for each workload.

    `values` [S, T] is the mean usage of one replica (peak-preserving for memory: the largest sample of the step) in
    `unit`, NaN where nothing was measured: absent is not zero. Column t covers the `step` seconds that end at
    `start + t * step`; `start` is a multiple of `step`, so that the columns of all signals line up. `keys` are sorted
    and unique. `replicas` [S] counts the replicas now. `pod_level` holds the mean of the last hour of single pods,
    (namespace, pod) -> usage, by which a pod is weighted against the mean of its workload. `recent` [P, R] is the last
    hour of the single pods named by `pods`, on the last R columns, for signals that are judged pod by pod (else empty).

    `standing_still` names nodes whose counters stand still: their pods are not measured, and nobody knows their load.

    A history that is not `complete` (partial answers, missing chunks: `problems`) may be shown, but nobody acts on it.
    One that is `absent` has no series because the server has none, which is no fault where the signal is optional.
    `divided` says of workloads whose values are no measurements of a replica, but of their total, how it is divided.
    `strain` is what is known now of demand that was not met.
    One that is not `pinned` may hold what anybody who is scraped says of these pods: it is shown, and is no evidence.
    """

    signal: str
    unit: str
    keys: tuple[WorkloadKey, ...]
    start: int
    step: int
    values: Floats32
    replicas: Floats32
    pod_level: Mapping[tuple[str, str], float] = field(default_factory=dict)
    complete: bool = True
    problems: tuple[str, ...] = ()
    pods: tuple[tuple[str, str], ...] = ()
    recent: Floats32 = field(default_factory=lambda: np.empty((0, 0), np.float32))
    standing_still: tuple[str, ...] = ()
    absent: bool = False
    pinned: bool = True
    strain: Strain = NO_STRAIN
    divided: Mapping[WorkloadKey, str] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """Unix seconds of the last column: the origin of a forecast from this history."""
        return self.start + (self.values.shape[1] - 1) * self.step if self.values.shape[1] else self.start


def empty(signal: str, unit: str, step: int, problems: tuple[str, ...] = ()) -> History:
    """A history without a single series; incomplete when there is a problem to tell."""
    return History(
        signal=signal,
        unit=unit,
        keys=(),
        start=0,
        step=step,
        values=np.empty((0, 0), np.float32),
        replicas=np.empty(0, np.float32),
        complete=not problems,
        problems=problems,
    )
