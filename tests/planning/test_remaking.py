"""What comes in the place of a pod: what its controller's template says, and not what the pod happens to be."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.contract import StrategyArgs
from descheduler.gangs import resolve
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.pods import PodSpec, Toleration
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.policy.protections import Protections
from descheduler.scheduler import prepare
from kube.wire_objects import Json, container, node
from kube.workload_objects import (
    HASH,
    cpu,
    of_replica_set,
    of_stateful_set,
    owned,
    replica,
    replica_set,
    stateful_set,
    template,
    workload,
)
from planning.cases import planned
from planning.proposing import Proposing

RESIZED = {"generation": 2}
AS_MADE = {"generation": 1}
VPA = {"annotations": {"vpaObservedContainers": "main", "vpaUpdates": "Pod resources updated by web: container 0"}}


def seen(*pods: Json, **kinds: Json | list[Json]) -> ClusterSnapshot:
    """A cluster of three nodes with 4 cores, unless `nodes` are given."""
    nodes = kinds.pop("nodes", [node(f"n{i}") for i in (1, 2, 3)])
    lists = {kind: found if isinstance(found, list) else [found] for kind, found in kinds.items()}
    return snapshot_from_objects({"nodes": nodes, "pods": list(pods), **lists}, 1_760_000_000.0)


def remade(snapshot: ClusterSnapshot, pod: int = 0) -> PodSpec:
    found = snapshot.remade.different.get(pod)
    return snapshot.pods[pod].spec if found is None else found.spec


def cores(snapshot: ClusterSnapshot, pod: int = 0) -> float:
    return dict(remade(snapshot, pod).requests).get("cpu", 0) / 1000


def stops(snapshot: ClusterSnapshot, pod: int = 0) -> Reason | None:
    filters = build_filters(snapshot, resolve(snapshot), FilterRules.of(Protections()), now=snapshot.taken_at)
    blocked = filters.blocked(pod)
    return None if blocked is None else blocked.reason


class TestTheSameRevision:
    """A pod that was made from the template: only what may change in a pod can differ."""

    def test_is_made_again_as_it_was_before_it_was_resized(self) -> None:
        resized = of_replica_set("a", cpu("3"), metadata=RESIZED)
        assert cores(seen(resized, replicasets=replica_set(cpu("1")))) == 1

    def test_of_a_server_that_counts_no_generations_too(self) -> None:
        assert cores(seen(of_replica_set("a", cpu("500m")), replicasets=replica_set(cpu("2")))) == 2

    def test_a_pod_that_nobody_changed_is_what_admission_makes_of_the_template(self) -> None:
        overcommitted = of_replica_set("a", cpu("500m"), metadata=AS_MADE)
        snapshot = seen(overcommitted, replicasets=replica_set(cpu("2")))
        assert remade(snapshot) is snapshot.pods[0].spec

    @pytest.mark.parametrize(
        "pod",
        [
            of_replica_set("a", cpu("1")),
            of_replica_set("a", cpu("1"), cpu("100m", "istio-proxy")),  # injected
            of_replica_set("a", cpu("1"), tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]),
            of_replica_set("a", cpu("1"), nodeSelector={"tenant": "shop"}),  # PodNodeSelector
            of_replica_set("a", cpu("1"), overhead={"cpu": "250m"}),
            of_replica_set("a", container("main", requests={"cpu": "1", "memory": "1Gi"})),  # LimitRange
        ],
    )
    def test_what_admission_adds_comes_again(self, pod: Json) -> None:
        snapshot = seen(pod, replicasets=replica_set(cpu("1")))
        assert remade(snapshot) is snapshot.pods[0].spec

    def test_what_admission_took_away_does_not_come_back(self) -> None:
        batch = container("main", requests={"kubernetes.io/batch-cpu": "1000"})
        snapshot = seen(of_replica_set("a", batch), replicasets=replica_set(cpu("1")))
        assert remade(snapshot) is snapshot.pods[0].spec

    def test_a_template_that_was_written_since_is_another_though_its_hash_is_the_same(self) -> None:
        written = replica_set(cpu("1"), nodeSelector={"disk": "ssd"})
        snapshot = seen(of_replica_set("a", cpu("1"), node="n1", metadata=AS_MADE), replicasets=written)
        assert dict(remade(snapshot).node_selector) == {"disk": "ssd"}
        assert not prepare(snapshot).what_if().fits(0).any()

    def test_limits_without_requests_are_requests_of_pods(self) -> None:
        limited = container("main", limits={"cpu": "2", "memory": "1Gi"})
        made = container("main", limits={"cpu": "2", "memory": "1Gi"}, requests={"cpu": "2", "memory": "1Gi"})
        snapshot = seen(of_replica_set("a", made), replicasets=replica_set(limited))
        assert remade(snapshot) is snapshot.pods[0].spec
        shrunk = container("main", limits={"cpu": "1", "memory": "1Gi"}, requests={"cpu": "1", "memory": "1Gi"})
        found = remade(seen(of_replica_set("a", shrunk), replicasets=replica_set(limited)))
        assert (dict(found.requests)["cpu"], dict(found.limits)["cpu"], found.qos) == (2000, 2000, "Guaranteed")

    def test_a_resize_that_is_still_under_way_is_over_for_the_replacement(self) -> None:
        status = {"containerStatuses": [{"name": "main", "resources": {"requests": {"cpu": "4"}}}]}
        snapshot = seen(
            of_replica_set("a", cpu("1"), metadata=RESIZED, status=status), replicasets=replica_set(cpu("1"))
        )
        assert dict(snapshot.pods[0].spec.requests)["cpu"] == 4000
        assert cores(snapshot) == 1

    def test_sidecars_and_init_containers_count_as_in_pods(self) -> None:
        proxy = [cpu("1", "proxy", restart="Always"), cpu("3", "migrate")]
        pod = of_replica_set("a", cpu("4"), initContainers=[cpu("2", "proxy", restart="Always"), cpu("3", "migrate")])
        assert cores(seen(pod, replicasets=replica_set(cpu("1"), initContainers=proxy))) == 4

    def test_what_a_vertical_pod_autoscaler_set_it_sets_again(self) -> None:
        snapshot = seen(of_replica_set("a", cpu("3"), metadata=VPA | RESIZED), replicasets=replica_set(cpu("1")))
        assert remade(snapshot) is snapshot.pods[0].spec

    def test_a_label_that_somebody_changed_is_the_templates_again(self) -> None:
        snapshot = seen(
            of_replica_set("a", labels={"role": "leader", "canary": "yes"}),
            replicasets=replica_set(cpu("1"), labels={"role": "follower"}),
        )
        labels = snapshot.remade.different[0].labels
        assert (labels["role"], labels["canary"]) == ("follower", "yes")

    def test_pods_of_a_job_too(self) -> None:
        job = workload("Job", "web", template(cpu("1"), restartPolicy="Never"))
        pod = replica("web", "web-a", cpu("3"), kind="Job", metadata=owned("Job", "web", "batch/v1") | RESIZED)
        assert cores(seen(pod, jobs=job)) == 1

    def test_where_the_template_is_not_known_the_pod_stands_for_it(self) -> None:
        snapshot = seen(of_replica_set("a", cpu("3"), metadata=RESIZED))
        assert remade(snapshot) is snapshot.pods[0].spec


class TestAnotherRevision:
    def test_on_delete_makes_the_new_one(self) -> None:
        on_delete = stateful_set(cpu("3"), updateStrategy={"type": "OnDelete"})
        assert cores(seen(of_stateful_set(0, cpu("1"), revision="db-old"), statefulsets=on_delete)) == 3

    @pytest.mark.parametrize(("partition", "expected"), [(0, 3), (1, 1), (None, 3)])
    def test_a_partition_keeps_the_old_one_below_it(self, partition: int | None, expected: float) -> None:
        rolling = {} if partition is None else {"rollingUpdate": {"partition": partition}}
        found = stateful_set(cpu("3"), updateStrategy={"type": "RollingUpdate", **rolling})
        assert cores(seen(of_stateful_set(0, cpu("1"), revision="db-old"), statefulsets=found)) == expected

    def test_below_the_partition_a_pod_keeps_its_own_where_the_status_names_no_current_one(self) -> None:
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
        found = stateful_set(cpu("3"), updateStrategy=strategy, status={"currentRevision": ""})
        assert cores(seen(of_stateful_set(0, cpu("1"), revision="db-old"), statefulsets=found)) == 1
        over = stateful_set(cpu("3"), updateStrategy=strategy, status={"currentRevision": "db-new"})
        assert cores(seen(of_stateful_set(0, cpu("1"), revision="db-old"), statefulsets=over)) == 3

    def test_the_partition_counts_from_the_first_ordinal(self) -> None:
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        found = stateful_set(cpu("3"), updateStrategy=strategy, ordinals={"start": 5}, podManagementPolicy="Parallel")
        pods = [of_stateful_set(i, cpu("1"), revision="db-old") for i in (6, 7)]
        snapshot = seen(*pods, statefulsets=found)
        assert (cores(snapshot, 0), cores(snapshot, 1)) == (1, 3)

    def test_a_pod_that_would_fall_back_to_a_revision_that_is_not_read_stays(self) -> None:
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}
        snapshot = seen(of_stateful_set(0, cpu("3")), statefulsets=stateful_set(cpu("3"), updateStrategy=strategy))
        assert stops(snapshot) is Reason.DATA_MISSING

    def test_has_the_templates_rules_and_what_admission_adds(self) -> None:
        not_ready = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
        old = of_stateful_set(
            0,
            container("main", requests={"cpu": "1", "memory": "1Gi"}),
            revision="db-old",
            tolerations=[not_ready, {"key": "old", "operator": "Exists"}],
            nodeSelector={"disk": "hdd"},
            overhead={"cpu": "250m"},
            schedulerName="old",
            priorityClassName="old",
        )
        new = template(cpu("2"), nodeSelector={"disk": "ssd"}, schedulerName="new", priorityClassName="high")
        found = workload(
            "StatefulSet", "db", new, status={"updateRevision": "db-new"}, spec={"updateStrategy": {"type": "OnDelete"}}
        )
        made = remade(seen(old, statefulsets=found))
        assert dict(made.requests) == {"cpu": 2250, "memory": 2**30, "pods": 1}
        assert made.node_selector == {"disk": "ssd"}
        assert made.tolerations == (Toleration("node.kubernetes.io/not-ready", "Exists", "", "NoExecute"),)
        assert (made.scheduler_name, made.priority_class) == ("new", "high")

    def test_has_the_sidecar_that_was_injected_but_not_a_container_that_was_renamed(self) -> None:
        found = stateful_set(cpu("2"), updateStrategy={"type": "OnDelete"})
        injected = of_stateful_set(0, cpu("1"), cpu("100m", "istio-proxy"), revision="db-old")
        assert cores(seen(injected, statefulsets=found)) == 2.1
        renamed = of_stateful_set(0, cpu("1", "server"), revision="db-old")
        assert cores(seen(renamed, statefulsets=found)) == 2

    def test_keeps_its_name_and_ordinal_in_its_labels(self) -> None:
        found = stateful_set(cpu("1"), updateStrategy={"type": "OnDelete"})
        labels = seen(of_stateful_set(0, revision="db-old"), statefulsets=found).remade.different[0].labels
        assert labels == {
            "app": "web",
            "controller-revision-hash": "db-new",
            "statefulset.kubernetes.io/pod-name": "db-0",
            "apps.kubernetes.io/pod-index": "0",
        }

    def test_a_template_that_was_changed_in_place_keeps_its_hash_and_has_other_rules(self) -> None:
        changed = replica_set(
            container("main", requests={"cpu": "2", "nvidia.com/gpu": "1"}), nodeSelector={"disk": "ssd"}
        )
        made = remade(seen(of_replica_set("a", cpu("1")), replicasets=changed))
        assert made.node_selector == {"disk": "ssd"}
        assert dict(made.requests) == {"cpu": 2000, "nvidia.com/gpu": 1, "pods": 1}
        grown = replica_set(container("main", requests={"cpu": "1", "nvidia.com/gpu": "1"}))
        assert remade(seen(of_replica_set("a", cpu("1")), replicasets=grown)).gpu is not None

    def test_a_scheduler_that_admission_chose_is_chosen_again(self) -> None:
        snapshot = seen(of_replica_set("a", schedulerName="hami-scheduler"), replicasets=replica_set(cpu("1")))
        assert remade(snapshot) is snapshot.pods[0].spec

    def test_a_template_that_was_changed_without_a_revision_is_told_by_its_rules(self) -> None:
        changed = workload("ReplicaSet", "web", template(cpu("2"), nodeSelector={"disk": "ssd"}))
        assert remade(seen(replica("web", "web-a"), replicasets=changed)).node_selector == {"disk": "ssd"}
        larger = workload("ReplicaSet", "web", template(container("main", requests={"cpu": "1", "memory": "2Gi"})))
        assert dict(remade(seen(replica("web", "web-a"), replicasets=larger)).requests)["memory"] == 2**31


class TestWhatWouldNotCome:
    def test_a_node_in_the_template_is_where_the_replacement_goes(self) -> None:
        snapshot = seen(of_replica_set("a", node="n1"), replicasets=replica_set(cpu("1"), nodeName="n1"))
        assert stops(snapshot) is Reason.RETURNS_TO_NODE
        assert stops(seen(of_replica_set("a"), replicasets=replica_set(cpu("1"), nodeName="n2"))) is Reason.NODE_NAMED

    def test_scheduling_gates_in_the_template_wait_for_somebody(self) -> None:
        gated = replica_set(cpu("1"), schedulingGates=[{"name": "example.com/hold"}])
        assert stops(seen(of_replica_set("a"), replicasets=gated)) is Reason.WOULD_WAIT

    def test_a_template_that_makes_no_sense_concerns_its_own_pods(self) -> None:
        snapshot = seen(
            of_replica_set("a"),
            replica("api", "z-api"),
            replicasets=[replica_set(cpu("much")), workload("ReplicaSet", "api", template(cpu("1")))],
        )
        assert stops(snapshot) is Reason.DATA_PARTIAL
        assert stops(snapshot, 1) is None

    def test_a_controller_that_has_not_caught_up_may_be_about_to_do_anything(self) -> None:
        behind = replica_set(cpu("1"))
        behind["metadata"]["generation"] = 2
        assert stops(seen(of_replica_set("a"), replicasets=behind)) is Reason.ROLLING_OUT
        behind["status"]["observedGeneration"] = 2
        assert stops(seen(of_replica_set("a"), replicasets=behind)) is None

    @pytest.mark.parametrize(
        ("spec", "conditions", "own", "expected"),
        [
            ({}, [], "2", Reason.ROLLING_OUT),
            ({}, [], "3", None),  # the newest
            ({"paused": True}, [], "2", None),
            ({}, [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}], "2", None),
        ],
    )
    def test_a_pod_that_a_rollout_replaces_goes_anyway(
        self, spec: Json, conditions: list[Json], own: str, expected: Reason | None
    ) -> None:
        def revision(number: str) -> Json:
            return {"annotations": {"deployment.kubernetes.io/revision": number}}

        made_from = template(cpu("1"))
        deployment = workload(
            "Deployment", "web", made_from, spec=spec, status={"conditions": conditions}, metadata=revision("3")
        )
        mine = replica_set(cpu("1"))
        mine["metadata"] |= owned("Deployment", "web") | revision(own)
        assert stops(seen(of_replica_set("a"), replicasets=mine, deployments=deployment)) is expected


class TestTurnsOfOrdinals:
    @staticmethod
    def stays(*pods: Json, **spec: Any) -> list[Reason | None]:
        snapshot = seen(*pods, statefulsets=stateful_set(cpu("1"), replicas=len(pods), **spec))
        return [stops(snapshot, i) for i in range(len(pods))]

    def test_whoever_comes_after_one_that_is_not_ready_stays(self) -> None:
        ready = [of_stateful_set(i) for i in (0, 2)]
        assert self.stays(ready[0], of_stateful_set(1, status=NOT_READY), ready[1]) == [None, None, Reason.WOULD_WAIT]

    def test_where_all_are_ready_or_made_in_parallel_each_may_go(self) -> None:
        assert self.stays(*(of_stateful_set(i) for i in range(3))) == [None] * 3
        ill = of_stateful_set(0, status=NOT_READY)
        assert self.stays(ill, of_stateful_set(1), podManagementPolicy="Parallel") == [None, None]
        assert self.stays(ill, of_stateful_set(1), podManagementPolicy="OrderedReady")[1] is Reason.WOULD_WAIT

    @pytest.mark.parametrize(
        "lower",
        [
            of_stateful_set(0, node="", phase="Pending", status={"conditions": []}),
            of_stateful_set(0, phase="Failed"),
            of_stateful_set(0, metadata={"deletionTimestamp": "2025-10-01T09:00:00Z"}),
        ],
    )
    def test_one_that_waits_has_failed_or_leaves_is_not_ready(self, lower: Json) -> None:
        assert self.stays(lower, of_stateful_set(1))[1] is Reason.WOULD_WAIT

    def test_one_of_which_nothing_is_said_holds_nobody_up(self) -> None:
        silent = of_stateful_set(0, status={"conditions": []})
        assert self.stays(silent, of_stateful_set(1)) == [None, None]

    def test_one_that_is_missing_is_not_ready(self) -> None:
        snapshot = seen(of_stateful_set(1), of_stateful_set(2), statefulsets=stateful_set(cpu("1")))
        assert [stops(snapshot, i) for i in (0, 1)] == [Reason.WOULD_WAIT] * 2

    def test_ordinals_may_begin_later(self) -> None:
        started = stateful_set(cpu("1"), replicas=2, ordinals={"start": 1})
        snapshot = seen(of_stateful_set(1), of_stateful_set(2), statefulsets=started)
        assert [stops(snapshot, i) for i in (0, 1)] == [None, None]

    def test_one_beyond_the_replicas_is_not_made_again(self) -> None:
        snapshot = seen(of_stateful_set(0), of_stateful_set(1), statefulsets=stateful_set(cpu("1"), replicas=1))
        assert [stops(snapshot, i) for i in (0, 1)] == [None, Reason.WOULD_BE_LOST]


NOT_READY = {"conditions": [{"type": "Ready", "status": "False"}]}


class TestTheStateWithMoves:
    """In a what-if state a pod is what it is on its own node, and what will be made everywhere else."""

    @staticmethod
    def cluster(nodes: list[Json] | None = None) -> ClusterSnapshot:
        """A pod of 1 core that will be made with 3, and a neighbour of 2 on n2; nodes have 4."""
        return seen(
            of_replica_set("a", cpu("1"), node="n1", metadata=RESIZED),
            of_replica_set("b", cpu("2"), node="n2", metadata=AS_MADE),
            replicasets=replica_set(cpu("3"), replicas=2),
            nodes=nodes or [node(f"n{i}") for i in (1, 2, 3)],
        )

    def test_the_proof_is_of_the_replacement(self) -> None:
        state = prepare(self.cluster()).what_if()
        assert state.fits(0).tolist() == [True, False, True]
        assert state.explain_text(0) == "2/3 nodes are available: 1 Insufficient cpu."

    def test_what_leaves_is_the_pod_and_what_arrives_the_replacement(self) -> None:
        state = prepare(self.cluster()).what_if()
        state.remove(0)
        assert state.free()[:, 0].tolist() == [4000, 2000, 4000]
        state.place(0, 2)
        assert state.free()[:, 0].tolist() == [4000, 2000, 1000]
        state.remove(0)
        assert state.free()[:, 0].tolist() == [4000, 2000, 4000]

    def test_taking_a_pod_away_and_putting_it_back_changes_nothing(self) -> None:
        state = prepare(self.cluster()).what_if()
        before = state.free().tolist(), state.verdicts(1).tolist()
        state.remove(0)
        state.place(0, 0)
        assert (state.free().tolist(), state.verdicts(1).tolist()) == before

    def test_the_plan_prices_the_replacement_and_says_what_it_will_be(self) -> None:
        strategy = Proposing(((f"web-{HASH}-a", ()),), "shop")
        drained = [node("n1", spec={"unschedulable": True}), node("n2"), node("n3")]
        (action,) = planned(self.cluster(drained), chosen=[ChosenStrategy(strategy, StrategyArgs())]).actions
        (move,) = action.pods
        assert move.destination == "n3"
        assert (move.requests, move.becomes) == ({"cpu": "1"}, {"cpu": "3"})
        assert move.remade == f"made from the template of ReplicaSet/web-{HASH}: cpu 3 instead of 1"
        as_it_is = seen(
            of_replica_set("a", cpu("1"), node="n1"), replicasets=replica_set(cpu("1"), replicas=1), nodes=drained
        )
        (same,) = planned(as_it_is, chosen=[ChosenStrategy(strategy, StrategyArgs())]).actions
        assert (same.pods[0].becomes, same.pods[0].remade) == ({}, "")
        assert action.cost.total == pytest.approx(3 * same.cost.total)

    def test_selectors_see_the_replacements_labels(self) -> None:
        apart = {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"role": "leader"}}}
                ]
            }
        }
        nodes = [node(name, metadata={"labels": {"kubernetes.io/hostname": name}}) for name in ("n1", "n2", "n3")]
        snapshot = seen(
            of_replica_set("a", labels={"role": "follower"}, node="n1"),
            replica("lonely", "lonely-a", affinity=apart, node="n2"),
            replicasets=replica_set(cpu("1"), labels={"role": "leader"}),
            nodes=nodes,
        )
        lonely, changed = snapshot.pod_index["shop", "lonely-a"], snapshot.pod_index["shop", f"web-{HASH}-a"]
        state = prepare(snapshot).what_if()
        assert state.fits(lonely).tolist() == [True, True, True]
        assert state.fits(changed).tolist() == [True, False, True]
        state.remove(changed)
        state.place(changed, 2)
        assert state.fits(lonely).tolist() == [True, True, False]
