"""What came of one walk, in figures that contenders can be compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from descheduler.backtest.cluster import Move
from descheduler.backtest.contender import Foreseen
from descheduler.backtest.meter import Meter
from descheduler.contract.loads import UNIT
from descheduler.model.arrays import Mask
from descheduler.model.workloads import WorkloadKey

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """How right the findings were. A node's own future, were nothing moved, is what they are held against.

    `precision`: share of the findings, those left alone among them, whose node was hot within the horizon. `recall`:
    share of the nodes that were to be hot within the horizon that were found, looked at in every cycle; `before`:
    share of the times when a node that was cool became hot that had a finding before. `coverage` by signal: share of
    the nodes whose highest load within the horizon stayed at or under what was forecast. None where there was nothing
    to be right about.
    """

    precision: float | None
    recall: float | None
    before: float | None
    coverage: Mapping[str, float]


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


def forecast(
    meter: Meter, foreseen: Sequence[Foreseen], truths: Sequence[tuple[Mask, Mapping[str, object]]]
) -> Forecast:
    """`truths`: for each that was foreseen [N, H] which nodes were then hot, and [N] the highest load by signal."""
    found = true = right = met = 0
    under: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    onsets = known = 0
    was_hot: Mask | None = None
    told: Mask | None = None
    for said, (hot, highest) in zip(foreseen, truths, strict=True):
        will = np.logical_or.reduce(hot, axis=1, initial=False)
        found, true = found + int(said.found.sum()), true + int(will.sum())
        right += int((said.found & will).sum())
        met += int((said.found & will).sum())
        for signal, level in said.level.items():
            reached = np.asarray(highest[signal])
            under[signal] += int((reached <= level).sum())
            asked[signal] += len(level)
        now = hot[:, 0] if hot.shape[1] else np.zeros(len(hot), np.bool_)
        if was_hot is not None and told is not None:
            crossing = now & ~was_hot
            onsets, known = onsets + int(crossing.sum()), known + int((crossing & told).sum())
        was_hot, told = now, said.found
    return Forecast(
        precision=right / found if found else None,
        recall=met / true if true else None,
        before=known / onsets if onsets else None,
        coverage={signal: under[signal] / asked[signal] for signal in asked if asked[signal]},
    )
