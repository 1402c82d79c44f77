"""What came of one walk, in figures that contenders can be compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from descheduler.backtest.cluster import Move
from descheduler.backtest.foresight import Forecast
from descheduler.backtest.meter import Meter
from descheduler.contract.loads import UNIT
from descheduler.model.arrays import Mask
from descheduler.model.workloads import WorkloadKey

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Score:
    """One contender's walk. Minutes are of nodes.

    `excess` is what was asked for above the thresholds, in core-seconds. `caused` are the hot minutes that are none
    where nobody does anything. `restarts` counts by workload, pods that restart with an evicted one included.
    `ping_pong`: moves of a pod within a day back to a node that it was moved from. `pending` are minutes in which a
    moved pod had no node, `pending_gpu_hours` those of GPUs that pods without a node wait for. `gpu_slots` are free,
    mean over the time. `hot` [C] counts the hot nodes of each step.
    """

    contender: str
    seed: int
    hot_minutes: float
    excess: float
    caused: float
    evictions: int
    restarts: Mapping[str, int]
    ping_pong: int
    pending: float
    pending_gpu_hours: float
    gpu_slots: float
    plans: int
    paused: int
    forecast: Forecast | None
    refused: Mapping[str, int] = field(default_factory=dict)
    hot: tuple[int, ...] = ()


def hot_nodes(meter: Meter) -> Mask:
    """[N, C] which nodes were hot in which step of the walk."""
    return meter.hot(meter.load)


def hot_minutes(meter: Meter) -> float:
    """Node-minutes above a threshold."""
    return float(hot_nodes(meter).sum()) * meter.world.step / 60.0


def excess(meter: Meter) -> float:
    """Core-seconds asked for above the thresholds of CPU."""
    if "cpu" not in meter.thresholds:
        return 0.0
    snapshot = meter.world.snapshot
    cores = snapshot.columns.allocatable[:, snapshot.columns.resource("cpu")] / UNIT["cpu"]
    above = np.maximum(meter.load["cpu"] - meter.thresholds["cpu"][:, None], 0.0).sum(axis=1)
    return float((above * cores).sum()) * meter.world.step


def restarts(keys: Sequence[WorkloadKey], workload: Sequence[int], moves: Sequence[Move]) -> dict[str, int]:
    """How many pods of each workload were made again; `workload` [P] is the position of each slot's in `keys`."""
    return dict(Counter(str(keys[workload[move.slot]]) for move in moves))


def ping_pong(moves: Sequence[Move]) -> int:
    """Moves that bring a pod back within a day to where it was moved from."""
    left: dict[int, dict[int, float]] = {}
    count = 0
    for move in moves:
        before = left.setdefault(move.slot, {})
        at = before.get(move.target)
        count += at is not None and move.at - at < DAY
        if move.source != move.target:
            before[move.source] = move.at
        elif move.evicted:
            count += 1  # it came straight back
    return count
