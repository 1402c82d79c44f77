"""What a policy names is compared with what a cluster has; what is there is let be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from descheduler.doctor.against import against, unserved
from descheduler.example.example import example_policy
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy import load_policy
from descheduler.stored import stored

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
UTILIZATION = "strategies: [{{LowNodeUtilization: {{thresholds: {{{0}: 20}}, targetThresholds: {{{0}: 50}}}}}}]"


@pytest.fixture(scope="module")
def cluster() -> ClusterSnapshot:
    seen = stored(None).snapshot
    return replace(seen, read=seen.read | {"priorityclasses"})


def told(text: str, snapshot: ClusterSnapshot) -> list[str]:
    return list(against(load_policy(HEAD + text), snapshot))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("protections: {namespaces: {exclude: [kube-systm]}}", "no namespace kube-systm (did you mean kube-system?)"),
        ("windows: [{schedule: '0 2 * * *', duration: 2h, namespaces: [shopp]}]", "windows[0].namespaces[0]: there"),
        ("schedulers: {gpu-paker: MostAllocated}", "there is no scheduler gpu-paker (did you mean gpu-packer?)"),
        ("protections: {priorityThreshold: {name: hihg}}", "there is no priority class hihg"),
        ("protections: {persistentVolumes: {protect: true, storageClasses: [fsat]}}", "there is no storage class fsat"),
        ("protections: {recreatingOwners: [example.com/Database]}", "there is no kind of controller"),
        ("cost: {lostWork: {Database: 1h}}", "cost.lostWork.Database: there is no kind of controller Database"),
        ("topology: {labels: [example.com/rack]}", "there is no node label example.com/rack"),
        ("nodeSelector: {matchLabels: {nosuch: label}}", "nodeSelector: no node matches: none has the label nosuch"),
        ("protections: {labelSelector: {matchLabels: {app: nobody}}}", "protections.labelSelector: no pod matches"),
        ("protections: {namespaceLabelSelector: {matchLabels: {team: x}}}", "no namespace matches"),
        ("publish: {workloads: [shop/Deployment/chekout]}", "no workload matches shop/Deployment/chekout"),
        (UTILIZATION.format("ephemeral-storage"), "ephemeral-storage"),
        (
            "strategies: [{RemovePodsViolatingNodeTaints: {includedTaints: [dedicatedd]}}]",
            "there is no taint dedicatedd",
        ),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told(text: str, message: str, cluster: ClusterSnapshot) -> None:
    assert any(message in line for line in told(text, cluster))


@pytest.mark.parametrize(
    "text",
    [
        "protections: {namespaces: {exclude: [kube-system, 'sho*']}}",
        "schedulers: {gpu-packer: MostAllocated, default-scheduler: LeastAllocated}",
        "protections: {priorityThreshold: {name: system-node-critical}}",
        "cost: {lostWork: {StatefulSet: 1h}}",
        "publish: {workloads: [shop/*/*]}",
        UTILIZATION.format("nvidia.com/gpu"),
        UTILIZATION.format("pods"),
    ],
)
def test_what_is_there_is_let_be(text: str, cluster: ClusterSnapshot) -> None:
    assert told(text, cluster) == []


def test_the_policy_of_the_example_fits_its_cluster(cluster: ClusterSnapshot) -> None:
    assert list(against(load_policy(example_policy()), cluster)) == []


def test_of_kinds_that_could_not_be_read_nothing_is_said(cluster: ClusterSnapshot) -> None:
    unread = replace(cluster, read=frozenset())
    assert told("protections: {namespaces: {exclude: [anything]}, priorityThreshold: {name: hihg}}", unread) == []


def test_nodes_in_no_pool_and_pools_without_nodes_are_told(cluster: ClusterSnapshot) -> None:
    name = cluster.nodes[0].name
    one = f"pools: [{{name: a, nodeSelector: {{kubernetes.io/hostname: {name}}}}}]"
    labelled = replace(
        cluster, nodes=tuple(replace(n, labels={**n.labels, "kubernetes.io/hostname": n.name}) for n in cluster.nodes)
    )
    (line,) = told(one, labelled)
    assert line.startswith("pools: 39 nodes in none of them")
    lines = told("pools: [{name: a, nodeSelector: {acelerator: x}}]", cluster)
    assert "pools[0]: pool a: no node matches: none has the label acelerator" in lines


def test_an_executor_whose_api_is_not_served_is_told(cluster: ClusterSnapshot) -> None:
    assert "Reservation" in str(*unserved(load_policy(HEAD + "acting: {executor: reserve}"), cluster))
    assert list(unserved(load_policy(HEAD), cluster)) == []
