"""A week of history out of a real Prometheus: how long, and where the time goes.

Starts Debian's `prometheus` on loopback with blocks made by `promtool tsdb create-blocks-from openmetrics`, so that a
query costs what it costs in a cluster: counters scraped every two minutes, rate() over five. The series are pods of
Deployments of five replicas; `--server-side` adds kube-state-metrics' owners, so that the server rolls up to
workloads.

Keys: `seconds` (back-fill, wall clock), `series_per_second`, `server_seconds` (waiting for answers, summed over
concurrent queries), `decode_seconds`, `align_seconds`, `append_seconds`, `bytes` (of JSON), `requests`, `workloads`,
`cycle_seconds` and `cycle_bytes` (the next cycle, one step later), `restart_seconds` (from the store on disk).
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import _common
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

if TYPE_CHECKING:
    from controlplane.prometheus import PrometheusServer, Series

NOW = 1_750_000_200
STEP = 300
SCRAPE = 120
REPLICAS = 5
_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def main() -> None:
    parser = _common.parser(__doc__ or "")
    parser.add_argument("--series", type=int, default=1000, help="pods (default: %(default)s)")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--server-side", action="store_true", help="let the server roll up to workloads")
    parser.add_argument("--no-compress", action="store_true", help="ask for answers without gzip")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backfill-") as scratch:
        figures = measure(Path(scratch), options.series, options.days, options.server_side, not options.no_compress)
    _common.show(f"{options.series} series, {options.days} days", figures, as_json=options.json)


def measure(scratch: Path, series: int, days: int, server_side: bool, compress: bool) -> dict[str, _common.Figure]:
    from descheduler_profiling.history.collect import collect_with_notes, fingerprint
    from descheduler_profiling.history.prometheus.client import HistoryClient
    from descheduler_profiling.history.prometheus.sessions import Connection
    from descheduler_profiling.history.signals import RollUp, builtin_signals
    from descheduler_profiling.history.store import HistoryStore

    server = start(scratch / "prometheus", series, days, server_side)
    try:
        how: RollUp = "always" if server_side else "never"
        signals = {"cpu": replace(builtin_signals()["cpu"], roll_up_on_server=how)}
        store = HistoryStore(scratch / "store")
        connection = Connection(server.url, compress=compress)
        with HistoryClient(connection, rng=random.Random(1), clock=time.time) as client:
            begun = time.perf_counter()
            made = collect_with_notes(client, signals, now=NOW, window_seconds=days * 86400, previous=store)
            seconds = time.perf_counter() - begun
            history, notes, used = made.histories["cpu"], made.notes["cpu"], client.usage
            if not history.complete or not np.isfinite(history.values[:, -1]).all():
                sys.exit(f"the history is not complete: {history.problems}")
            first = (used.requests, used.bytes, used.server_seconds, used.decode_seconds)
            begun = time.perf_counter()
            collect_with_notes(client, signals, now=NOW + STEP, window_seconds=days * 86400, previous=store)
            cycle = time.perf_counter() - begun
            cycle_bytes = used.bytes - first[1]
        begun = time.perf_counter()
        HistoryStore(scratch / "store").load("cpu", fingerprint(client, signals["cpu"], STEP, ""))
        restart = time.perf_counter() - begun
    finally:
        server.stop()
    return {
        "seconds": seconds,
        "series_per_second": series / seconds,
        "server_seconds": first[2],
        "decode_seconds": first[3],
        "align_seconds": notes.align_seconds,
        "append_seconds": notes.append_seconds,
        "bytes": first[1],
        "requests": first[0],
        "workloads": len(history.keys),
        "cycle_seconds": cycle,
        "cycle_bytes": cycle_bytes,
        "restart_seconds": restart,
    }


def start(folder: Path, series: int, days: int, server_side: bool) -> PrometheusServer:
    """A Prometheus that holds the counters of so many pods."""
    from controlplane.prometheus import PrometheusServer

    return PrometheusServer.start(pods(series, days, server_side), folder)


def pods(series: int, days: int, server_side: bool) -> Iterator[Series]:
    """Counters of CPU seconds with a daily wave, noise and a restart each, and the owners' series if asked for."""
    from controlplane.prometheus import Series

    rng = np.random.default_rng(7)
    times = np.arange(NOW - days * 86400 - 1800, NOW + STEP + SCRAPE, SCRAPE, dtype=np.float64)
    owners = np.arange(NOW - days * 86400 - 1800, NOW + STEP + SCRAPE, STEP - 60, dtype=np.float64)
    counters, labels = [], []
    for number in range(series):
        wave = 1.0 + np.sin(2 * np.pi * (times / 86400.0 + rng.random()))
        used = rng.gamma(2.0, 0.15) * (0.2 + wave) * rng.gamma(8.0, 1 / 8.0, times.size) * SCRAPE
        total = np.cumsum(used)
        total[times.size // 2 :] -= total[times.size // 2]  # a restart: the counter begins again
        workload = f"app-{number // REPLICAS}"
        pod = f"{workload}-{_word(rng, 9)}-{_word(rng, 5)}"
        labels.append({"namespace": f"team-{number // 100}", "pod": pod, "workload": workload})
        counters.append(total)
    metric = "container_cpu_usage_seconds_total"
    for total, own in zip(counters, labels, strict=True):
        container = {"container": "main", "image": "registry.example/app:1"}
        yield Series(metric, {"namespace": own["namespace"], "pod": own["pod"], **container}, times, total.round(3))
    if server_side:
        for own in labels:
            rule = "namespace_workload_pod:kube_pod_owner:relabel"
            yield Series(rule, {**own, "workload_type": "deployment"}, owners, np.ones(owners.size))


def _word(rng: np.random.Generator, length: int) -> str:
    """A generated suffix, in the alphabet of Kubernetes."""
    return "".join(_SAFE[at] for at in rng.integers(0, len(_SAFE), length))


if __name__ == "__main__":
    main()
