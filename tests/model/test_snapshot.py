"""A snapshot and its columns say the same."""

from __future__ import annotations

import numpy as np

from builders import GPU, cluster, node, owner, pod, workload
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Phase
from descheduler.model.workloads import OwnerRef, WorkloadKey


def test_requests_are_summed_over_live_pods_only() -> None:
    snapshot = cluster(
        [node("n1", cpu="8", gpu=4)],
        [
            pod("a-1", cpu="1", node="n1", gpu=1),
            pod("b-1", cpu="2", node="n1", phase=Phase.SUCCEEDED),
            pod("c-1", cpu="4"),
            pod("d-1", cpu="1", node="gone"),
            pod("e-1", cpu="500m", node="n1", deleting=1.0),  # holds its resources until it is gone
        ],
    )
    columns = snapshot.columns
    assert columns.requested[0, columns.resource("cpu")] == 1500
    assert columns.requested[0, columns.resource("pods")] == 2
    assert columns.requested[0, columns.resource(GPU)] == 1
    assert columns.resource("unheard.of/thing") == -1


def test_nodes_and_pods_are_in_canonical_order() -> None:
    snapshot = cluster([node("n2"), node("n1")], [pod("b-1", node="n1"), pod("a-1", node="n2", namespace="z")])
    assert [n.name for n in snapshot.nodes] == ["n1", "n2"]
    assert [p.key for p in snapshot.pods] == ["default/b-1", "z/a-1"]
    assert snapshot.node_index == {"n1": 0, "n2": 1}


def test_pods_are_grouped_by_node() -> None:
    snapshot = cluster([node("n1"), node("n2")], [pod(f"a-{i}", node=f"n{1 + i % 2}") for i in range(5)])
    columns = snapshot.columns
    assert columns.pods_on(0).tolist() == [0, 2, 4]
    assert columns.pods_on(1).tolist() == [1, 3]
    assert np.array_equal(np.sort(columns.order), np.arange(5))


def test_the_topmost_controller_is_found_through_the_chain() -> None:
    replica_set = workload("ReplicaSet", "web-6f", owners=(owner("Deployment", "web"),))
    snapshot = cluster(
        [node("n1")],
        [pod("web-6f-a", node="n1", owners=(owner("ReplicaSet", "web-6f"),)), pod("bare", node="n1", owners=())],
        workloads=[replica_set, workload("Deployment", "web")],
    )
    keys = [snapshot.columns.workloads[i] for i in snapshot.columns.pod_workload]
    assert keys == [WorkloadKey("default", "Pod", "bare"), WorkloadKey("default", "Deployment", "web")]


def test_the_chain_goes_through_optional_apis_and_ends_where_nothing_is_known() -> None:
    jobset = OwnerRef("jobset.x-k8s.io/v1alpha2", "JobSet", "train", "uid-js", controller=True)
    job = workload("Job", "train-0", api_version="batch/v1", owners=(jobset,))
    known = CustomObject("jobset.x-k8s.io/v1alpha2", "JobSet", "default", "train", owners=(owner("TrainJob", "t"),))
    member = pod("train-0-x", node="n1", owners=(owner("Job", "train-0", "batch/v1"),))
    with_object = cluster([node("n1")], [member], workloads=[job], objects=[known])
    assert with_object.root(with_object.pods[0]).kind == "TrainJob"
    without = cluster([node("n1")], [member], workloads=[job])
    assert without.root(without.pods[0]) == WorkloadKey("default", "JobSet", "train")


def test_a_chain_that_bites_its_tail_ends() -> None:
    a = workload("ReplicaSet", "a", owners=(owner("ReplicaSet", "b"),))
    b = workload("ReplicaSet", "b", owners=(owner("ReplicaSet", "a"),))
    snapshot = cluster([node("n1")], [pod("a-1", node="n1")], workloads=[a, b])
    assert snapshot.root(snapshot.pods[0]).kind == "ReplicaSet"


def test_unready_and_cordoned_nodes_are_no_destinations() -> None:
    snapshot = cluster([node("n1"), node("n2", ready=False), node("n3", unschedulable=True)])
    assert snapshot.columns.node_ready.tolist() == [True, False, False]


def test_who_names_the_owner_of_another_namespace_has_another_owner_though_the_reference_is_one_object() -> None:
    shared = (owner("ReplicaSet", "web-1"),)
    pods = [pod(f"web-1-{ns}", namespace=ns, owners=shared, node="n1") for ns in ("evil", "prod", "prod2")]
    found = cluster([node("n1")], pods)
    assert found.looks.owners.rows.tolist() == [0, 1, 2]
    assert [first.namespace for first in found.looks.first_of_owner] == ["evil", "prod", "prod2"]
    assert [str(key) for key in found.columns.workloads] == [
        "evil/ReplicaSet/web-1",
        "prod/ReplicaSet/web-1",
        "prod2/ReplicaSet/web-1",
    ]
