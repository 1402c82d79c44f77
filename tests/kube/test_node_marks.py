"""What marks of nodes mean: virtual nodes of every maker, nodes that are about to go, and what is neither."""

from __future__ import annotations

import pytest

from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.nodes import Node
from kube.wire_objects import Json, node


def read(found: Json) -> Node:
    return snapshot_from_objects({"nodes": [found]}, 0.0).nodes[0]


def tainted(key: str, effect: str = "NoSchedule", value: str = "") -> Json:
    return node("n1", spec={"taints": [{"key": key, "effect": effect, **({"value": value} if value else {})}]})


def labelled(**labels: str) -> Json:
    return node("n1", metadata={"labels": {k.replace("__", "/"): v for k, v in labels.items()}})


@pytest.mark.parametrize(
    "labels",
    [
        {"type": "virtual-kubelet"},
        {"liqo.io/type": "virtual-node"},
        {"virtual-kubelet.io/provider": "admiralty"},
        {"kubernetes.azure.com/role": "virtual-node"},
        {"eks.amazonaws.com/compute-type": "fargate"},
        {"node.kubernetes.io/instance-type": "eklet"},
        {"virtual-node.interlink/type": "virtual-kubelet"},
        {"vcluster.loft.sh/fake-node": "true"},
    ],
)
def test_a_label_makes_a_node_virtual(labels: dict[str, str]) -> None:
    assert read(node("n1", metadata={"labels": labels})).virtual


@pytest.mark.parametrize(
    "key",
    ["virtual-kubelet.io/provider", "eks.tencentcloud.com/eklet", "virtual-node.liqo.io/not-allowed", "azure.com/aci"],
)
def test_a_taint_makes_a_node_virtual(key: str) -> None:
    assert read(tainted(key)).virtual


@pytest.mark.parametrize(
    "labels",
    [
        {"type": "kwok"},
        {"liqo.io/remote-cluster-id": "x"},
        {"eks.amazonaws.com/compute-type": "ec2"},
        {"kubernetes.azure.com/role": "agent"},
        {"node.kubernetes.io/instance-type": "m5.large"},
    ],
)
def test_labels_of_other_nodes_do_not(labels: dict[str, str]) -> None:
    assert not read(node("n1", metadata={"labels": labels})).virtual


GONE = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("found", "mark"),
    [
        (tainted("karpenter.sh/disrupted"), "taint karpenter.sh/disrupted"),
        (tainted("karpenter.sh/disruption", value="disrupting"), "taint karpenter.sh/disruption"),
        (tainted("ToBeDeletedByClusterAutoscaler", value="1760000000"), "taint ToBeDeletedByClusterAutoscaler"),
        (tainted("aws-node-termination-handler/spot-itn"), "taint aws-node-termination-handler/spot-itn"),
        (tainted("cloud.google.com/impending-node-termination"), "taint cloud.google.com/impending-node-termination"),
        (tainted("node.cloudprovider.kubernetes.io/shutdown"), "taint node.cloudprovider.kubernetes.io/shutdown"),
        (node("n1", metadata={"deletionTimestamp": GONE}), "deletionTimestamp"),
        (
            node("n1", metadata={"labels": {"autoscaling.cast.ai/draining": "rebalancing"}}),
            "label autoscaling.cast.ai/draining",
        ),
        (
            node("n1", metadata={"annotations": {"weave.works/kured-reboot-in-progress": GONE}}),
            "annotation weave.works/kured-reboot-in-progress",
        ),
    ],
)
def test_a_node_that_is_going_is_neither_source_nor_destination(found: Json, mark: str) -> None:
    assert (read(found).leaving, read(found).drained) == (mark, True)


def test_a_cloud_announces_the_end_of_a_node_by_a_condition() -> None:
    found = node("n1")
    found["status"]["conditions"].append({"type": "PreemptScheduled", "status": "True"})
    assert read(found).leaving == "condition PreemptScheduled"
    found["status"]["conditions"][-1]["status"] = "False"
    assert read(found).leaving == ""


@pytest.mark.parametrize(
    "key", ["DeletionCandidateOfClusterAutoscaler", "node.cluster.x-k8s.io/outdated-revision", "UpdateInProgress"]
)
def test_a_node_that_may_go_is_no_destination_and_its_pods_may_leave(key: str) -> None:
    found = read(tainted(key, "PreferNoSchedule"))
    assert (found.leaving, found.drained) == (f"taint {key}", False)


@pytest.mark.parametrize(
    "found",
    [
        node(
            "n1",
            spec={
                "unschedulable": True,
                "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}],
            },
        ),
        tainted("kubernetes.azure.com/scalesetpriority", value="spot"),
        tainted("dedicated", value="gpu"),
        labelled(eks__capacityType="SPOT", cloud="spot"),
    ],
    ids=["cordoned", "a spot pool", "dedicated", "labels"],
)
def test_other_nodes_stay(found: Json) -> None:
    assert (read(found).leaving, read(found).drained) == ("", False)
