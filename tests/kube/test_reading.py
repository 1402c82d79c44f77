"""Discovery, the one-shot read and the live cache."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from descheduler.kube.client.cache import ClusterCache
from descheduler.kube.client.connection import KubeClient, connect
from descheduler.kube.client.discovery import discover
from descheduler.kube.client.read_cluster import Reading, read_cluster
from descheduler.kube.convert.kinds import CORE
from descheduler.model.errors import BadAnswer, ClusterError, Forbidden, Unreachable
from kube.scripted import Answer, ScriptedApi, aggregated, listing, status, watching
from kube.wire_objects import Json, meta, node, pod

GROUPS = ("scheduling.x-k8s.io", "v1alpha1", "PodGroup", "podgroups")
KUEUE_OLD = ("kueue.x-k8s.io", "v1beta1", "Workload", "workloads")
KUEUE_NEW = ("kueue.x-k8s.io", "v1beta2", "Workload", "workloads")
OURS = ("example.com", "v1", "Thing", "things")
GROUPS_PATH = "/apis/scheduling.x-k8s.io/v1alpha1/podgroups"


def group(name: str) -> Json:
    return {"metadata": meta(name, "shop"), "spec": {"minMember": 2}}


# Discovery


def test_the_version_that_we_prefer_is_chosen_among_those_served(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis", aggregated(GROUPS, KUEUE_OLD, KUEUE_NEW, OURS))
    found = discover(client)
    assert [e.path for e in found.served] == [GROUPS_PATH, "/apis/kueue.x-k8s.io/v1beta2/workloads"]
    assert found.unknown == ()
    assert "APIGroupDiscoveryList" in api.requests[0].headers["accept"]


def test_a_server_without_aggregated_discovery_is_asked_group_by_group(api: ScriptedApi, client: KubeClient) -> None:
    versions = [{"groupVersion": "kueue.x-k8s.io/v1beta1", "version": "v1beta1"}]
    groups = [
        {"name": "kueue.x-k8s.io", "versions": versions},
        {"name": "example.com", "versions": [{"version": "v1"}]},
    ]
    api.on("/apis", Answer(body={"kind": "APIGroupList", "groups": groups}))
    resources = [
        {"name": "workloads", "kind": "Workload", "verbs": ["list", "watch"]},
        {"name": "workloads/status", "kind": "Workload", "verbs": ["get"]},
    ]
    api.on("/apis/kueue.x-k8s.io/v1beta1", Answer(body={"kind": "APIResourceList", "resources": resources}))
    assert [e.path for e in discover(client).served] == ["/apis/kueue.x-k8s.io/v1beta1/workloads"]
    assert [r.path for r in api.requests] == ["/apis", "/apis/kueue.x-k8s.io/v1beta1"]


def test_a_kind_served_only_in_a_version_we_cannot_read_is_not_silently_absent(
    api: ScriptedApi, client: KubeClient
) -> None:
    api.on("/apis", aggregated(("kueue.x-k8s.io", "v9", "Workload", "workloads")))
    ((kind, why),) = discover(client).unknown
    assert kind.key == "kueue.x-k8s.io/Workload"
    assert "v9" in why
    with pytest.raises(BadAnswer, match=r"kueue.x-k8s.io/Workload.*v9"):
        read_cluster(client, clock=time.time)


def test_an_answer_that_is_no_discovery_is_reported(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis", Answer(body=b"<html>"))
    with pytest.raises(BadAnswer, match="discovery"):
        discover(client)


# One-shot


def test_a_whole_cluster_is_read_with_its_freshness(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis", aggregated(GROUPS))
    api.on("/api/v1/nodes", listing(node("n2"), node("n1")))
    api.on("/api/v1/pods", listing(pod("b"), token="t"), listing(pod("a")))
    api.on(GROUPS_PATH, listing(group("g")))
    seen: list[Reading] = []
    ticks = iter(range(100, 200))
    found = read_cluster(client, clock=lambda: float(next(ticks)), progress=seen.append)
    assert [n.name for n in found.nodes] == ["n1", "n2"]
    assert [p.name for p in found.pods] == ["a", "b"]
    assert [o.name for o in found.objects["scheduling.x-k8s.io/PodGroup"]] == ["g"]
    assert found.cluster == "main"
    assert found.taken_at == 100.0
    assert found.freshness["nodes"].synced
    assert found.freshness["pods"].as_of > found.taken_at
    assert not found.freshness["ray.io/RayCluster"].served
    assert [one.objects for one in seen if one.kind == "pods"] == [1, 2]
    assert {one.kinds for one in seen} == {len(CORE) + 1}
    assert (seen[0].nth, seen[-1].nth) == (1, len(CORE) + 1)


@pytest.mark.parametrize("answer", [status(403, "no"), Answer(body={"gitVersion": ""}), Answer(body=b"<html>")])
def test_a_server_that_does_not_say_its_version_is_read_all_the_same(
    api: ScriptedApi, client: KubeClient, answer: Answer
) -> None:
    api.on("/apis", aggregated())
    api.on("/version", answer)
    assert read_cluster(client, clock=lambda: 42.0).release is None


def test_every_missing_permission_is_named_at_once(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis", aggregated(GROUPS))
    for path in ("/api/v1/nodes", "/apis/policy/v1/poddisruptionbudgets", GROUPS_PATH):
        api.on(path, status(403, "no"))
    with pytest.raises(Forbidden) as caught:
        read_cluster(client, clock=time.time)
    for missing in ("list nodes", "list poddisruptionbudgets.policy", "list podgroups.scheduling.x-k8s.io"):
        assert missing in str(caught.value)
    assert caught.value.verb == "list"


def test_a_failing_list_is_an_error_and_no_partial_snapshot(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis", aggregated())
    api.on("/apis/apps/v1/replicasets", status(500, "etcd is unwell"))
    with pytest.raises(ClusterError, match="etcd is unwell"):
        read_cluster(client, clock=time.time)


def test_an_optional_kind_that_vanishes_between_discovery_and_list_is_not_served(
    api: ScriptedApi, client: KubeClient
) -> None:
    api.on("/apis", aggregated(GROUPS))
    api.on(GROUPS_PATH, status(404))
    found = read_cluster(client, clock=time.time)
    assert "scheduling.x-k8s.io/PodGroup" not in found.objects
    assert not found.freshness["scheduling.x-k8s.io/PodGroup"].served


def test_an_unreachable_server_is_one_clear_error(tmp_path: Path) -> None:
    with ScriptedApi() as ended:
        client = connect(ended.kubeconfig(tmp_path))
        url = ended.url
    with pytest.raises(Unreachable, match=f"no answer from {url}"):
        read_cluster(client, clock=time.time)


# Live


def cache(client: KubeClient, rediscover_seconds: float = 300.0) -> ClusterCache:
    return ClusterCache(client, clock=time.time, rng=random.Random(1), rediscover_seconds=rediscover_seconds)


def test_the_cache_follows_the_cluster(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis", aggregated(GROUPS))
    api.on("/api/v1/nodes", listing(node("n1")))
    api.on("/api/v1/pods?watch", watching(("ADDED", pod("late")), hold=threading.Event()))
    live = cache(client)
    live.start()
    try:
        assert live.wait_synced(20)
        until(lambda: [p.name for p in live.snapshot().pods] == ["late"], live)
        found = live.snapshot()
        assert [n.name for n in found.nodes] == ["n1"]
        assert {kind.key for kind in CORE} <= set(found.freshness)
        assert found.objects["scheduling.x-k8s.io/PodGroup"] == ()
        assert found.freshness["discovery"].synced
        assert found.pods[0].key == "shop/late"
    finally:
        live.stop()


def test_the_cache_is_not_synced_while_one_kind_cannot_be_read(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis", aggregated())
    api.on("/apis/policy/v1/poddisruptionbudgets", status(403, "no"))
    live = cache(client)
    live.start()
    try:
        until(lambda: bool(live.freshness()["poddisruptionbudgets"].error), live)
        assert not live.wait_synced(0.05)
        assert "list poddisruptionbudgets.policy" in live.freshness()["poddisruptionbudgets"].error
    finally:
        live.stop()


def test_the_cache_is_not_synced_before_optional_kinds_are_known(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis", status(503, "starting"))
    live = cache(client)
    live.start()
    try:
        until(lambda: bool(live.freshness()["discovery"].error), live)
        assert not live.synced
    finally:
        live.stop()


def test_kinds_that_appear_and_disappear_are_noticed(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis", aggregated(), aggregated(GROUPS))
    api.on(GROUPS_PATH, listing(group("g")))
    live = cache(client, rediscover_seconds=0.05)
    live.start()
    try:
        until(lambda: len(live.snapshot().objects.get("scheduling.x-k8s.io/PodGroup", ())) == 1, live)
        api.on("/apis", aggregated())
        until(lambda: "scheduling.x-k8s.io/PodGroup" not in live.snapshot().objects, live)
        assert not live.freshness()["scheduling.x-k8s.io/PodGroup"].served
        until(lambda: live.synced, live)
    finally:
        live.stop()


def test_stopping_ends_every_thread(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis", aggregated(GROUPS))
    live = cache(client)
    live.start()
    assert live.wait_synced(20)
    live.stop()
    assert [t.name for t in threading.enumerate() if t.name.startswith("kube-")] == []


def until(holds: Callable[[], bool], live: ClusterCache, seconds: float = 20.0) -> None:
    """Wait for a condition, looking again whenever the cache changes."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, live.freshness()
        live.wait_changed(0.05)
