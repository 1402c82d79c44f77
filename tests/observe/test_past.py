"""A recorded cluster with its clock set back: who is there, who is missed, and how old it is."""

from __future__ import annotations

from dataclasses import replace

from builders import NOW, cluster, node, owner, pod, workload
from descheduler.model.snapshot import ClusterSnapshot, Freshness
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.past import cluster_at
from descheduler.planning.budgets.lacking import lacking

HOUR = 3600.0


def taken() -> ClusterSnapshot:
    """Three replicas of a Deployment, one of them and its node made an hour ago."""
    ours = replace(workload("ReplicaSet", "web", 3), owners=(owner("Deployment", "web"),))
    young = replace(node("n3"), created=NOW - HOUR)
    pods = [pod("web-1", node="n1"), pod("web-2", node="n2"), pod("web-3", node="n3", created=NOW - HOUR)]
    return cluster(
        [node("n1"), node("n2"), young],
        pods,
        workloads=[ours, workload("Deployment", "web", 3)],
        freshness={"pods": Freshness("pods", NOW - 20)},
    )


def names(snapshot: ClusterSnapshot) -> tuple[list[str], list[str]]:
    return [one.name for one in snapshot.nodes], [one.name for one in snapshot.pods]


def test_what_was_made_later_is_not_there() -> None:
    assert names(cluster_at(taken(), NOW - 2 * HOUR)) == (["n1", "n2"], ["web-1", "web-2"])
    assert names(cluster_at(taken(), NOW - HOUR / 2)) == (["n1", "n2", "n3"], ["web-1", "web-2", "web-3"])


def test_nobody_misses_what_was_made_later() -> None:
    past = cluster_at(taken(), NOW - 2 * HOUR)
    assert [past.workloads[WorkloadKey("default", kind, "web")].replicas for kind in ("ReplicaSet", "Deployment")] == [
        2,
        2,
    ]
    assert lacking(past, (), (), lambda _: {}) == {}


def test_what_lacked_pods_when_it_was_recorded_lacks_them_still() -> None:
    before = taken()
    more = {key: replace(found, replicas=found.replicas + 1) for key, found in before.workloads.items()}
    past = cluster_at(replace(before, workloads=more), NOW - 2 * HOUR)
    assert list(lacking(past, (), (), lambda _: {}).values()) == [1]


def test_members_of_a_stateful_set_keep_their_numbers() -> None:
    owners = (owner("StatefulSet", "db"),)
    pods = [pod(f"db-{i}", node="n1", owners=owners, created=NOW - HOUR if i == 0 else 0.0) for i in range(3)]
    past = cluster_at(cluster([node("n1")], pods, workloads=[workload("StatefulSet", "db", 3)]), NOW - 2 * HOUR)
    assert past.workloads[WorkloadKey("default", "StatefulSet", "db")].replicas == 3


def test_a_node_that_was_made_anew_under_an_older_pod_is_there() -> None:
    young = replace(node("n1"), created=NOW - HOUR)
    assert names(cluster_at(cluster([young], [pod("web-1", node="n1")]), NOW - 2 * HOUR)) == (["n1"], ["web-1"])


def test_what_is_read_is_as_old_then_as_it_was() -> None:
    past = cluster_at(taken(), NOW - 2 * HOUR)
    assert past.taken_at == NOW - 2 * HOUR
    assert past.taken_at - past.freshness["pods"].as_of == 20


def test_who_was_asked_to_end_later_does_not_end_yet() -> None:
    ends = NOW + 30  # asked now, with half a minute of grace
    before = cluster(
        [node("n1")], [pod("web-1", node="n1", deleting=ends), pod("web-2", node="n1", deleting=ends - HOUR)]
    )
    assert [one.deleting for one in cluster_at(before, NOW - 60).pods] == [None, ends - HOUR]
