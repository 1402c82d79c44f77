"""Autoscalers and addresses of nodes as a real API server writes them, its defaults filled in."""

from __future__ import annotations

import time
from typing import Any

from controlplane.cluster import ControlPlane
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.nodes import node_names
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.autoscalers import Autoscaler, autoscalers


def scaler(name: str, **spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "maxReplicas": 9, **spec},
    }


def test_what_an_autoscaler_leaves_out_is_what_the_api_makes_of_it(control_plane: ControlPlane) -> None:
    client = control_plane.client
    client.create_node("n1")
    client.wait_for_nodes("n1")
    client.create(scaler("plain"))
    slow = {"scaleDown": {"stabilizationWindowSeconds": 900}, "scaleUp": {"selectPolicy": "Disabled"}}
    client.create(scaler("slow", minReplicas=3, behavior=slow))
    by_value = {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "250m"}}
    client.create(scaler("value", metrics=[{"type": "Resource", "resource": by_value}]))
    outside = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "30"}}
    client.create(scaler("queue", metrics=[{"type": "External", "external": outside}]))

    reading = connect(control_plane.kubeconfig())
    try:
        snapshot = read_cluster(reading, clock=time.time)
    finally:
        reading.close()
    found = autoscalers(snapshot)
    assert found is not None
    by_name = {key.name: one for key, one in found.items() if key == WorkloadKey("default", "Deployment", key.name)}
    assert by_name["plain"] == Autoscaler("plain", 1, 9, share=0.8)
    assert by_name["slow"] == Autoscaler("slow", 3, 9, share=0.8, down=900, more=False)
    assert by_name["value"] == Autoscaler("value", 1, 9, cores=0.25)
    assert by_name["queue"] == Autoscaler("queue", 1, 9)
    (node,) = snapshot.nodes
    assert node.addresses, "kwok gives its nodes an address"
    assert all(node_names(snapshot.nodes)[address] == "n1" for address in node.addresses)
