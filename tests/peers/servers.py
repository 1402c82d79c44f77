"""The other servers on loopback, each with the same series in it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from controlplane.go_programs import ensure_built
from controlplane.processes import ManagedProcess, answers, free_port
from controlplane.prometheus import PrometheusServer, Series, back_fill, find_programs
from descheduler_profiling.history.prometheus.sessions import ServerKind
from peers.binaries import CORTEX, PROMETHEUS, THANOS, VICTORIA_METRICS


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server. ``kind`` as in the policy; ``url`` is what people would write there.

    ``parts``: what it is made of, what answers first.
    """

    kind: ServerKind
    url: str
    parts: tuple[ManagedProcess | PrometheusServer, ...]

    def stop(self) -> None:
        for part in self.parts:
            part.kill()

    def lose_store(self) -> None:
        """What is behind the part that answers goes away."""
        for part in self.parts[1:]:
            part.kill()


def start_prometheus(series: Iterable[Series], directory: Path, flags: Sequence[str] = ()) -> Peer:
    """Prometheus 3. What is no flag is a setting of the section ``global``, ``name=value``."""
    folder = ensure_built(PROMETHEUS)
    server = PrometheusServer.start(
        series,
        directory,
        extra_flags=[flag for flag in flags if flag.startswith("-")],
        settings={name: int(value) for name, _, value in (f.partition("=") for f in flags if not f.startswith("-"))},
        programs=(str(folder / "prometheus"), str(folder / "promtool")),
    )
    return Peer("prometheus", server.url, (server,))


def start_victoria_metrics(series: Iterable[Series], directory: Path, flags: Sequence[str] = ()) -> Peer:
    """A single VictoriaMetrics; the series are sent to its import API."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    process = ManagedProcess.start(
        "victoria-metrics",
        [
            ensure_built(VICTORIA_METRICS) / "victoria-metrics",
            f"-storageDataPath={directory / 'data'}",
            "-retentionPeriod=100y",
            f"-httpListenAddr=127.0.0.1:{port}",
            *flags,
        ],
        directory / "victoria-metrics.log",
    )
    url = f"http://127.0.0.1:{port}"
    process.wait_ready(lambda: answers(f"{url}/health"))
    body = "\n".join(_as_import_line(one) for one in series).encode()
    _post(f"{url}/api/v1/import", body)
    _post(f"{url}/internal/force_flush", b"")
    return Peer("victoriametrics", url, (process,))


def start_thanos(series: Iterable[Series], directory: Path, flags: Sequence[str] = ()) -> Peer:
    """A querier over a sidecar of a Prometheus."""
    directory.mkdir(parents=True, exist_ok=True)
    below = PrometheusServer.start(series, directory / "prometheus", settings={"external_labels": _LABELS})
    store = [f"--prometheus.url={below.url}", f"--tsdb.path={below.directory / 'data'}", *flags]
    querier, sidecar = _querier_over("sidecar", store, directory)
    return Peer("thanos", querier.url, (*querier.parts, *sidecar.parts, below))


def start_thanos_store(series: Iterable[Series], directory: Path, flags: Sequence[str] = ()) -> Peer:
    """A querier over a store gateway, whose bucket is a folder of blocks. It is what has limits in earnest."""
    _, promtool = find_programs()
    directory.mkdir(parents=True, exist_ok=True)
    back_fill(promtool, series, directory)
    for meta in directory.glob("data/*/meta.json"):
        thanos = {"labels": _LABELS, "downsample": {"resolution": 0}, "source": "sidecar"}
        meta.write_text(json.dumps({**json.loads(meta.read_text()), "thanos": thanos}))
    bucket = json.dumps({"type": "FILESYSTEM", "config": {"directory": str(directory / "data")}})
    store = [f"--objstore.config={bucket}", f"--data-dir={directory / 'cache'}", *flags]
    querier, gateway = _querier_over("store", store, directory)
    return Peer("thanos", querier.url, (*querier.parts, *gateway.parts))


def start_cortex(series: Iterable[Series], directory: Path, limits: Sequence[str] = ()) -> Peer:
    """Cortex in one process, whose bucket is a folder of blocks; ``limits`` as its configuration names them.

    It stands for Mimir and for Amazon's service too, which were made from it.
    """
    _, promtool = find_programs()
    directory.mkdir(parents=True, exist_ok=True)
    back_fill(promtool, series, directory)
    (directory / "bucket").mkdir()
    (directory / "data").rename(directory / "bucket" / "fake")  # what it calls the tenant where there is only one
    port, grpc = free_port(), free_port()
    ring = {"kvstore": {"store": "inmemory"}}
    lifecycler = {"address": "127.0.0.1", "join_after": "0s", "min_ready_duration": "0s"}
    configuration = {
        "target": "query-frontend,querier,store-gateway,ingester,distributor",
        "auth_enabled": False,
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": port,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": grpc,
            "log_level": "warn",
        },
        "blocks_storage": {
            "backend": "filesystem",
            "filesystem": {"dir": str(directory / "bucket")},
            "tsdb": {"dir": str(directory / "tsdb")},
            "bucket_store": {"sync_dir": str(directory / "sync"), "bucket_index": {"enabled": False}},
        },
        "ingester": {"lifecycler": {**lifecycler, "ring": {**ring, "replication_factor": 1}}},
        "distributor": {"ring": ring},
        "store_gateway": {"sharding_enabled": False},
        "querier": {"store_gateway_addresses": f"127.0.0.1:{grpc}"},
        "frontend_worker": {"frontend_address": f"127.0.0.1:{grpc}"},
        "limits": {name: json.loads(value) for name, _, value in (limit.partition("=") for limit in limits)},
    }
    file = directory / "cortex.yaml"
    file.write_text(json.dumps(configuration))
    tracker = f"-querier.active-query-tracker-dir={directory / 'queries'}"
    command: list[str | Path] = [ensure_built(CORTEX) / "cortex", f"-config.file={file}", tracker]
    process = ManagedProcess.start("cortex", command, directory / "cortex.log")
    process.wait_ready(lambda: answers(f"http://127.0.0.1:{port}/ready"))
    return Peer("mimir", f"http://127.0.0.1:{port}/prometheus", (process,))


def _querier_over(kind: str, flags: Sequence[str], directory: Path) -> tuple[Peer, Peer]:
    """A querier, and the one store behind it."""
    thanos = ensure_built(THANOS) / "thanos"
    grpc, port = free_port(), free_port()
    listening = [f"--grpc-address=127.0.0.1:{grpc}", f"--http-address=127.0.0.1:{free_port()}"]
    store = ManagedProcess.start(kind, [thanos, kind, *listening, *flags], directory / f"{kind}.log")
    listening = [f"--grpc-address=127.0.0.1:{free_port()}", f"--http-address=127.0.0.1:{port}"]
    command: list[str | Path] = [
        thanos,
        "query",
        *listening,
        f"--endpoint=127.0.0.1:{grpc}",
        "--query.replica-label=replica",
    ]
    querier = ManagedProcess.start("thanos-query", command, directory / "query.log")
    url = f"http://127.0.0.1:{port}"
    querier.wait_ready(lambda: answers(f"{url}/-/ready") and _has_stores(url))
    return Peer("thanos", url, (querier,)), Peer("thanos", "", (store,))


_LABELS: Final = {"cluster": "one", "replica": "a"}
STARTS: Final = {
    "prometheus": start_prometheus,
    "victoriametrics": start_victoria_metrics,
    "thanos": start_thanos,
    "thanos-store": start_thanos_store,
    "cortex": start_cortex,
}


def _as_import_line(one: Series) -> str:
    """https://docs.victoriametrics.com/victoriametrics/single-server-victoriametrics/#json-line-format"""
    values = np.asarray(one.values, np.float64)
    kept = ~np.isnan(values)
    stamps = (np.asarray(one.timestamps, np.float64)[kept] * 1000).round().astype(np.int64)
    labels = {"__name__": one.name, **one.labels}
    return json.dumps({"metric": labels, "values": values[kept].tolist(), "timestamps": stamps.tolist()})


def _post(url: str, body: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=120) as answer:
        answer.read()


def _has_stores(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/api/v1/stores", timeout=10) as answer:
        return any(json.load(answer)["data"].values())
