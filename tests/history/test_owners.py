from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.owners import Owners


def nobody(namespace: str, pod: str) -> None:
    return None


@pytest.mark.parametrize(
    ("pod", "kind", "name"),
    [
        ("web-6d4cf56db6-x7k2p", "Deployment", "web"),
        ("my-web-app-7bb4c5d9f-zz9cd", "Deployment", "my-web-app"),
        ("db-0", "StatefulSet", "db"),
        ("db-main-117", "StatefulSet", "db-main"),
        ("node-exporter-x7k2p", "DaemonSet", "node-exporter"),
        ("backup-29167200-q8vfz", "CronJob", "backup"),
        ("backup-1750000200-q8vfz", "CronJob", "backup"),
        ("train-3-q8vfz", "Job", "train"),
        ("sweep-29167200-3-q8vfz", "CronJob", "sweep"),
        ("alone", "Pod", "alone"),
        ("etcd-control-plane", "Pod", "etcd-control-plane"),
    ],
)
def test_pods_of_the_past_are_told_by_their_names(pod: str, kind: str, name: str) -> None:
    assert Owners(nobody).pod("ns", pod) == WorkloadKey("ns", kind, name)


def test_what_the_cluster_says_of_a_present_pod_beats_its_name() -> None:
    rollout = WorkloadKey("ns", "Rollout", "web")
    owners = Owners(lambda _, pod: rollout if pod == "web-6d4cf56db6-x7k2p" else None)
    assert owners.pod("ns", "web-6d4cf56db6-x7k2p") == rollout


def test_pods_that_exist_say_what_names_of_the_past_mean() -> None:
    present = {
        "web-6d4cf56db6-x7k2p": WorkloadKey("ns", "Rollout", "web"),
        "agent-x7k2p": WorkloadKey("ns", "ReplicaSet", "agent"),
        "backup-29167200-q8vfz": WorkloadKey("ns", "CronJob", "backup"),
    }
    owners = Owners(lambda _, pod: present.get(pod))
    past = ["web-7bb4c5d9f4-zz9cd", "agent-zz9cd", "backup-29167140-zz9cd"]
    keys = owners.pods([("ns", pod) for pod in [*past, *present]])
    assert keys[:3] == list(present.values())


def test_names_are_not_read_across_namespaces() -> None:
    owners = Owners(lambda namespace, pod: WorkloadKey("a", "Rollout", "web") if namespace == "a" else None)
    assert owners.pods([("a", "web-6d4cf56db6-x7k2p"), ("b", "web-7bb4c5d9f4-zz9cd")])[1].kind == "Deployment"


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("deployment", "web", WorkloadKey("ns", "Deployment", "web")),
        ("Deployment", "web", WorkloadKey("ns", "Deployment", "web")),
        ("ReplicaSet", "web-6d4cf56db6", WorkloadKey("ns", "Deployment", "web")),
        ("ReplicaSet", "agent", WorkloadKey("ns", "ReplicaSet", "agent")),
        ("job", "backup-29167200", WorkloadKey("ns", "CronJob", "backup")),
        ("job", "train", WorkloadKey("ns", "Job", "train")),
        ("barepod", "alone", WorkloadKey("ns", "Pod", "alone")),
        ("<none>", "alone", WorkloadKey("ns", "Pod", "alone")),
        ("Node", "etcd-cp", WorkloadKey("ns", "Pod", "etcd-cp")),
        ("RayCluster", "ray", WorkloadKey("ns", "RayCluster", "ray")),
    ],
)
def test_workloads_as_the_server_names_them_get_our_keys(kind: str, name: str, expected: WorkloadKey) -> None:
    assert Owners(nobody).workload("ns", kind, name) == expected


def test_a_replicaset_that_stands_for_itself_is_not_cut() -> None:
    own = WorkloadKey("ns", "ReplicaSet", "web-6d4cf56db6")
    assert Owners(nobody, [own]).workload("ns", "replicaset", "web-6d4cf56db6") == own


def test_the_servers_workloads_take_the_name_that_most_of_their_pods_have_with_us() -> None:
    ours = {
        "a": WorkloadKey("ns", "RayJob", "x"),
        "b": WorkloadKey("ns", "RayJob", "x"),
        "c": WorkloadKey("ns", "Job", "y"),
    }
    owners = Owners(lambda _, pod: ours.get(pod))
    owners.learn_reported([("ns", pod, "RayCluster", "x-raycluster") for pod in [*ours, "gone"]])
    assert owners.pod("ns", "gone") == WorkloadKey("ns", "RayJob", "x")
    assert owners.workload("ns", "RayCluster", "x-raycluster") == WorkloadKey("ns", "RayJob", "x")


def test_what_the_server_remembers_of_a_past_pod_beats_its_name() -> None:
    owners = Owners(nobody)
    owners.learn_reported([("ns", "web-6d4cf56db6-x7k2p", "statefulset", "odd")])
    assert owners.pod("ns", "web-6d4cf56db6-x7k2p") == WorkloadKey("ns", "StatefulSet", "odd")


@given(st.text(alphabet="abcdx0123456789-", max_size=30), st.text(alphabet="abcdx0123456789-", max_size=30))
def test_any_name_has_an_owner_in_its_namespace(pod: str, workload: str) -> None:
    owners = Owners(nobody)
    assert owners.pod("ns", pod).namespace == "ns"
    assert owners.workload("ns", "job", workload).namespace == "ns"
