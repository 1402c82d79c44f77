"""What a real controller manager makes in the place of pods, against what the snapshot says that it will make."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.kube.client.connection import KubeClient, connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.labels import Labels
from descheduler.model.pods import PodSpec
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot

Json = dict[str, Any]


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    for name in ("n1", "n2"):
        control_plane.client.create_node(name, labels={"disk": "ssd"})
    control_plane.client.wait_for_nodes("n1", "n2")
    return control_plane.client


@pytest.fixture
def see(control_plane: ControlPlane) -> Iterator[Callable[[], ClusterSnapshot]]:
    reader: KubeClient = connect(control_plane.kubeconfig("admin"))
    yield lambda: read_cluster(reader, clock=time.time)
    reader.close()


def workload(kind: str, replicas: int, containers: list[Json], **spec: Any) -> Json:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": containers},
    }
    more = {"serviceName": "web"} if kind == "StatefulSet" else {}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
            **more,
            **spec,
        },
    }


def container(cpu: str, name: str = "main", **limits: str) -> Json:
    return {"name": name, "image": "test/main", "resources": {"requests": {"cpu": cpu}, "limits": limits}}


def foretold(snapshot: ClusterSnapshot, name: str) -> tuple[PodSpec, Labels]:
    """What the snapshot says of the replacement of a pod."""
    at = snapshot.pod_index["default", name]
    found = snapshot.remade.different.get(at)
    pod = snapshot.pods[at]
    return (pod.spec, pod.labels) if found is None else (found.spec, found.labels)


def come(client: ApiClient, see: Callable[[], ClusterSnapshot], gone: Json, replicas: int) -> tuple[PodSpec, Labels]:
    """Evict a pod; what came in its place."""
    before = {p["metadata"]["uid"] for p in client.list("Pod", label_selector="app=web")}
    client.evict(gone["metadata"]["name"])
    client.wait_for(
        lambda: not any(p["metadata"]["uid"] == gone["metadata"]["uid"] for p in client.list("Pod")), what="its end"
    )
    client.wait_for_pods(replicas, label_selector="app=web")
    (new,) = [p for p in see().pods if p.uid not in before]
    return new.spec, new.labels


def resize(client: ApiClient, pod: Json, container: str, cpu: str) -> None:
    """Resize in place, once the pod's status says what is in force, which kubelets that can resize write there."""
    asked = {one["name"]: one["resources"] for one in pod["spec"]["containers"]}
    statuses = [{**one, "resources": asked[one["name"]]} for one in pod["status"]["containerStatuses"]]
    client.patch_status("Pod", pod["metadata"]["name"], {"containerStatuses": statuses})
    change = {"spec": {"containers": [{"name": container, "resources": {"requests": {"cpu": cpu}}}]}}
    path = f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}/resize"
    client.request("PATCH", path, change, content_type="application/strategic-merge-patch+json")


def test_a_resized_pod_is_made_again_as_its_template_says(
    client: ApiClient, see: Callable[[], ClusterSnapshot]
) -> None:
    client.apply(workload("Deployment", 2, [container("1"), container("200m", "limited", memory="1Gi")]))
    resized, left = client.wait_for_pods(2, label_selector="app=web")
    resize(client, resized, "main", "3")
    snapshot = see()
    at = snapshot.pod_index["default", resized["metadata"]["name"]]
    assert set(snapshot.remade.different) == {at}
    assert dict(snapshot.pods[at].spec.requests)["cpu"] == 3200
    expected = foretold(snapshot, resized["metadata"]["name"])
    assert dict(expected[0].requests) == {"cpu": 1200, "memory": 2**30, "pods": 1}
    assert come(client, see, resized, 2) == expected
    assert come(client, see, left, 2) == foretold(snapshot, left["metadata"]["name"])


def test_on_delete_a_pod_is_made_again_of_the_new_revision(
    client: ApiClient, see: Callable[[], ClusterSnapshot]
) -> None:
    strategy = {"type": "OnDelete"}
    client.apply(workload("StatefulSet", 1, [container("1")], updateStrategy=strategy))
    (pod,) = client.wait_for_pods(1, label_selector="app=web")
    changed = workload("StatefulSet", 1, [container("2")], updateStrategy=strategy)
    changed["spec"]["template"]["spec"] |= {"nodeSelector": {"disk": "ssd"}, "schedulerName": "default-scheduler"}
    client.apply(changed)
    client.wait_for(lambda: caught_up(client), what="its controller to see it")
    expected = foretold(see(), "web-0")
    assert dict(expected[0].requests)["cpu"] == 2000
    assert expected[0].node_selector == {"disk": "ssd"}
    assert come(client, see, pod, 1) == expected


def caught_up(client: ApiClient) -> bool:
    found = client.get("StatefulSet", "web")
    status = found["status"]
    return bool(
        status.get("observedGeneration") == found["metadata"]["generation"]
        and status["updateRevision"] != status["currentRevision"]
    )


def test_a_pod_whose_turn_has_not_come_is_not_made_again(client: ApiClient, see: Callable[[], ClusterSnapshot]) -> None:
    client.apply(workload("StatefulSet", 3, [container("1")]))
    client.wait_for_pods(3, label_selector="app=web")
    assert not see().remade.blocked
    unready(client, "web-1", "False")
    snapshot = see()
    stays = {snapshot.pods[at].name: found.reason for at, found in snapshot.remade.blocked.items()}
    assert stays == {"web-2": Reason.WOULD_WAIT}
    client.evict("web-2")
    client.evict("web-0")  # the twin: nothing comes before it
    client.wait_for(lambda: names(client, snapshot) == {"web-0"}, what="the first alone")
    unready(client, "web-1", "True")
    client.wait_for(lambda: names(client, snapshot) == {"web-0", "web-2"}, what="the last")


def unready(client: ApiClient, name: str, ready: str) -> None:
    found = client.get("Pod", name)["status"]["conditions"]
    conditions = [{**one, "status": ready} if one["type"] == "Ready" else one for one in found]
    client.patch_status("Pod", name, {"conditions": conditions})


def names(client: ApiClient, before: ClusterSnapshot) -> set[str]:
    """Pods that were made since."""
    known = {pod.uid for pod in before.pods}
    return {p["metadata"]["name"] for p in client.list("Pod") if p["metadata"]["uid"] not in known}
