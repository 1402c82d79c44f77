"""How long a cold read of a whole cluster takes, and what it keeps in memory.

Lists every kind from a loopback API server (a process of its own, pages of 500) into a ClusterSnapshot. `kept_mib`
is the growth of the resident size with only the snapshot held; `peak_mib` the largest resident size of this process
meanwhile, libraries included.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _common import Figure, parser, show

from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.snapshot import ClusterSnapshot

SERVER = Path(__file__).with_name("_api_server.py")


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--pods", type=int, default=150_000)
    arguments = options.parse_args()
    server = subprocess.Popen([sys.executable, str(SERVER), str(arguments.pods)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        figures = measure(int(server.stdout.readline()), bar=not arguments.json)
    finally:
        server.kill()
        server.wait()
    show(f"Cold read of {arguments.pods:,} pods", figures, as_json=arguments.json)


def measure(port: int, *, bar: bool) -> dict[str, Figure]:
    """Read the cluster on that port once."""
    with tempfile.TemporaryDirectory() as folder:
        client = connect(kubeconfig(Path(folder), port))
    gc.collect()
    before, began, cpu = resident_mib(), time.perf_counter(), time.process_time()
    snapshot = read_cluster(client, clock=time.time, progress=_progress if bar else None)
    took, busy = time.perf_counter() - began, time.process_time() - cpu
    gc.collect()
    figures: dict[str, Figure] = {
        "seconds": took,
        "kept_mib": resident_mib() - before,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cpu_seconds": busy,
        "before_mib": before,
    }
    return figures | _sizes(snapshot)


def _sizes(snapshot: ClusterSnapshot) -> dict[str, Figure]:
    return {
        "pods": len(snapshot.pods),
        "nodes": len(snapshot.nodes),
        "label_sets": len({id(pod.labels) for pod in snapshot.pods}),
        "pod_specs": len({id(pod.spec) for pod in snapshot.pods}),
    }


def _progress(kind: str, seen: int) -> None:
    print(f"\r{kind}: {seen:,}  ", end="", file=sys.stderr, flush=True)


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def kubeconfig(folder: Path, port: int) -> Path:
    path = folder / "kubeconfig"
    config = {
        "clusters": [{"name": "loopback", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "me", "user": {"token": "secret"}}],
        "contexts": [{"name": "loopback", "context": {"cluster": "loopback", "user": "me"}}],
        "current-context": "loopback",
    }
    path.write_text(json.dumps(config))
    return path


if __name__ == "__main__":
    main()
