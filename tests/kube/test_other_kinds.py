"""Nodes, storage, workloads, budgets and optional kinds."""

from __future__ import annotations

import pytest

from descheduler.kube.recording.wire_objects import cluster_objects, snapshot_from_objects
from descheduler.model.errors import UsageError
from descheduler.model.nodes import NodeGpus, Taint
from descheduler.model.selectors import LabelSelector, NodeSelectorTerm, Operator, Requirement
from descheduler.model.storage import Claim, StorageClass, Volume
from descheduler.model.workloads import FailureAction, Workload, WorkloadKey
from kube.wire_objects import Json, meta, node, pod


def workload(plural: str, name: str, spec: Json, status: Json | None = None, **metadata: object) -> Workload | None:
    found = {"metadata": meta(name, "shop", **metadata), "spec": spec, "status": status or {}}
    return next(iter(snapshot_from_objects({plural: [found]}, 0.0).workloads.values()), None)


def test_a_node() -> None:
    found = node(
        "n1",
        nvidia__com__gpu="0",
        metadata={"labels": {"nvidia.com/gpu.product": "A100"}},
        spec={"unschedulable": True, "taints": [{"key": "k", "effect": "NoExecute"}]},
    )
    found["status"]["capacity"] = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    found["status"]["allocatable"] = {"cpu": "3920m", "nvidia.com/gpu": "8", "koordinator.sh/gpu": "800"}
    (n1,) = snapshot_from_objects({"nodes": [found]}, 0.0).nodes
    assert n1.allocatable == (("cpu", 3920), ("koordinator.sh/gpu", 800), ("nvidia.com/gpu", 8))
    assert n1.capacity == (("cpu", 4000), ("memory", 16 << 30))
    assert n1.gpus == NodeGpus("nvidia.com/gpu", 8, "A100")
    assert n1.taints == (Taint("k", "", "NoExecute"),)
    assert n1.unschedulable
    assert n1.ready
    assert not n1.virtual


@pytest.mark.parametrize(
    "found",
    [
        node("v", spec={"taints": [{"key": "virtual-kubelet.io/provider", "effect": "NoSchedule"}]}),
        node("v", metadata={"labels": {"type": "virtual-kubelet"}}),
    ],
)
def test_a_virtual_node(found: Json) -> None:
    assert snapshot_from_objects({"nodes": [found]}, 0.0).nodes[0].virtual


def test_a_node_without_a_word_of_its_kubelet_is_not_ready() -> None:
    silent = node("n1")
    del silent["status"]["conditions"]
    found = snapshot_from_objects({"nodes": [silent, node("n2", ready="Unknown")]}, 0.0)
    assert [n.ready for n in found.nodes] == [False, False]


def test_storage() -> None:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
    topologies = [{"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}]
    found = snapshot_from_objects(
        {
            "persistentvolumes": [
                {
                    "metadata": meta("pv"),
                    "spec": {
                        "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
                        "local": {},
                        "csi": {"driver": "d"},
                    },
                }
            ],
            "persistentvolumeclaims": [
                {
                    "metadata": meta("c", "shop", annotations={"volume.kubernetes.io/selected-node": "n1"}),
                    "spec": {"volumeName": "pv", "storageClassName": "fast", "accessModes": ["ReadWriteOnce"]},
                }
            ],
            "storageclasses": [
                {
                    "metadata": meta("fast"),
                    "provisioner": "p",
                    "volumeBindingMode": "WaitForFirstConsumer",
                    "allowedTopologies": topologies,
                }
            ],
        },
        0.0,
    )
    in_a = Requirement("zone", Operator.IN, ("a",))
    assert found.volumes == {"pv": Volume("pv", (NodeSelectorTerm((in_a,)),), local=True, csi_driver="d")}
    assert found.claims == {("shop", "c"): Claim("shop", "c", "pv", "fast", ("ReadWriteOnce",), "n1")}
    allowed = (NodeSelectorTerm((Requirement("zone", Operator.IN, ("a", "b")),)),)
    assert found.storage_classes == {
        "fast": StorageClass("fast", "WaitForFirstConsumer", "p", allowed, created=1_759_305_600.0)
    }


def test_replicas_of_each_kind_of_workload() -> None:
    deployment = workload("deployments", "web", {"selector": {"matchLabels": {"app": "web"}}}, {"readyReplicas": 1})
    assert deployment is not None
    assert (deployment.replicas, deployment.ready) == (1, 1)  # absent means one
    assert deployment.selector == LabelSelector.of({"app": "web"})
    daemons = workload("daemonsets", "log", {}, {"desiredNumberScheduled": 7, "numberReady": 6})
    assert daemons is not None
    assert (daemons.replicas, daemons.ready) == (7, 6)


def test_a_job_and_its_failure_budget() -> None:
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    spec = {"parallelism": 3, "suspend": True, "podFailurePolicy": {"rules": [rule]}}
    job = workload("jobs", "train", spec, {"ready": 2, "failed": 4})
    assert job is not None
    assert (job.replicas, job.ready, job.failed, job.backoff_limit) == (3, 2, 4, 6)
    assert job.suspended
    assert job.on_eviction is FailureAction.IGNORE


def test_when_a_job_is_stopped_at_the_latest() -> None:
    job = workload("jobs", "train", {"activeDeadlineSeconds": 600}, {"startTime": "2026-01-01T00:00:00Z"})
    assert job is not None
    assert job.deadline == 1_767_225_600.0 + 600
    not_begun = workload("jobs", "train", {"activeDeadlineSeconds": 600}, {})
    assert not_begun is not None
    assert not_begun.deadline is None


def test_a_job_whose_indexes_have_failure_budgets_of_their_own() -> None:
    job = workload("jobs", "train", {"completionMode": "Indexed", "backoffLimitPerIndex": 2}, {})
    assert job is not None
    assert (job.backoff_limit_per_index, job.backoff_limit) == (2, 2**31 - 1)
    both = workload("jobs", "train", {"backoffLimitPerIndex": 0, "backoffLimit": 3}, {})
    assert both is not None
    assert (both.backoff_limit_per_index, both.backoff_limit) == (0, 3)
    plain = workload("jobs", "train", {}, {})
    assert plain is not None
    assert plain.backoff_limit_per_index is None


def test_old_replica_sets_are_dropped_but_one_that_still_has_pods_is_not() -> None:
    assert workload("replicasets", "old", {"replicas": 0}) is None
    assert workload("replicasets", "dying", {"replicas": 0}, {"replicas": 1}) is not None
    assert workload("deployments", "scaled-down", {"replicas": 0}) is not None


def test_owner_chains_lead_to_the_topmost_controller() -> None:
    def owned(kind: str, name: str) -> dict[str, list[Json]]:
        return {
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": f"u-{name}", "controller": True}
            ]
        }

    found = snapshot_from_objects(
        {
            "pods": [pod("web-1-x", metadata=owned("ReplicaSet", "web-1"))],
            "replicasets": [{"metadata": meta("web-1", "shop", **owned("Deployment", "web")), "spec": {"replicas": 1}}],
            "deployments": [{"metadata": meta("web", "shop"), "spec": {}}],
        },
        0.0,
    )
    assert found.root(found.pods[0]) == WorkloadKey("shop", "Deployment", "web")


def test_a_budget_keeps_what_was_written_and_what_its_controller_says() -> None:
    wire = {
        "metadata": meta("b", "shop", generation=3),
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "maxUnavailable": "25%"},
        "status": {
            "disruptionsAllowed": 1,
            "currentHealthy": 4,
            "desiredHealthy": 3,
            "expectedPods": 4,
            "observedGeneration": 2,
            "disruptedPods": {"web-2": "2025-10-01T08:00:00Z", "web-1": "2025-10-01T08:00:00Z"},
        },
    }
    unlimited = {"metadata": meta("c", "shop"), "spec": {"minAvailable": 2}}
    first, second = snapshot_from_objects({"poddisruptionbudgets": [wire, unlimited]}, 0.0).budgets
    assert (first.max_unavailable, first.allowed, first.disrupting) == ("25%", 1, ("web-1", "web-2"))
    assert first.stale
    assert (second.min_available, second.selector) == ("2", None)


def test_optional_kinds_keep_spec_and_status_but_not_what_their_pods_run() -> None:
    template = {
        "spec": {"containers": [{"name": "c", "env": [{"name": "PASSWORD", "value": "secret"}], "resources": {}}]}
    }
    found = {
        "metadata": meta("g", "shop", generation=2),
        "spec": {"minMember": 3, "template": template},
        "status": {"phase": "Running"},
    }
    snapshot = snapshot_from_objects({"scheduling.x-k8s.io/PodGroup": [found], "kueue.x-k8s.io/Workload": []}, 0.0)
    (group,) = snapshot.objects["scheduling.x-k8s.io/PodGroup"]
    assert (group.api_version, group.group, group.kind) == (
        "scheduling.x-k8s.io/v1alpha1",
        "scheduling.x-k8s.io",
        "PodGroup",
    )
    assert group.spec["minMember"] == 3
    assert group.status == {"phase": "Running"}
    assert "secret" not in str(group)
    assert snapshot.objects["kueue.x-k8s.io/Workload"] == ()
    assert "ray.io/RayCluster" not in snapshot.objects
    assert not snapshot.freshness["ray.io/RayCluster"].served
    assert snapshot.custom("scheduling.x-k8s.io", "PodGroup", "shop", "g") is group


def test_a_kind_that_is_not_read_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="'secrets' is no kind that is read"):
        cluster_objects({"secrets": []}, taken_at=0.0)
