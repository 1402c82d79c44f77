"""Recommendation objects on a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from descheduler.apiwrite.transport import Leadership, Unelected
from descheduler.apiwrite.writer import MANAGED_BY, ClusterWriter
from descheduler.model.errors import Forbidden, LeadershipLost
from descheduler.model.workloads import WorkloadKey
from descheduler.publish.advice import Advice
from descheduler.publish.recommendations import API_VERSION, Recommendations, Written, name_of, served
from execution.fakes import Fence
from execution.live import client_of, deployment, run_deployment

NOW = 1_793_275_200.0  # 2026-10-29T12:00:00Z
WEB = WorkloadKey("default", "Deployment", "web")
GIB = 2.0**30


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    client = control_plane.client
    apply_crds(client)
    client.create_node("n1")
    client.wait_for_nodes("n1")
    return client


def recommending(plane: ControlPlane, leadership: Leadership | None = None, user: str = "admin") -> Recommendations:
    return Recommendations(ClusterWriter(client_of(plane, user), leadership or Unelected()))


def advice(client: ApiClient, cpu: float = 0.5, memory: float = GIB, app: str = "web") -> Advice:
    (pod, *_) = run_deployment(client, app, 1)
    uid = client.get("Deployment", app)["metadata"]["uid"]
    key = WorkloadKey("default", "Deployment", app)
    return Advice(key, "apps/v1", uid, pod["metadata"]["name"], {"cpu": cpu, "memory": memory}, "p95 of the next 24 h")


def stored(client: ApiClient, name: str = "deployment-web") -> dict[str, Any]:
    return client.get("Recommendation", name)


def test_a_recommendation_is_written_with_its_status_and_belongs_to_its_workload(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    one = advice(client, cpu=0.4321, memory=1.5 * GIB)
    assert recommending(control_plane).publish([one], NOW) == Written(written=1)
    made = stored(client)
    assert made["spec"]["target"] == {
        "type": "workload",
        "workload": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
    }
    assert made["metadata"]["labels"] == {MANAGED_BY: "descheduler"}
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Deployment", one.uid)
    status = made["status"]
    assert status["updateTime"] == "2026-10-29T12:00:00Z"
    assert status["podStatus"]["containerStatuses"] == [
        {"containerName": "main", "resources": {"cpu": "433m", "memory": "1536Mi"}}
    ]
    (condition,) = status["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Recommended", "True", "Forecast")
    assert condition["message"] == "p95 of the next 24 h"


def test_it_is_written_again_when_it_changes_or_ages_and_not_before(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    writer, one = recommending(control_plane), advice(client)
    near = Advice(one.workload, one.api_version, one.uid, one.pod, {"cpu": 0.51, "memory": GIB})
    far = Advice(one.workload, one.api_version, one.uid, one.pod, {"cpu": 0.8, "memory": GIB})
    unsure = Advice(one.workload, one.api_version, one.uid, one.pod, None)
    assert writer.publish([one], NOW) == Written(written=1)
    assert writer.publish([near], NOW + 300) == Written(unchanged=1)
    assert writer.publish([far], NOW + 600) == Written(written=1)
    assert stored(client)["status"]["podStatus"]["containerStatuses"][0]["resources"]["cpu"] == "800m"
    assert writer.publish([unsure], NOW + 9000) == Written(unchanged=1)
    assert writer.publish([far], NOW + 9000) == Written(written=1)
    status = stored(client)["status"]
    assert status["updateTime"] == "2026-10-29T14:30:00Z"
    assert status["conditions"][0]["lastTransitionTime"] == "2026-10-29T12:00:00Z"


def test_containers_share_by_what_they_request(control_plane: ControlPlane, client: ApiClient) -> None:
    wanted = deployment("web", 1, cpu="300m")
    wanted["spec"]["template"]["spec"]["containers"].append(
        {"name": "side", "image": "test/side", "resources": {"requests": {"cpu": "100m"}}}
    )
    client.apply(wanted)
    (pod,) = client.wait_for_pods(1, label_selector="app=web")
    uid = client.get("Deployment", "web")["metadata"]["uid"]
    amounts = {"cpu": 0.8, "memory": GIB}
    one = Advice(WEB, "apps/v1", uid, pod["metadata"]["name"], amounts)
    assert recommending(control_plane).publish([one], NOW).written == 1
    status = stored(client)["status"]
    assert status["podStatus"]["containerStatuses"] == [
        {"containerName": "main", "resources": {"cpu": "600m", "memory": "512Mi"}},
        {"containerName": "side", "resources": {"cpu": "200m", "memory": "512Mi"}},
    ]
    assert status["conditions"][0]["reason"] == "DividedEvenly", "nobody requests memory"


def test_only_objects_of_ours_are_touched(control_plane: ControlPlane, client: ApiClient) -> None:
    foreign = {
        "apiVersion": API_VERSION,
        "kind": "Recommendation",
        "spec": {"target": {"type": "workload", "workload": {"kind": "Deployment", "name": "web"}}},
    }
    client.create({**foreign, "metadata": {"name": "deployment-web", "namespace": "default"}})
    client.create({**foreign, "metadata": {"name": "theirs", "namespace": "default"}})
    versions = {n: stored(client, n)["metadata"]["resourceVersion"] for n in ("deployment-web", "theirs")}
    done = recommending(control_plane).publish([advice(client), advice(client, app="api")], NOW)
    assert done.written == 1
    (problem,) = done.problems
    assert problem == "default/Deployment/web: there is a Recommendation deployment-web already that is not ours"
    assert {n: stored(client, n)["metadata"]["resourceVersion"] for n in versions} == versions
    assert stored(client, "deployment-api")["status"]


def test_what_is_no_longer_advised_is_deleted(control_plane: ControlPlane, client: ApiClient) -> None:
    writer, web, api = recommending(control_plane), advice(client), advice(client, app="api")
    writer.publish([web, api], NOW)
    assert writer.publish([api], NOW) == Written(unchanged=1, deleted=1)
    assert client.get_or_none("Recommendation", "deployment-web") is None


def test_a_deposed_replica_writes_nothing(control_plane: ControlPlane, client: ApiClient) -> None:
    one = advice(client)
    with pytest.raises(LeadershipLost):
        recommending(control_plane, Fence(leading=False)).publish([one], NOW)
    assert client.list("Recommendation") == []


def test_a_vanished_pod_is_a_problem_of_its_own(control_plane: ControlPlane, client: ApiClient) -> None:
    web = advice(client)
    gone = Advice(WorkloadKey("default", "Job", "gone"), "batch/v1", "", "gone-1", {"cpu": 1.0}, "")
    done = recommending(control_plane).publish([gone, web], NOW)
    assert (done.written, len(done.problems)) == (1, 1)
    assert "default/Job/gone" in done.problems[0]
    assert client.get_or_none("Recommendation", "job-gone") is None


def test_missing_rights_name_the_rule(control_plane: ControlPlane, client: ApiClient) -> None:
    with pytest.raises(Forbidden, match=r"list recommendations\.analysis\.koordinator\.sh"):
        recommending(control_plane, user="nobody").publish([], NOW)


def test_the_api_is_found_where_it_is(control_plane: ControlPlane, client: ApiClient) -> None:
    kube = client_of(control_plane)
    assert served(kube, ClusterWriter(kube, Unelected()))() is not None


def test_names_fit_whatever_the_workload() -> None:
    assert name_of(WEB) == "deployment-web"
    long = [WorkloadKey("a", "Deployment", "x" * 252 + end) for end in "ab"]
    assert len({name_of(key) for key in long}) == 2
    assert all(len(name_of(key)) == 253 for key in long)
