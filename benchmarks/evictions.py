"""How long evicting many pods takes on a real control plane, and whether their budgets are kept at every moment.

Pods of several Deployments, each with a PodDisruptionBudget of its own that has room for its share (`seconds`); pods of
one Deployment under one budget; and pods that no budget covers, which shows what the cluster's own work costs. Times go
from handing the plan to the runner (second validation, dry runs and intents are in them) to the last eviction
granted, `landed_seconds` to the last replacement ready. `budgets_kept`: in no state of the cluster, as a watch of its
pods shows them one by one, did an application have fewer ready pods than its budget demands. `serial_seconds`: the same
evictions by the plainest client, one request after the other.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import structlog
from _common import Figure, parser, show

from controlplane.binaries import ensure_binaries
from controlplane.client import pod_ready
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.intents import IntentStore
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.outcomes import ActionOutcome
from descheduler.execution.runner import PlanRunner
from descheduler.kube.client.cache import ClusterCache
from descheduler.kube.client.connection import KubeClient, connect
from descheduler.model.errors import ClusterError
from descheduler.model.plan import Action
from descheduler.policy.acting import ActingPolicy
from execution.live import REAL, Object, deployment, with_budget
from execution.plans import action, move_of, plan

_NODES = 8


@dataclass(frozen=True)
class Applications:
    """Applications of `replicas` pods; `moved` of each are evicted, and as many may be missing at once."""

    names: tuple[str, ...]
    moved: int
    budgets: bool = True

    @property
    def replicas(self) -> int:
        return 2 * self.moved


@dataclass
class Measured:
    """Seconds since the runner was given the plan."""

    evicted: int = 0
    granted: float = 0.0
    landed: float = 0.0
    kept: bool = True
    stopped: str = ""


def main() -> None:
    """Measure, and print the figures."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--pods", type=int, default=100, help="pods to evict in each run")
    arguments.add_argument("--apps", type=int, default=10, help="Deployments with a budget of their own")
    arguments.add_argument(
        "--parallel", type=int, default=ActingPolicy().max_parallel, help="evictions under way at once"
    )
    options = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    plane = ControlPlane.start(ensure_binaries())
    try:
        several = Applications(tuple(f"app-{i}" for i in range(options.apps)), -(-options.pods // options.apps))
        many = run(plane, several, options.pods, options.parallel)
        plane.reset()
        one = run(plane, Applications(("app-0",), options.pods), options.pods, options.parallel)
        plane.reset()
        free = run(plane, replace(several, budgets=False), options.pods, options.parallel)
        plane.reset()
        serial = plainly(plane, several, options.pods)
    finally:
        plane.stop()
    figures: dict[str, Figure] = {
        "seconds": many.granted,
        "seconds_one_budget": one.granted,
        "seconds_no_budget": free.granted,
        "landed_seconds": many.landed,
        "landed_seconds_one_budget": one.landed,
        "serial_seconds": serial,
        "budgets_kept": many.kept and one.kept,
        "evicted": many.evicted,
        "evicted_one_budget": one.evicted,
        "stopped": many.stopped or one.stopped,
    }
    show(f"Evicting {options.pods} pods", figures, as_json=options.json)


def run(plane: ControlPlane, apps: Applications, pods: int, parallel: int) -> Measured:
    """Execute one plan of one wave as the controller does, seeing by a watch cache."""
    actions = build(plane, apps, pods)
    client = connect(plane.kubeconfig())
    cache = ClusterCache(client, clock=time.time, rng=Random(0))
    cache.start()
    measured = Measured()
    try:
        if not cache.wait_synced(30):
            sys.exit(f"the cache is not synced: {cache.freshness()}")
        writer = ClusterWriter(client, Unelected())
        limits = replace(
            ExecutionLimits.of(ActingPolicy()), max_parallel=parallel, observe_every=0.05, ready=60.0, finish=60.0
        )
        runner = PlanRunner(
            writer, IntentStore(writer, "default"), cache.snapshot, REAL, Random(0), limits, notify=_Ticking(measured)
        )
        with watched(plane, apps) as least:
            _Ticking.began = time.perf_counter()
            report = runner.execute(plan(*actions))
            measured.landed = time.perf_counter() - _Ticking.began
        measured.evicted = report.evicted
        measured.stopped = str(report.stopped or "")
        measured.kept = all(seen >= apps.replicas - apps.moved for seen in least.values())
    finally:
        cache.stop()
        client.close()
    return measured


class _Ticking:
    """Hears that the evictions of an action are over."""

    began = 0.0

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def __call__(self, _: ActionOutcome) -> None:
        self._measured.granted = self._measured.granted or time.perf_counter() - self.began


def plainly(plane: ControlPlane, apps: Applications, pods: int) -> float:
    """The same evictions, one after the other; a refusal by a budget's conflict is asked again at once."""
    actions = build(plane, apps, pods)
    with connect_writer(plane) as writer:
        began = time.perf_counter()
        for one in actions:
            for move in one.pods:
                while True:
                    with suppress(ClusterError):
                        writer.evict(move.namespace, move.pod, move.uid)
                        break
        return time.perf_counter() - began


@contextmanager
def connect_writer(plane: ControlPlane) -> Iterator[ClusterWriter]:
    client = connect(plane.kubeconfig())
    yield ClusterWriter(client, Unelected())
    client.close()


def build(plane: ControlPlane, apps: Applications, pods: int) -> Sequence[Action]:
    """Nodes, applications and budgets; one action for each pod that is to be moved, the applications taking turns."""
    client = plane.client
    for i in range(_NODES):
        client.create_node(f"n{i}", cpu=64, memory="256Gi")
    client.wait_for_nodes()
    for app in apps.names:
        client.apply(deployment(app, apps.replicas, cpu="100m"))
    running: dict[str, list[Object]] = {}
    for app in apps.names:
        running[app] = list(client.wait_for_pods(apps.replicas, label_selector=f"app={app}", timeout=120))
        if apps.budgets:
            with_budget(client, app, app, apps.replicas - apps.moved, allowed=apps.moved)
    turns = [(app, running[app][i]) for i in range(apps.moved) for app in apps.names]
    return [action(move_of(pod, f"default/Deployment/{app}")) for app, pod in turns[:pods]]


@dataclass
class _Counting:
    """Ready pods of each application after every event; `least` is the fewest there ever were."""

    ready: dict[str, str] = field(default_factory=dict)  # uid -> application
    least: dict[str, int] = field(default_factory=dict)

    def take(self, kind: str, pod: Object) -> None:
        meta, app = pod["metadata"], pod["metadata"].get("labels", {}).get("app", "")
        if kind != "DELETED" and pod_ready(pod):
            self.ready[meta["uid"]] = app
        elif self.ready.pop(meta["uid"], None) is not None:
            left = sum(name == app for name in self.ready.values())
            self.least[app] = min(left, self.least.get(app, left))


@contextmanager
def watched(plane: ControlPlane, apps: Applications) -> Iterator[dict[str, int]]:
    """The fewest ready pods of each application in any state from now on."""
    client = connect(plane.kubeconfig())
    counting = _Counting()
    listed = json.loads(client.get("/api/v1/namespaces/default/pods"))
    for pod in listed["items"]:
        counting.take("ADDED", pod)
    counting.least = dict.fromkeys(apps.names, apps.replicas)
    query = {"watch": "true", "resourceVersion": listed["metadata"]["resourceVersion"]}
    lines = client.stream("/api/v1/namespaces/default/pods", query)

    def follow() -> None:
        for line in lines:
            event = json.loads(line)
            counting.take(event["type"], event["object"])

    thread = threading.Thread(target=follow, name="watcher", daemon=True)
    thread.start()
    try:
        yield counting.least
        _caught_up(plane, client, counting)
    finally:
        lines.close()
        thread.join(10)
        client.close()


def _caught_up(plane: ControlPlane, client: KubeClient, counting: _Counting) -> None:
    """Wait until the watch has shown all that a list shows now."""

    def same() -> bool:
        items = json.loads(client.get("/api/v1/namespaces/default/pods"))["items"]
        return {p["metadata"]["uid"] for p in items if pod_ready(p)} == set(counting.ready)

    plane.client.wait_for(same, timeout=60, what="the watch to show the last of it")


if __name__ == "__main__":
    main()
