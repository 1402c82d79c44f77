"""What stopping and starting whole Jobs is like: a part of `migrate.py`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from _common import Figure

from controlplane.cluster import ControlPlane
from descheduler.apiwrite.writer import NAMESPACE
from descheduler.execution.runner import PlanRunner
from execution.jobs import run_job
from execution.kill_points import leaked
from execution.plans import action, move_of, plan

Acting = Callable[[ControlPlane], AbstractContextManager[PlanRunner]]


def requeue(plane: ControlPlane, acting: Acting, pods: int, jobs: int) -> dict[str, Figure]:
    """So many Jobs in one wave; `lost` counts the pods whose work began anew, `stuck` what is left of ours."""
    each = max(1, pods // jobs)
    plane.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    plane.client.create_node("from", cpu=64, memory="256Gi")
    plane.client.wait_for_nodes()
    running = {name: run_job(plane.client, name, each) for name in (f"job-{i}" for i in range(jobs))}
    units = [
        replace(action(*(move_of(p, f"default/Job/{name}") for p in found), gang=each > 1), executor="requeue")
        for name, found in running.items()
    ]
    with acting(plane) as runner:
        began = time.perf_counter()
        report = runner.execute(plan(*units))
        seconds = time.perf_counter() - began
    left = [*leaked(plane.client), *runner.intents.load()]
    return {"seconds": seconds, "lost": report.evicted, "stuck": len(left), "stopped": str(report.stopped or "")}
