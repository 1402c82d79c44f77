"""Profiles of a whole fleet: seconds and memory for so many series of 5-minute history.

`--workers local | inline | processes:N | dask:N` says where chunks are profiled (local: on all cores); `peak_mib` is
the largest sum of resident memory of this process and its children, sampled ten times a second, the history itself
included; `cpu_seconds` is what they spent together, which other work on the machine does not stretch as `seconds`.
"""

from __future__ import annotations

import resource
import time

import numpy as np
from _common import Figure, parser, show
from _memory import Memory
from numpy.typing import NDArray

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.build import build
from descheduler_profiling.executors import executor
from descheduler_profiling.series import History
from descheduler_profiling.settings import ProfileSettings

STEP, PER_DAY = 300, 288


def history(series: int, days: int, seed: int) -> History:
    """Synthetic usage: daily shape, slow level, skewed noise, some gaps and some constant or young rows."""
    rng = np.random.default_rng(seed)
    steps = days * PER_DAY
    values = np.empty((series, steps), np.float32)
    time_of_day = 2 * np.pi * np.arange(steps, dtype=np.float32) / PER_DAY
    for start in range(0, series, 2000):
        part = values[start : start + 2000]
        rows = len(part)
        level = rng.lognormal(-1, 1, (rows, 1)).astype(np.float32)
        swing = rng.uniform(0, 0.8, (rows, 1)).astype(np.float32)
        phase = rng.uniform(0, 6.28, (rows, 1)).astype(np.float32)
        noise = rng.standard_exponential((rows, steps), dtype=np.float32)
        part[:] = level * (1 + swing * np.sin(time_of_day + phase)) * (np.float32(0.6) + np.float32(0.4) * noise)
        for row in rng.integers(0, rows, rows // 20):
            gap = int(rng.integers(0, steps))
            part[row, gap : gap + int(rng.integers(1, PER_DAY))] = np.nan
    keys = tuple(WorkloadKey(f"ns{i % 500:03d}", "Deployment", f"app-{i:06d}") for i in range(series))
    return History("cpu", "cores", keys, 1_700_000_100, STEP, values, np.ones(series, np.float32))


def measure(made: History, workers: str) -> dict[str, Figure]:
    with Memory() as memory:
        before = sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        start = time.perf_counter()
        with executor(workers) as runner:
            ready = time.perf_counter()
            profiles = build(made, ProfileSettings(), runner)
        seconds = time.perf_counter() - start
    # Workers are waited for when the executor closes, so their time is in.
    cpu = sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    digest: NDArray[np.float64] = profiles.peaks.astype(np.float64)
    return {
        "series": len(made.keys),
        "workers": workers,
        "seconds": seconds,
        "cpu_seconds": cpu - before,
        "start_seconds": ready - start,
        "series_per_second": len(made.keys) / seconds,
        "peak_mib": memory.peak_mib,
        "history_mib": made.values.nbytes / (1 << 20),
        "profiles_mib": profiles.nbytes / (1 << 20),
        "checksum": float(digest.sum()),
    }


def main() -> None:
    args = parser(__doc__ or "")
    args.add_argument("--series", type=int, default=100_000)
    args.add_argument("--days", type=int, default=7)
    args.add_argument("--workers", default="local", help="local, inline, processes:N, dask:N (default: %(default)s)")
    args.add_argument("--seed", type=int, default=1)
    given = args.parse_args()
    figures = measure(history(given.series, given.days, given.seed), given.workers)
    show("Profiles of a fleet", figures, as_json=given.json)


if __name__ == "__main__":
    main()
