"""What execution tests need of a real control plane: workloads on it, and runners that act as one of its users."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.transport import Leadership, Transport, Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.intents import IntentStore
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.runner import PlanRunner
from descheduler.kube.client.connection import KubeClient, connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.policy.acting import ActingPolicy

REAL = Clock(time.time, time.monotonic, time.sleep)
QUICK = replace(ExecutionLimits.of(ActingPolicy()), budget_retry=0.1, observe_every=0.05, finish=20.0, ready=20.0)

Object = dict[str, Any]


def client_of(plane: ControlPlane, user: str = "admin") -> KubeClient:
    return connect(plane.kubeconfig(user))


def runner(
    plane: ControlPlane,
    transport: Transport | None = None,
    *,
    leadership: Leadership | None = None,
    limits: ExecutionLimits = QUICK,
    **rest: Any,
) -> PlanRunner:
    """A runner that sees by fresh lists, and writes through `transport` (as admin, unless given)."""
    reader = client_of(plane)
    writer = ClusterWriter(transport or reader, leadership or Unelected())
    store = IntentStore(writer, "default")
    return PlanRunner(
        writer, store, lambda: read_cluster(reader, clock=time.time), REAL, Random(1), limits=limits, **rest
    )


def pod_spec(**requests: str) -> Object:
    return {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "test/main", "resources": {"requests": requests}}],
    }


def deployment(
    name: str, replicas: int, labels: Mapping[str, str] | None = None, scheduler: str = "", **requests: str
) -> Object:
    template = {"metadata": {"labels": {"app": name, **(labels or {})}}, "spec": pod_spec(**requests or {"cpu": "1"})}
    if scheduler:
        template["spec"]["schedulerName"] = scheduler
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def budget(name: str, app: str, minimum: int | str) -> Object:
    spec = {"minAvailable": minimum, "selector": {"matchLabels": {"app": app}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}


def run_deployment(client: ApiClient, name: str, replicas: int, scheduler: str = "", **labels: str) -> list[Object]:
    """A running Deployment; its pods by name."""
    client.apply(deployment(name, replicas, labels, scheduler))
    return sorted(client.wait_for_pods(replicas, label_selector=f"app={name}"), key=lambda p: p["metadata"]["name"])


def with_budget(client: ApiClient, name: str, app: str, minimum: int | str, allowed: int) -> None:
    """A budget, once its controller has counted `allowed` disruptions."""
    client.apply(budget(name, app, minimum))

    def counted() -> bool:
        status = client.get("PodDisruptionBudget", name).get("status", {})
        return bool(status.get("currentHealthy")) and status.get("disruptionsAllowed") == allowed

    client.wait_for(counted, what=f"budget {name} to allow {allowed}")


def uids(client: ApiClient, app: str) -> set[str]:
    """Uids of the pods that are there and stay."""
    pods = client.list("Pod", "default", label_selector=f"app={app}")
    ended = ("Succeeded", "Failed")
    stay = [p for p in pods if "deletionTimestamp" not in p["metadata"] and p["status"].get("phase") not in ended]
    return {p["metadata"]["uid"] for p in stay}


class Killed(BaseException):
    """The process dies: nothing that it would have done afterwards happens."""


class Dying:
    """A transport that lets `writes` writes through and then kills whoever sends the next, for good.

    With `after` the last write reaches the server before the death, else it does not. `sent` counts those let through.
    """

    def __init__(self, inner: Transport, writes: int, *, after: bool) -> None:
        self._inner = inner
        self._left = writes
        self._after = after
        self.died = False
        self.sent = 0

    def request(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> bytes:
        if self.died:
            raise Killed
        if method == "GET" or "dryRun" in (rest.get("query") or {}):
            return self._inner.request(method, path, body, **rest)
        self._left -= 1
        if self._left >= 0:
            self.sent += 1
            return self._inner.request(method, path, body, **rest)
        self.died = True
        if self._after:
            self._inner.request(method, path, body, **rest)
        raise Killed


class Racing:
    """A transport that calls `meddle` right after the `n`-th real eviction was granted."""

    def __init__(self, inner: Transport, n: int, meddle: Callable[[], None]) -> None:
        self._inner = inner
        self._left = n
        self._meddle = meddle

    def request(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> bytes:
        answer = self._inner.request(method, path, body, **rest)
        if path.endswith("/eviction") and "dryRun" not in (rest.get("query") or {}):
            self._left -= 1
            if self._left == 0:
                self._meddle()
        return answer


def serial(limits: ExecutionLimits = QUICK) -> ExecutionLimits:
    """One eviction after the other, so that the n-th write is the same in every run."""
    return replace(limits, max_parallel=1)
