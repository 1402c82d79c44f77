"""What moving pods by one executor is like on a real control plane: how long, how many are missing, where they land.

Half of the pods of several apps are moved in one wave, each directed to the node that the plan names (by the
admission policy of overlay `active-directed`, or by the executor, in the world of its scene: `execution.scenes`).
`seconds` goes from handing the plan to the runner to its end, when all replacements are ready. `ready_min` is the least
that any app ever had of ready pods, as a watch shows state by state, divided by what it wants;
`landed_as_planned` the share of pods that came up on planned nodes, `moved` the share that moved at all. `lost` counts
pods that left before another was ready in their place, so that their work began anew; `stuck` what is left of ours:
intents, entries, marks, Reservations, taints. `requeue` moves whole Jobs (`migrate_jobs`), which the scheduler places.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import migrate_jobs
import structlog
from _common import Figure, parser, show

from controlplane.binaries import ensure_binaries
from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.witness import witnessed
from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.intents import IntentStore
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.outcomes import ActionOutcome
from descheduler.execution.runner import PlanRunner
from descheduler.kube.client.cache import ClusterCache
from descheduler.kube.client.connection import connect
from descheduler.model.plan import Action, PodMove
from descheduler.policy.acting import ActingPolicy
from execution.kill_points import leaked
from execution.live import REAL
from execution.plans import action, plan
from execution.scenes.registry import SCENES
from execution.scenes.scene import Scene
from execution.test_live_directing import NAMESPACE, directions, install, wrong

_NODES = 4
"""That pods come from, and as many that they go to."""


def main() -> None:
    """Measure, and print the figures."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--executor", choices=sorted(SCENES), default="surge")
    arguments.add_argument("--pods", type=int, default=50, help="pods to move")
    arguments.add_argument("--apps", type=int, default=10, help="apps that they belong to")
    options = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    plane = ControlPlane.start(ensure_binaries())
    try:
        if options.executor == "requeue":
            figures = migrate_jobs.requeue(plane, acting, options.pods, options.apps)
        else:
            figures = migrate(plane, SCENES[options.executor], options.pods, options.apps)
    finally:
        plane.stop()
    show(f"Moving {options.pods} pods by {options.executor}", figures, as_json=options.json)


def migrate(plane: ControlPlane, scene: Scene, pods: int, apps: int) -> dict[str, Figure]:
    """One wave, carried out as the controller does it, seeing by a watch cache."""
    each = -(-pods // apps)
    prepare(plane, scene)
    with scene.world(plane):
        units = build(plane, scene, pods, apps, each)
        with acting(plane) as runner, witnessed(plane) as witness:
            began = time.perf_counter()
            report = runner.execute(plan(*units))
            seconds = time.perf_counter() - began
    landed = _as_planned(report.actions)
    left = [*leaked(plane.client), *runner.intents.load(), *directions(plane.client)]
    return {
        "seconds": seconds,
        "ready_min": min(witness.least.values(), default=2 * each) / (2 * each),
        "landed_as_planned": landed / len(units),
        "moved": report.evicted / len(units),
        "lost": len(witness.lost),
        "stuck": len(left),
        "stopped": str(report.stopped or ""),
    }


def prepare(plane: ControlPlane, scene: Scene) -> None:
    """Have directions followed, where the scene relies on them."""
    if scene.directed:
        install(plane.client)
        plane.client.wait_for(lambda: not wrong(plane), what="the admission policy to be in force")
    else:
        plane.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})


@contextmanager
def acting(plane: ControlPlane) -> Iterator[PlanRunner]:
    client = connect(plane.kubeconfig())
    cache = ClusterCache(client, clock=time.time, rng=Random(0))
    cache.start()
    try:
        if not cache.wait_synced(30):
            sys.exit(f"the cache is not synced: {cache.freshness()}")
        limits = replace(ExecutionLimits.of(ActingPolicy()), observe_every=0.1, ready=120.0)
        writer = ClusterWriter(client, Unelected())
        yield PlanRunner(writer, IntentStore(writer, NAMESPACE), cache.snapshot, REAL, Random(0), limits)
    finally:
        cache.stop()
        client.close()


def build(plane: ControlPlane, scene: Scene, pods: int, apps: int, each: int) -> Sequence[Action]:
    """Applications that fill the first nodes, of which half the pods are to go to others that are still empty."""
    names = [f"app-{i}" for i in range(apps)]
    _nodes(plane.client, "from")
    moves = [scene.app(plane.client, name, 2 * each) for name in names]
    _nodes(plane.client, "to")
    uids = _owners(plane.client)
    turns = [(i, moves[i][at]) for at in range(each) for i in range(apps)]
    return [_unit(move, scene, f"to-{i % _NODES}", uids[move.pod]) for i, move in turns[:pods]]


def _nodes(client: ApiClient, stem: str) -> None:
    for i in range(_NODES):
        client.create_node(f"{stem}-{i}", cpu=64, memory="256Gi")
    client.wait_for_nodes()


def _owners(client: ApiClient) -> dict[str, str]:
    """Uids of the controllers of pods, by the names of these; empty where there is none."""
    metas = [pod["metadata"] for pod in client.list("Pod", "default")]
    return {m["name"]: next((o["uid"] for o in m.get("ownerReferences", ()) if o.get("controller")), "") for m in metas}


def _unit(move: PodMove, scene: Scene, node: str, owner: str) -> Action:
    move = replace(move, destination=node)
    if scene.directed:
        move = replace(move, towards=(node,), direction=owner)
    return action(move, executor=scene.executor)


def _as_planned(actions: Sequence[ActionOutcome]) -> int:
    """Pods of one owner are alike: as many as were planned for a node and are there."""
    moved = [(one.move.workload, one.move.destination, one.landed) for outcome in actions for one in outcome.pods]
    planned = Counter((workload, node) for workload, node, _ in moved)
    found = Counter((workload, node) for workload, _, node in moved)
    return sum((planned & found).values())


if __name__ == "__main__":
    main()
