"""Node-level forecasts: the quantile of summed series against sums of quantiles, on nodes made of real machines.

Set-up: 200 nodes of 15 series each, drawn with a fixed seed from the aligned mean-CPU series of each file (`random`
machines; those with "periodic" in the file name apart), 10 days of history, 24 h ahead, 4 origins 28.8 h apart.

  X_coverage         share of steps of the next day at or under the node's p95
  X_overreservation  mean of p95 / mean use of the node
  X_over_oracle      mean of p95 / the true p95 of the day to come
  X_peak_coverage, X_peak_overreservation   the same for the largest usage of the day at q95, over mean use
  X_loss_15m, X_loss_1h   pinball loss of p95 in the next quarter, then hour, in thousandths of the mean use; 24 origins
  X_hour_curve       share of next hours whose largest use is at or under the top of the curve of p95
  X_hour_highest     the same of the p95 of the largest use
  coverage, overreservation                 both groups together; overreservation ÷ the oracle's p95
  seconds_sum, seconds_peak                 5,000 nodes x 150,000 pods of 20,000 workloads: sums, then peaks at 24 h
"""

from __future__ import annotations

import time

import numpy as np
from _common import Figure, parser, require, show, table
from _usage import PER_DAY, STEP, Series, read
from numpy.typing import NDArray
from scipy import sparse

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling import peers
from descheduler_profiling.build import build
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History
from descheduler_profiling.settings import ProfileSettings

HISTORY, HORIZON, ORIGINS, APART, NODES, PODS = 10 * PER_DAY, PER_DAY, 4, 346, 200, 15
Floats = NDArray[np.float32]


def groups(series: list[Series]) -> dict[str, Floats]:
    """Aligned matrices [S, T] by group; files whose mean-usage series are too few or too short are left out."""
    files: dict[str, list[Floats]] = {}
    for one in series:
        if "avg" in one.kind and len(one.values) >= HISTORY + HORIZON + ORIGINS * APART:
            files.setdefault(one.file, []).append(one.values)
    made: dict[str, list[Floats]] = {}
    for file, rows in files.items():
        if len(rows) >= PODS:
            made.setdefault("periodic" if "periodic" in file else "random", []).extend(rows)
    shortest = {name: min(map(len, rows)) for name, rows in made.items()}
    return {name: np.array([row[-shortest[name] :] for row in rows], np.float32) for name, rows in made.items()}


def history(values: Floats) -> History:
    keys = tuple(WorkloadKey("bench", "Deployment", f"{i:06d}") for i in range(len(values)))
    return History("cpu", "cores", keys, 0, STEP, values, np.ones(len(values), np.float32))


def rules(values: Floats, nodes: NDArray[np.int64], made: SignalProfiles) -> dict[str, tuple[Floats, Floats]]:
    """Each rule's forecast of steps ([N] or [N, H]) and of the day's peak [N]."""
    sums = made.vectors[nodes].sum(axis=1)
    total = values[nodes].sum(axis=1)
    pods = {
        "sum of pods' p95, 7 d": peers.flat_quantile(values, STEP, 0.95, 7 * 86400),
        "sum of Koordinator's p95 x 1.1": peers.koordinator_peak(values, STEP),
        "sum of VPA's targets": peers.vpa_target(values, STEP),
    }
    out = {name: (rule[nodes].sum(axis=1), rule[nodes].sum(axis=1)) for name, rule in pods.items()}
    flat = peers.flat_quantile(total, STEP, 0.95, 7 * 86400)
    out["p95 of the sum, 7 d"] = (flat, total[:, -7 * PER_DAY :].max(axis=1))
    sigma = peers.n_sigma(total, STEP)
    out["N-sigma 5 of the sum"] = (sigma, sigma)
    out["ours"] = (made.curve(sums, 0.95), made.peak(sums, 0.95, 86400))
    return out


def measure(series: list[Series]) -> tuple[dict[str, Figure], list[list[Figure]]]:
    rng = np.random.default_rng(1)
    figures: dict[str, Figure] = {}
    rows: list[list[Figure]] = []
    together = []
    for name, matrix in groups(series).items():
        nodes = np.array([rng.choice(len(matrix), PODS, replace=False) for _ in range(NODES)])
        seen: dict[str, list[list[float]]] = {}
        for k in range(ORIGINS):
            origin = matrix.shape[1] - HORIZON - k * APART
            past = np.ascontiguousarray(matrix[:, origin - HISTORY : origin])
            after = matrix[:, origin : origin + HORIZON][nodes].sum(axis=1)
            for rule, (steps, peak) in rules(past, nodes, build(history(past))).items():
                seen.setdefault(rule, []).append(_scores(after, steps, peak))
        for rule, scores in seen.items():
            rows.append([f"{name}: {rule}", *np.mean(scores, axis=0).tolist()])
        ours = np.mean(seen["ours"], axis=0).tolist()
        keys = ("coverage", "overreservation", "over_oracle", "peak_coverage", "peak_overreservation")
        figures |= {f"{name}_{key}": value for key, value in zip(keys, ours, strict=True)}
        figures |= {f"{name}_{key}": value for key, value in next_hour(matrix, nodes).items()}
        together.append(ours)
    figures["coverage"] = float(np.mean([o[0] for o in together]))
    figures["overreservation"] = float(np.exp(np.mean([np.log(o[2]) for o in together])))
    return figures, rows


def next_hour(matrix: Floats, nodes: NDArray[np.int64]) -> dict[str, Figure]:
    """How good the forecasts of the next hour are: that is where nodes are found hot, and places cool."""
    seen: list[list[float]] = []
    for k in range(24):
        origin = matrix.shape[1] - PER_DAY - k * 59
        past = np.ascontiguousarray(matrix[:, origin - HISTORY : origin])
        after = matrix[:, origin : origin + 12][nodes].sum(axis=1)
        made = build(history(past), ProfileSettings(select=False))
        sums = made.vectors[nodes].sum(axis=1)
        error = (after - made.curve(sums, 0.95)[:, :12]) / after.mean(axis=1, keepdims=True)
        loss = 1000 * np.maximum(0.95 * error, -0.05 * error)
        tops = (quantile(sums, 0.95, 3600.0) for quantile in (made.hottest, made.highest))
        covered = (float((after.max(axis=1) <= top).mean()) for top in tops)
        seen.append([float(loss[:, :3].mean()), float(loss.mean()), *covered])
    keys = ("loss_15m", "loss_1h", "hour_curve", "hour_highest")
    return dict(zip(keys, np.mean(seen, axis=0).tolist(), strict=True))


def _scores(after: Floats, steps: Floats, peak: Floats) -> list[float]:
    steps = np.broadcast_to(steps if steps.ndim == 2 else steps[:, None], after.shape)
    use = after.mean(axis=1)
    truth = np.quantile(after, 0.95, axis=1)
    reserved = steps.mean(axis=1)
    return [
        float((after <= steps).mean()),
        float((reserved / use).mean()),
        float((reserved / truth).mean()),
        float((after.max(axis=1) <= peak).mean()),
        float((peak / use).mean()),
    ]


def speed(matrix: Floats) -> dict[str, Figure]:
    """Seconds for the sums of 5,000 nodes and for their peaks."""
    made = build(history(np.ascontiguousarray(matrix[:, -HISTORY:])))
    rng = np.random.default_rng(2)
    vectors = made.vectors[rng.integers(0, len(matrix), 20_000)]
    place = (rng.integers(0, 5_000, 150_000), rng.integers(0, 20_000, 150_000))
    start = time.perf_counter()
    of_nodes = sparse.csr_matrix((np.ones(150_000, np.float32), place), shape=(5_000, 20_000)) @ vectors
    summed = time.perf_counter()
    made.peak(of_nodes, 0.95, 86400)
    return {"seconds_sum": summed - start, "seconds_peak": time.perf_counter() - summed}


def main() -> None:
    args = parser(__doc__ or "", data=True).parse_args()
    require(args.data)
    series = read(args.data)
    made = groups(series)
    if not made:
        raise SystemExit(f"{args.data}/usage: no file with {PODS} aligned mean-usage series of 15 days")
    figures, rows = measure(series)
    figures |= speed(next(iter(made.values())))
    if not args.json:
        columns = ("rule", "coverage", "p95 / use", "p95 / oracle", "peak coverage", "peak / use")
        table("Nodes of 15 machines, the day to come", columns, rows)
    show("Node sums", figures, as_json=args.json)


if __name__ == "__main__":
    main()
