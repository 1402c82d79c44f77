"""How well does IdleGpu tell GPUs that will do no work in the next hour?

The duty cycles of real serving pods (DIR/usage/genai-serving-pods.npz, 72 pods, a day), averaged over 5 minutes as the
history reads them, one GPU each. At random times of the day, drawn by `--seed`, the strategy is asked as a policy would
ask it, with what was known until then. Truth: the pod was measured for 90 % of the hour that follows, and no 5 minutes
of it were above the threshold. `precision`: of the GPUs called idle, the share that then was; `recall`: of those that
then were idle, the share that was called so. `base_rate` is the share that was idle: the precision of calling all.

`mean_*` is the common rule beside it: the mean of the window at or under the threshold. `grouped_*` is the strategy
where only the mean of `--replicas` pods is known (pods are grouped at random by the seed), as for the time before the
last hour; `grouped_wrong` counts GPUs called idle that were busy within the window itself, which must be 0.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import _common
import _usage
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from descheduler.contract import RebalanceView
    from descheduler.model.snapshot import ClusterSnapshot
    from descheduler_profiling.series import History
    from descheduler_strategies.idle_gpu.args import IdleGpuArgs

Floats = NDArray[np.float32]
HOUR = 3600 // _usage.STEP  # steps
START = 1_760_000_100  # of the first step; any multiple of it


@dataclass
class Tally:
    """Decisions counted; `wrong` were busy within the window itself."""

    right: int = 0
    called: int = 0
    idle: int = 0
    judged: int = 0
    wrong: int = 0

    def add(self, called: NDArray[np.bool_], truth: NDArray[np.float64]) -> None:
        """One moment: called idle [P]; truth [P] 1 idle, 0 busy, NaN not known."""
        known = np.isfinite(truth)
        self.right += int((called & (truth == 1)).sum())
        self.called += int((called & known).sum())
        self.idle += int((truth == 1).sum())
        self.judged += int(known.sum())

    @property
    def precision(self) -> float:
        return self.right / self.called if self.called else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.idle if self.idle else 1.0


def main() -> None:
    parser = _common.parser(__doc__ or "", data=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--moments", type=int, default=40, help="times of the day that are asked (default %(default)s)")
    parser.add_argument("--minutes", type=int, default=60, help="window (default %(default)s)")
    parser.add_argument("--threshold", type=float, default=0.05)
    parser.add_argument("--replicas", type=int, default=3, help="of a workload, for grouped_* (default %(default)s)")
    args = parser.parse_args()

    from descheduler_strategies.idle_gpu.args import IdleGpuArgs

    values = _duty(_common.require(args.data))
    rng = np.random.default_rng(args.seed)
    first = max(2 * HOUR, args.minutes * 60 // _usage.STEP)
    times = np.sort(rng.choice(np.arange(first, values.shape[1] - HOUR), args.moments, replace=False))
    order = rng.permutation(len(values))
    asked = IdleGpuArgs.model_validate({"window": f"{args.minutes}m", "threshold": args.threshold, "maxFindings": 1000})
    steps = args.minutes * 60 // _usage.STEP
    single, grouped, mean = Tally(), Tally(), Tally()
    spent = 0.0
    for now in times.tolist():
        truth = _truth(values[:, now : now + HOUR], args.threshold)
        window = values[:, now - steps : now]
        began = time.process_time()
        called = _ask(values[:, :now], np.arange(len(values)), asked, by_pod=True)
        spent += time.process_time() - began
        single.add(called, truth)
        group = np.empty(len(values), np.int64)
        group[order] = np.arange(len(values)) // args.replicas
        called = _ask(values[:, :now], group, asked, by_pod=False)
        grouped.add(called, truth)
        grouped.wrong += int((called & (_top(window) > args.threshold)).sum())
        mean.add(_mean(window) <= args.threshold, truth)
    figures: dict[str, _common.Figure] = {
        "precision": single.precision,
        "recall": single.recall,
        "base_rate": single.idle / single.judged,
        "mean_precision": mean.precision,
        "mean_recall": mean.recall,
        "grouped_precision": grouped.precision,
        "grouped_recall": grouped.recall,
        "grouped_wrong": grouped.wrong,
        "decisions": single.judged,
        "cpu_ms_each": 1000 * spent / len(times),
        "seed": args.seed,
    }
    _common.show(f"IdleGpu, window {args.minutes} min, {len(values)} pods", figures, as_json=args.json)


def _duty(data: Path) -> Floats:
    """[P, T] fractions in steps of 5 minutes."""
    rows = [s.values for s in _usage.read(data) if s.kind == "gpu_duty_percent"]
    width = max(len(row) for row in rows)
    out = np.full((len(rows), width), np.nan, np.float32)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row / 100
    return out


def _top(window: Floats) -> Floats:
    return np.asarray(np.where(np.isfinite(window), window, np.float32(-1)).max(axis=1))


def _mean(window: Floats) -> Floats:
    there = np.isfinite(window)
    total = np.where(there, window, 0).sum(axis=1)
    enough = there.mean(axis=1) >= 0.9
    return np.where(enough, total / np.maximum(there.sum(axis=1), 1), np.inf).astype(np.float32)


def _truth(ahead: Floats, threshold: float) -> NDArray[np.float64]:
    known = np.isfinite(ahead).mean(axis=1) >= 0.9
    return np.where(known, _top(ahead) <= threshold, np.nan)


def _ask(values: Floats, group: NDArray[np.int64], args: IdleGpuArgs, *, by_pod: bool) -> NDArray[np.bool_]:
    """[P] what the strategy calls idle, given the history [P, T] so far."""
    from descheduler.model.moves import Observation
    from descheduler_strategies.idle_gpu.strategy import IdleGpu

    view = _view(values, group, by_pod=by_pod)
    called = np.zeros(len(values), np.bool_)
    for answer in IdleGpu().propose(view, args):
        if isinstance(answer, Observation) and answer.finding.subject.kind == "workload":
            called[[int(view.snapshot.pods[p].name.rpartition("-")[2]) for p in answer.pods]] = True
    return called


def _view(values: Floats, group: NDArray[np.int64], *, by_pod: bool) -> RebalanceView:
    """What planning shows to the strategy."""
    from descheduler.gangs import resolve
    from descheduler.planning import PlanningInput, PlanningSettings, survey
    from descheduler_profiling.build import build
    from descheduler_profiling.settings import ProfileSettings

    now = START + (values.shape[1] - 1) * _usage.STEP
    snapshot = _cluster(group, float(now))
    history = _history(values, group, by_pod=by_pod)
    profiles = {"gpu": build(history, ProfileSettings(select=False))}
    given = PlanningInput(snapshot, resolve(snapshot), profiles, float(now), histories={"gpu": history})
    return survey(given, PlanningSettings()).view


def _history(values: Floats, group: NDArray[np.int64], *, by_pod: bool) -> History:
    from descheduler.model.workloads import WorkloadKey
    from descheduler_profiling.series import History

    names, back = np.unique(group, return_inverse=True)
    there: NDArray[np.bool_] = np.asarray(np.isfinite(values))
    total, count = np.zeros((2, len(names), values.shape[1]))
    np.add.at(total, back, np.where(there, values, 0))
    np.add.at(count, back, there)
    # A replica without a sample in the last hour is no part of the mean, as the reader of history counts them.
    heard = there[:, -HOUR:].any(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(count > 0, total / count, np.nan).astype(np.float32)
    return History(
        signal="gpu",
        unit="fraction",
        keys=tuple(WorkloadKey("ml", "ReplicaSet", f"w{name:03d}") for name in names.tolist()),
        start=START,
        step=_usage.STEP,
        values=means,
        replicas=np.bincount(back[heard], minlength=len(names)).astype(np.float32),
        pods=tuple(("ml", f"p-{i:03d}") for i in range(len(values)) if heard[i]) if by_pod else (),
        recent=values[heard, -HOUR:] if by_pod else np.empty((0, 0), np.float32),
    )


def _cluster(group: NDArray[np.int64], now: float) -> ClusterSnapshot:
    from descheduler.example import makers as make
    from descheduler.kube.recording.wire_objects import snapshot_from_objects

    nodes = [make.node(f"g{i}", {}, "96", "768Gi", 8) for i in range(-(-len(group) // 8))]
    owners = {
        name: make.controller("ReplicaSet", "ml", f"w{name:03d}", int((group == name).sum()), now - 30 * 86400.0)
        for name in np.unique(group).tolist()
    }
    pods = [
        make.pod("ml", f"p-{i:03d}", owners[name], f"g{i // 8}", {}, "4", "8Gi", now - 2 * 86400.0, 1)
        for i, name in enumerate(group.tolist())
    ]
    objects = {
        "nodes": nodes,
        "pods": pods,
        "replicasets": list(owners.values()),
        "namespaces": make.namespaces(["ml"]),
    }
    return snapshot_from_objects(objects, taken_at=now, cluster="benchmark")


if __name__ == "__main__":
    main()
