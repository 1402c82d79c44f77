"""Whether memory, threads and open files stay as they are over many cycles of a cluster that never rests.

The controller as `descheduler run` puts it together, cycle after cycle without the waits between, beside a loopback
cluster of a process of its own (`_soak_server`): with each cycle pods, workloads and budgets give way to new ones,
now and then nodes; now and then every watch is cut, the policy changed, a plan carried out; metrics and reports are
read meanwhile. `rss_growth_mib` is the resident size over the last tenth of the cycles less that over the tenth after
the first, `threads_…` and `files_…` how many there are then. The allocator is set as the image sets it.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from _common import Figure, parser, show
from sync import kubeconfig, resident_mib

from descheduler.controller.run import RunOptions, assembled
from descheduler.model.errors import ClusterError

_SERVER = Path(__file__).with_name("_soak_server.py")
_POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
mode: {mode}
interval: 10s
history: {{url: "{url}", window: {days}d, queries: {{cpu: soak_cpu, memory: soak_memory}}}}
acting: {{waveTimeout: 10s}}
limits: {{perCycle: {most}, perHour: 1000000, perNode: 20}}
protections: {{minPodAge: 0s}}
strategies:
  - HotNodes: {{thresholds: {{cpu: 70%, memory: 90%}}, minConfidence: 20%, maxMovesPerNode: 16}}
{more}"""
_POLICY_EVERY, _ACT_EVERY, _PAGE_EVERY = 20, 50, 25  # cycles


@dataclass
class Sizes:
    """What is measured after each cycle."""

    mib: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def add(self) -> None:
        self.mib.append(resident_mib())
        self.threads.append(threading.active_count())
        self.files.append(len(list(Path("/proc/self/fd").iterdir())))

    def figures(self) -> dict[str, Figure]:
        tenth = max(1, len(self.mib) // 10)
        early, late = slice(tenth, 2 * tenth), slice(-tenth, None)
        return {
            "rss_growth_mib": statistics.median(self.mib[late]) - statistics.median(self.mib[early]),
            "rss_mib": statistics.median(self.mib[late]),
            "threads_start": round(statistics.median(self.threads[early])),
            "threads_end": round(statistics.median(self.threads[late])),
            "files_start": round(statistics.median(self.files[early])),
            "files_end": round(statistics.median(self.files[late])),
        }


def main() -> None:
    if "MALLOC_ARENA_MAX" not in os.environ:  # read by the C library as a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "MALLOC_ARENA_MAX": "2"})
    options = parser(__doc__ or "")
    options.add_argument("--cycles", type=int, default=1000)
    options.add_argument("--pods", type=int, default=300)
    arguments = options.parse_args()
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    began = time.monotonic()
    with _world(arguments.pods) as port, tempfile.TemporaryDirectory() as folder:
        figures = _soak(Path(folder), port, arguments.cycles)
    figures |= {"seconds": time.monotonic() - began}
    show(f"{arguments.cycles:,} cycles, {arguments.pods:,} pods", figures, as_json=arguments.json)


@contextmanager
def _world(pods: int) -> Iterator[int]:
    server = subprocess.Popen([sys.executable, str(_SERVER), str(pods)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()


def _soak(folder: Path, port: int, cycles: int) -> dict[str, Figure]:
    policy, served = folder / "policy.yaml", []
    server, results, sizes = f"http://127.0.0.1:{port}", Counter[str](), Sizes()

    def write(cycle: int) -> None:
        acts = cycle % _ACT_EVERY == 0
        values = {"mode": "active" if acts else "dry-run", "more": "  - GpuDefragmentation: {}\n" if acts else ""}
        turn = cycle // _POLICY_EVERY
        policy.write_text(_POLICY.format(url=server, most=20 + turn, days=2 + turn % 2, **values))

    write(1)
    options = RunOptions(
        policy=policy, kubeconfig=kubeconfig(folder, port), mode="active", store=folder / "store", port=0
    )
    with ExitStack() as stack:
        controller = assembled(options, stack, served.append)
        _until(lambda: controller.seams.unsynced() is None)
        for cycle in range(1, cycles + 1):
            with urllib.request.urlopen(f"{server}/turn", data=b"", timeout=60) as answer:
                there = set(json.load(answer))
            # The history server knows them at once, which in life it does later than the watch.
            _until(lambda there=there: {pod.uid for pod in controller.runner.observe().pods} == there)
            if cycle % _POLICY_EVERY == 0 or cycle % _ACT_EVERY <= 1:
                write(cycle)
            results[controller.cycle()] += 1
            for path in ("/readyz", "/metrics", *(("/reports/", "/") if cycle % _PAGE_EVERY == 0 else ())):
                _read(f"http://127.0.0.1:{served[0]}{path}")
            sizes.add()
            if cycle % 50 == 0:
                print(f"{cycle}: {sizes.mib[-1]:.1f} MiB", file=sys.stderr, flush=True)
        moved = controller.metrics.registry.get_sample_value(
            "descheduler_moves_total", {"strategy": "HotNodes", "result": "evicted"}
        )
    gc.collect()
    return {"cycles": cycles, **sizes.figures(), **results, "moved": moved or 0.0}


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while True:
        with suppress(ClusterError):  # a watch was cut
            if true():
                return
        if time.monotonic() > until:
            raise SystemExit("the caches do not follow")
        time.sleep(0.05)


def _read(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            answer.read()
    except urllib.error.HTTPError as refused:  # not ready, say
        refused.close()


if __name__ == "__main__":
    main()
