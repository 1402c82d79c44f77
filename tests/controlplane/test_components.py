"""The real components do what the other tests rely on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import urllib3

from controlplane.browser import Browser
from controlplane.client import ApiStatusError, condition, pod_ready
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds, definitions
from controlplane.prometheus import BASIC_AUTH, PrometheusServer, Series

POD_GROUP = "scheduling.k8s.io/v1alpha2"


def pod_spec(**requests: str) -> dict[str, Any]:
    resources = {"requests": requests, "limits": {k: v for k, v in requests.items() if "/" in k}}
    return {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "test/main", "resources": resources}],
    }


def deployment(name: str, replicas: int, *, labels: dict[str, str] | None = None, **requests: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name, **(labels or {})}}, "spec": pod_spec(**requests)}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def gang(name: str, size: int, gpus: int) -> list[dict[str, Any]]:
    group = {
        "apiVersion": POD_GROUP,
        "kind": "PodGroup",
        "metadata": {"name": name},
        "spec": {"schedulingPolicy": {"gang": {"minCount": size}}},
    }
    spec = {**pod_spec(cpu="1", **{"nvidia.com/gpu": str(gpus)}), "schedulingGroup": {"podGroupName": name}}
    meta = {"labels": {"gang": name}}
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{name}-{i}", **meta}, "spec": spec}
        for i in range(size)
    ]
    return [group, *pods]


def test_nodes_become_ready_with_their_gpus_and_a_deployment_runs(control_plane: ControlPlane) -> None:
    client = control_plane.client
    client.create_node("gpu-1", cpu=96, memory="1Ti", gpus=8, zone="a")
    client.create_node("cpu-1", zone="b", taints=[{"key": "dedicated", "value": "x", "effect": "NoSchedule"}])
    client.wait_for_nodes("gpu-1", "cpu-1")
    client.apply(deployment("web", 3, cpu="500m", memory="1Gi"))
    pods = client.wait_for_pods(3, label_selector="app=web")

    assert client.get("Node", "gpu-1")["status"]["allocatable"]["nvidia.com/gpu"] == "8"
    assert {p["spec"]["nodeName"] for p in pods} == {"gpu-1"}
    assert all(p["status"]["phase"] == "Running" and condition(p, "PodScheduled") == "True" for p in pods)
    assert client.request("GET", "/version")["gitVersion"] == "v1.36.3"


def test_kubelet_label_chooses_when_a_pod_is_ready_and_whether_it_ends(control_plane: ControlPlane) -> None:
    client = control_plane.client
    client.create_node("n1")
    for behaviour in ("slow-ready", "never-ready", "completes", "fails"):
        meta = {
            "name": behaviour,
            "labels": {"kubelet.test/pod": behaviour},
            "annotations": {"kubelet.test/ready-after": "700ms", "kubelet.test/end-after": "100ms"},
        }
        client.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": meta,
                "spec": {**pod_spec(cpu="1"), "restartPolicy": "Never"},
            }
        )

    def phase(name: str) -> str:
        return str(client.get("Pod", name)["status"]["phase"])

    client.wait_for(lambda: phase("slow-ready") == "Running", what="slow-ready to run")
    assert not pod_ready(client.get("Pod", "slow-ready"))
    client.wait_for(lambda: pod_ready(client.get("Pod", "slow-ready")), what="slow-ready to be ready")
    client.wait_for(lambda: phase("completes") == "Succeeded" and phase("fails") == "Failed", what="both to end")
    assert phase("never-ready") == "Running"
    assert condition(client.get("Pod", "never-ready"), "Ready") == "False"


def test_job_completes_and_another_one_goes_on(control_plane: ControlPlane) -> None:
    client = control_plane.client
    client.create_node("n1")
    for name, labels in (("short", {"kubelet.test/pod": "completes"}), ("long", {})):
        spec = {**pod_spec(cpu="1"), "restartPolicy": "Never"}
        job = {
            "template": {
                "metadata": {"labels": labels, "annotations": {"kubelet.test/end-after": "50ms"}},
                "spec": spec,
            }
        }
        client.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": job})
    client.wait_for(
        lambda: condition(client.get("Job", "short"), "Complete") == "True", what="the short job to complete"
    )
    assert client.get("Job", "long")["status"]["active"] == 1


def test_disruption_budget_refuses_an_eviction_with_429_and_its_cause(control_plane: ControlPlane) -> None:
    client = control_plane.client
    client.create_node("n1")
    client.apply(deployment("web", 2, cpu="100m"))
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    client.apply(
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": budget}
    )
    pods = client.wait_for_pods(2, label_selector="app=web")
    client.wait_for(
        lambda: client.get("PodDisruptionBudget", "web").get("status", {}).get("currentHealthy") == 2,
        what="the budget to be counted",
    )
    victim = pods[0]["metadata"]

    with pytest.raises(ApiStatusError) as refused:
        client.evict(victim["name"], uid=victim["uid"])
    assert refused.value.code == 429
    assert [cause["reason"] for cause in refused.value.causes] == ["DisruptionBudget"]

    client.patch("PodDisruptionBudget", "web", {"spec": {"minAvailable": 1}})
    client.wait_for(
        lambda: client.get("PodDisruptionBudget", "web")["status"]["disruptionsAllowed"] == 1,
        what="one allowed disruption",
    )
    client.evict(victim["name"], uid=victim["uid"])
    after = client.wait_for(
        lambda: [p for p in client.wait_for_pods(2, label_selector="app=web") if p["metadata"]["uid"] != victim["uid"]],
        what="a replacement",
    )
    assert victim["name"] not in {p["metadata"]["name"] for p in after}


def test_native_gang_runs_whole_and_one_that_does_not_fit_waits_whole(control_plane: ControlPlane) -> None:
    client = control_plane.client
    for name in ("gpu-1", "gpu-2", "gpu-3"):
        client.create_node(name, cpu=96, memory="1Ti", gpus=8)
    client.wait_for_nodes()
    for obj in gang("fits", 2, 8):
        client.apply(obj)
    running = client.wait_for_pods(2, label_selector="gang=fits")
    assert len({p["spec"]["nodeName"] for p in running}) == 2

    for obj in gang("too-big", 4, 8):
        client.apply(obj)

    def all_refused() -> bool:
        waiting = client.list("Pod", "default", label_selector="gang=too-big")
        return len(waiting) == 4 and all(condition(p, "PodScheduled") == "False" for p in waiting)

    client.wait_for(all_refused, what="the scheduler's verdict on every pod of the gang")
    waiting = client.list("Pod", "default", label_selector="gang=too-big")
    assert [p["spec"].get("nodeName") for p in waiting] == [None] * 4  # though one of them would fit on gpu-3


def test_unprivileged_users_are_refused_until_a_role_is_bound(control_plane: ControlPlane) -> None:
    with control_plane.client_for("descheduler") as stranger:
        with pytest.raises(ApiStatusError, match="cannot list resource") as refused:
            stranger.request("GET", "/api/v1/pods")
        assert refused.value.code == 403
        rbac = "rbac.authorization.k8s.io"
        binding = {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "test-view"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "view"},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": "descheduler"}],
        }
        control_plane.client.apply(binding)
        stranger.wait_for(lambda: _allowed(stranger, "/api/v1/pods"), what="the binding to hold")


def _allowed(client: Any, path: str) -> bool:
    try:
        client.request("GET", path)
    except ApiStatusError as refused:
        if refused.code == 403:
            return False
        raise
    return True


def test_service_account_token_is_real(control_plane: ControlPlane) -> None:
    client = control_plane.client
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tools"}})
    client.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mover", "namespace": "tools"}})
    token = control_plane.service_account_token("tools", "mover")
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    user = client.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]["user"]
    assert user["username"] == "system:serviceaccount:tools:mover"


def test_reset_leaves_nothing_behind(control_plane: ControlPlane) -> None:
    client = control_plane.client
    client.create_node("n1")
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    held = {"name": "held", "namespace": "team", "finalizers": ["example.com/hold"]}
    client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": held, "data": {}})
    client.apply(deployment("web", 5, cpu="100m"))
    client.wait_for_pods(5)
    control_plane.reset()
    assert client.list("Pod") == []
    assert client.list("Node") == []
    assert client.get_or_none("Namespace", "team") is None
    assert client.list("Deployment") == []


def test_definitions_of_other_systems_are_served_and_validated(control_plane: ControlPlane) -> None:
    client = control_plane.client
    apply_crds(client)
    for definition in definitions():
        group, names = definition["spec"]["group"], definition["spec"]["names"]
        for version in definition["spec"]["versions"]:
            assert client.list(names["kind"], "default", api_version=f"{group}/{version['name']}") == []
    group = {"apiVersion": "scheduling.x-k8s.io/v1alpha1", "kind": "PodGroup", "metadata": {"name": "g"}}
    stored = client.apply({**group, "spec": {"minMember": 4}, "status": {"phase": "Running", "running": 4}})
    assert (stored["spec"]["minMember"], stored["status"]["running"]) == (4, 4)
    with pytest.raises(ApiStatusError, match="minMember"):
        client.apply({**group, "spec": {"minMember": "four"}})


def _query(url: str, path: str, **parameters: str) -> Any:
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            "GET", f"{url}{path}", fields=parameters, headers=urllib3.make_headers(basic_auth=":".join(BASIC_AUTH))
        )
        assert answer.status == 200, answer.data
        return answer.json()["data"]["result"]


def test_prometheus_answers_over_back_filled_days(prometheus_server: Callable[..., PrometheusServer]) -> None:
    step, days = 300, 5
    end = int(time.time()) // step * step
    times = np.arange(end - days * 86400, end, step)
    values = np.sin(times / 86400 * 2 * np.pi)
    values[10:20] = np.nan
    server = prometheus_server([Series("load", {"pod": 'we"b', "namespace": "a"}, times, values)])

    found = _query(
        server.url, "/api/v1/query_range", query="load", start=str(times[0]), end=str(times[-1]), step=str(step)
    )
    got = np.array(found[0]["values"], dtype=float)[-1000:]
    assert found[0]["metric"] == {"__name__": "load", "pod": 'we"b', "namespace": "a"}
    assert got[-1, 0] == times[-1]
    np.testing.assert_allclose(got[:, 1], values[-1000:], atol=1e-12)


def test_prometheus_comes_back_with_its_data_after_an_outage(
    prometheus_server: Callable[..., PrometheusServer],
) -> None:
    moment = int(time.time()) - 86400
    server = prometheus_server(f"up 1 {moment}\n# EOF\n", basic_auth=True)
    with urllib3.PoolManager(retries=False) as pool:
        assert pool.request("GET", f"{server.url}/api/v1/query?query=1").status == 401
        server.kill()
        with pytest.raises(urllib3.exceptions.HTTPError):
            pool.request("GET", f"{server.url}/api/v1/query?query=1")
    server.restart()
    assert _query(server.url, "/api/v1/query", query="up", time=str(moment))[0]["value"] == [moment, "1"]


def test_browser_renders_a_page_and_hears_its_console(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<!doctype html><meta charset=utf-8><title>t</title><style>body{color:rgb(1,2,3)}"
        "@media(prefers-color-scheme:dark){body{color:rgb(4,5,6)}}</style>"
        "<p id=out></p><script>document.getElementById('out').textContent = 6 * 7; console.error('loud')</script>"
    )
    browser.open(page)
    assert browser.text("#out") == "42"
    assert [line for line in browser.console_errors() if "loud" in line]
    assert browser.console_errors() == []
    browser.emulate(dark=True)
    assert browser.run("return getComputedStyle(document.body).color") == "rgb(4, 5, 6)"
    assert browser.screenshot(tmp_path / "shot.png").read_bytes().startswith(b"\x89PNG")
