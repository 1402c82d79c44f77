"""A small cluster to walk through: one node that is hot every day for two hours, and three with room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from builders import NOW, cluster, key, node, owner, pod, workload
from descheduler.backtest.world import World, world_of
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy import Policy, load_policy
from descheduler_profiling.series import History
from histories import history, peaking, steady

HOUR = 3600.0
POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
limits: {perWorkload: 50%}
strategies:
  - HotNodes: {thresholds: {cpu: 75%, memory: 85%}}
"""


def policy(text: str = POLICY) -> Policy:
    return load_policy(text, "policy.yaml")


def snapshot() -> ClusterSnapshot:
    """Four replicas of `web` on n1, one of `api` on each node."""
    pods = [
        pod(
            f"{name}-{i}", node=on, cpu="1", memory="1Gi", created=NOW - 9 * 86_400, owners=(owner("ReplicaSet", name),)
        )
        for name, nodes in (("web", ("n1", "n1", "n1", "n1")), ("api", ("n1", "n2", "n3", "n4")))
        for i, on in enumerate(nodes)
    ]
    kinds = [
        made
        for name in ("web", "api")
        for made in (
            replace(workload("ReplicaSet", name, 4), owners=(owner("Deployment", name),)),
            workload("Deployment", name, 4),
        )
    ]
    return cluster([node(f"n{i}", cpu="8", memory="32Gi") for i in range(1, 5)], pods, workloads=kinds)


def histories() -> Mapping[str, History]:
    """`web` peaks every day for two hours, next half an hour after the end."""
    web, api = key("Deployment", "web"), key("Deployment", "api")
    memory = {name: steady(2.0**29) for name in (web, api)}
    return {
        "cpu": history("cpu", {web: peaking(0.3, 1.6, 30), api: steady(0.3)}),
        "memory": history("memory", memory),
    }


def world(begin: float = NOW - 25 * HOUR, end: float = NOW - 21 * HOUR, **changed: History) -> World:
    return world_of(snapshot(), {**histories(), **changed}, begin, end)


def noisy_after(one: History, time: float) -> History:
    """The same history with noise for all that comes after a time."""
    values = one.values.copy()
    first = int((time - one.start) // one.step) + 1
    shape = values[:, first:].shape
    values[:, first:] = np.random.default_rng(1).uniform(0, 2 * float(np.nanmax(values)), shape)
    return replace(one, values=values)
