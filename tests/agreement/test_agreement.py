"""Our predicates and the real kube-scheduler agree on small random clusters, and the predicted node is mostly right."""

from __future__ import annotations

import time
from typing import Any

from agreement.compare import run
from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.scheduler import WhatIf, prepare

CASES = 440
CLAIMS = 96


def test_ours_and_the_real_scheduler_agree(control_plane: ControlPlane) -> None:
    tally = run(control_plane, CASES, seed=20_261)
    assert tally.cases >= CASES
    assert [str(d) for d in tally.unexplained] == []
    assert tally.placed > CASES // 4
    assert tally.cases - tally.placed > CASES // 8
    rate = tally.hit_rate()
    assert rate is not None
    assert rate >= 0.9, tally.misses
    assert tally.refusals["node(s) exceed max volume count"] > 0


def test_ours_and_the_real_scheduler_give_claims_the_same_devices(control_plane: ControlPlane) -> None:
    tally = run(control_plane, CLAIMS, seed=20_262, claims=True)
    assert tally.cases >= CLAIMS
    assert [str(d) for d in tally.unexplained] == []
    assert tally.placed > CLAIMS // 4
    assert tally.refusals["cannot allocate all claims"] > CLAIMS // 8


def test_the_replacement_of_a_pod_that_shares_a_claim_is_held_to_its_devices(control_plane: ControlPlane) -> None:
    """On the other node devices are free; the old pod takes a minute to end, and has its claim until then."""
    client, api, driver = control_plane.client, "resource.k8s.io/v1", "gpu.held.test"
    for name in ("n1", "n2"):
        client.create_node(name)
        pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
        devices = [{"name": "gpu-0"}, {"name": "gpu-1"}]
        spec: dict[str, Any] = {"driver": driver, "nodeName": name, "pool": pool, "devices": devices}
        client.create({"apiVersion": api, "kind": "ResourceSlice", "metadata": {"name": name}, "spec": spec})
    client.wait_for_nodes("n1", "n2")
    chosen = [{"cel": {"expression": f"device.driver == '{driver}'"}}]
    client.create(
        {"apiVersion": api, "kind": "DeviceClass", "metadata": {"name": "held"}, "spec": {"selectors": chosen}}
    )
    asked = {"devices": {"requests": [{"name": "one", "exactly": {"deviceClassName": "held"}}]}}
    client.create({"apiVersion": api, "kind": "ResourceClaim", "metadata": {"name": "ours"}, "spec": asked})
    pod = asking("ignored", "100m")
    pod["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimName": "ours"}]
    made = {"metadata": {"labels": {"app": "web"}, "annotations": pod["metadata"]["annotations"]}, "spec": pod["spec"]}
    wanted = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": made}
    client.create({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"}, "spec": wanted})
    before = client.wait_for_pods(2)
    (home,) = {one["spec"]["nodeName"] for one in before}
    state = seen(control_plane)
    at = state.placement.snapshot.pod_index["default", before[0]["metadata"]["name"]]
    assert [state.placement.snapshot.nodes[n].name for n in state.fits(at).nonzero()[0].tolist()] == [home]
    for one in before:
        client.evict(one["metadata"]["name"])
    gone = {one["metadata"]["name"] for one in before}

    def placed() -> list[Any]:
        found = [p for p in client.list("Pod") if p["metadata"]["name"] not in gone and p["spec"].get("nodeName")]
        return found if len(found) == 2 else []

    assert {one["spec"]["nodeName"] for one in client.wait_for(placed, what="replacements")} == {home}


def test_room_that_is_kept_for_a_pod_which_preempted_others(control_plane: ControlPlane) -> None:
    """Of four cores two are free, and two still a victim's; three will be those of the pod that it made way for."""
    client = control_plane.client
    client.create_node("n1", cpu="4")
    client.wait_for_nodes("n1")
    for name, value, preempts in (("high", 1000, "PreemptLowerPriority"), ("higher", 2000, "Never")):
        made = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
        client.create({**made, "value": value, "preemptionPolicy": preempts})
    client.create(asking("victim", "2"))
    client.wait_for(lambda: client.get("Pod", "victim")["status"].get("phase") == "Running", what="the victim")
    client.create(asking("big", "3", "high"))
    client.wait_for(lambda: client.get("Pod", "big")["status"].get("nominatedNodeName") == "n1", what="a nomination")

    client.create(asking("low", "2"))
    client.wait_for(lambda: refused(client, "low"), what="a refusal")
    state = seen(control_plane)
    low = state.placement.snapshot.pod_index["default", "low"]
    assert not state.fits(low).any()
    assert "1 Insufficient cpu" in state.explain_text(low)
    assert "1 Insufficient cpu" in refused(client, "low")

    client.create(asking("above", "2", "higher"))
    client.wait_for(lambda: client.get("Pod", "above")["spec"].get("nodeName"), what="a place for who ranks above")
    state = seen(control_plane)
    assert state.fits(state.placement.snapshot.pod_index["default", "above"]).all()


def seen(plane: ControlPlane) -> WhatIf:
    reader = connect(plane.kubeconfig())
    try:
        snapshot = read_cluster(reader, clock=time.time)
        assert str(snapshot.release) == "1.36"  # by whose scores all of this is compared
        return prepare(snapshot).what_if()
    finally:
        reader.close()


def asking(name: str, cpu: str, priority: str = "") -> dict[str, Any]:
    """A pod that takes a minute to end."""
    resources = {"requests": {"cpu": cpu}}
    spec: dict[str, Any] = {"containers": [{"name": "main", "image": "none", "resources": resources}]}
    if priority:
        spec["priorityClassName"] = priority
    meta = {"name": name, "annotations": {"kubelet.test/stop-after": "60s"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {**spec, "terminationGracePeriodSeconds": 60}}


def refused(client: ApiClient, name: str) -> str:
    """The scheduler's words, empty while it has not decided."""
    conditions = client.get("Pod", name)["status"].get("conditions") or ()
    return next((c["message"] for c in conditions if c.get("reason") == "Unschedulable"), "")
