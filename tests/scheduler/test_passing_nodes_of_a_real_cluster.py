"""The real scheduler puts pods on nodes where they will not stay: such a landing is foreseen, and refused."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.scheduler import prepare

Object = dict[str, Any]
TAINT = {"key": "example.com/passing", "effect": "NoExecute"}


def pod(name: str, node: str, seconds: int | None = None) -> Object:
    toleration: Object = {"key": TAINT["key"], "operator": "Exists", "effect": "NoExecute"}
    if seconds is not None:
        toleration["tolerationSeconds"] = seconds
    spec = {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "tolerations": [toleration],
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "test/main"}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def bound(client: ApiClient, name: str) -> str:
    return str(client.wait_for(lambda: client.get("Pod", name)["spec"].get("nodeName"), what=f"a node for {name}"))


def test_nothing_keeps_the_scheduler_away_from_nodes_on_which_a_pod_does_not_stay(control_plane: ControlPlane) -> None:
    client = control_plane.client
    client.create_node("going")
    client.create_node("tainted", taints=[TAINT])
    client.wait_for_nodes("going", "tainted")
    client.patch("Node", "going", {"metadata": {"finalizers": ["example.com/machine"]}})
    client.delete("Node", "going")
    try:
        for made in (pod("on-going", "going"), pod("for-ever", "tainted"), pod("for-a-while", "tainted", seconds=8)):
            client.create(made)
        on = {name: bound(client, name) for name in ("on-going", "for-ever", "for-a-while")}
        assert on == {"on-going": "going", "for-ever": "tainted", "for-a-while": "tainted"}
        assert foreseen(control_plane, on) == {
            "on-going": [("going", False)],
            "for-ever": [("tainted", True)],
            "for-a-while": [("tainted", False)],
        }
        client.wait_for(lambda: client.get_or_none("Pod", "for-a-while") is None, what="the taint to evict the pod")
        assert client.get_or_none("Pod", "for-ever") is not None
    finally:
        client.patch("Node", "going", {"metadata": {"finalizers": None}})


def foreseen(plane: ControlPlane, pods: Iterable[str]) -> dict[str, list[tuple[str, bool]]]:
    """Where each pod would land, and whether it would stay there."""
    reader = connect(plane.kubeconfig("admin"))
    snapshot = read_cluster(reader, clock=time.time)
    reader.close()
    state = prepare(snapshot).what_if()
    found: dict[str, list[tuple[str, bool]]] = {}
    for name in pods:
        at = snapshot.pod_index["default", name]
        state.remove(at)
        nodes = np.array([node for node, _ in state.likely(at)], np.int32)
        names = [snapshot.nodes[node].name for node in nodes]
        found[name] = list(zip(names, state.stays(at, nodes).tolist(), strict=True))
    return found
