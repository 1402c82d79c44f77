"""What keeps a pod from being removed: less than from moving once it has finished, and another thing while it runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import pytest

from builders import NOW, budget, cluster, node, owner, pod, spec, workload
from descheduler.gangs import resolve
from descheduler.model.pods import Phase, Pod, PodClaim
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.templates import PodTemplate
from descheduler.model.workloads import WorkloadKey
from descheduler.planning.filters.build import FilterRules, Filters, LedgerView, build_filters
from descheduler.policy.protections import Protections
from gang_builders import core_group, custom

EVICT = "descheduler.alpha.kubernetes.io/evict"
OPEN = {"protect_daemon_sets": False}


def judged(snapshot: ClusterSnapshot, ledger: LedgerView | None = None, **policy: object) -> Filters:
    rules = replace(FilterRules.of(Protections()), **policy)  # type: ignore[arg-type]
    return build_filters(snapshot, resolve(snapshot), rules, now=NOW, ledger=ledger)


def kept(one: Pod, *others: Pod, policy: dict[str, object] | None = None, **rest: object) -> Reason | None:
    """Why the pod may not be removed."""
    nodes = rest.pop("nodes", (node("n1"), node("n2")))
    snapshot = cluster(nodes, [one, *others], **rest)  # type: ignore[arg-type]
    filters = judged(snapshot, **(policy or {}))
    at = snapshot.pod_index[one.namespace, one.name]
    blocked = filters.kept(at)
    assert bool(filters.removable[at]) is (blocked is None)
    return None if blocked is None else blocked.reason


def failed(**rest: object) -> Pod:
    return pod("job-1", node="n1", phase=Phase.FAILED, ready=False, **rest)  # type: ignore[arg-type]


def running(**rest: object) -> Pod:
    return pod("web-1", node="n1", **rest)  # type: ignore[arg-type]


# Pods that have finished


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.SUCCEEDED])
def test_a_finished_pod_may_be_removed_and_does_not_move(phase: Phase) -> None:
    snapshot = cluster([node("n1")], [pod("job-1", node="n1", phase=phase, ready=False)])
    filters = judged(snapshot)
    assert filters.kept(0) is None
    assert filters.blocked(0) == Blocked(Reason.TERMINAL, "pod/default/job-1", f"phase {phase}")


@pytest.mark.parametrize(
    ("one", "rest"),
    [
        (failed(labels={"app": "a"}), {"budgets": [budget("a", {"app": "a"}, allowed=0)]}),
        (failed(labels={"app": "a"}), {"budgets": [budget(name, {"app": "a"}) for name in "ab"]}),
        (failed(owners=(owner("Job", "j", "batch/v1"),)), {}),  # nobody need make it again
        (failed(owners=(owner("Workflow", "w", "argoproj.io/v1alpha1"),)), {}),
        (failed(labels={"koordinator.sh/qosClass": "LSE"}), {}),
        (failed(), {"policy": {"min_replicas": 3}}),
        (failed(), {"ending": frozenset({"default"})}),
    ],
)
def test_what_a_restart_would_do_does_not_keep_it(one: Pod, rest: dict[str, object]) -> None:
    assert kept(one, **rest) is None  # type: ignore[arg-type]
    assert kept(replace(one, phase=Phase.RUNNING), **rest) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "one", "policy"),
    [
        (Reason.MIRROR_POD, failed(annotations={"kubernetes.io/config.mirror": "x"}), {}),
        (Reason.DAEMON_SET, failed(owners=(owner("DaemonSet", "d"),)), {}),
        (Reason.TERMINATING, failed(deleting=NOW), {}),
        (Reason.DATA_PARTIAL, failed(problem="nonsense"), {}),
        (Reason.NEVER_EVICT, failed(labels={"ray.io/node-type": "head"}), {}),
        (Reason.OPTED_OUT, failed(annotations={EVICT: "false"}), {}),
        (Reason.NAMESPACE_EXCLUDED, failed(), {"excluded_namespaces": ("default",)}),
        (Reason.SYSTEM_CRITICAL, failed(priority=2_000_000_000), {}),
        (Reason.PRIORITY_TOO_HIGH, failed(priority=7), {"priority_threshold": 7}),
        (Reason.LOCAL_STORAGE, failed(of=spec(local_storage=True)), {}),
        (Reason.PERSISTENT_VOLUME, failed(claims=("data",)), {"protect_persistent_volumes": True}),
        (
            Reason.RESOURCE_CLAIMS,
            failed(of=spec(resource_claims=(PodClaim("gpu", template="one"),))),
            {"protect_resource_claims": True},
        ),
        (Reason.NOT_SELECTED, failed(), {"label_selector": LabelSelector.of({"app": "b"})}),
        (Reason.WITHOUT_BUDGET, failed(), {"protect_without_budget": True}),
        (Reason.TOO_YOUNG, failed(created=NOW - 10), {"min_age_seconds": 60.0}),
        (Reason.BARE_POD, failed(owners=()), {}),
    ],
)
def test_what_people_said_of_it_still_keeps_it(reason: Reason, one: Pod, policy: dict[str, object]) -> None:
    assert kept(one, policy=policy) is reason


def test_a_node_that_is_not_ready_or_not_known_keeps_its_pods() -> None:
    assert kept(failed(), nodes=(node("n1", ready=False),)) is Reason.NODE_NOT_READY
    assert kept(failed(), nodes=(node("n2"),)) is Reason.NOT_RUNNING
    assert kept(failed(), nodes=(node("n1", unschedulable=True),)) is None


@pytest.mark.parametrize(
    ("one", "policy", "reason"),
    [
        (failed(owners=()), {"protect_failed_bare_pods": False}, None),
        (failed(owners=(), annotations={EVICT: "true"}), {}, None),
        (
            pod("a", node="n1", owners=(), phase=Phase.SUCCEEDED),
            {"protect_failed_bare_pods": False},
            Reason.BARE_POD,
        ),
        (running(owners=()), {"protect_failed_bare_pods": False}, Reason.BARE_POD),
        (running(owners=(), annotations={EVICT: "true"}), {}, Reason.BARE_POD),
    ],
)
def test_bare_pods_go_only_when_they_failed_and_nobody_protects_them(
    one: Pod, policy: dict[str, object], reason: Reason | None
) -> None:
    assert kept(one, policy=policy) is reason


VOLCANO = owner("Job", "train", "batch.volcano.sh/v1alpha1")
PYTORCH = owner("PyTorchJob", "train", "kubeflow.org/v1")


@pytest.mark.parametrize(
    ("of", "status", "reason"),
    [
        (VOLCANO, {"state": {"phase": "Running"}}, Reason.WOULD_RUN_AGAIN),
        (VOLCANO, {"state": {"phase": "Completed"}}, None),
        (VOLCANO, {}, Reason.WOULD_RUN_AGAIN),
        (PYTORCH, {"conditions": [{"type": "Running", "status": "True"}]}, Reason.WOULD_RUN_AGAIN),
        (
            PYTORCH,
            {"conditions": [{"type": "Running", "status": "False"}, {"type": "Failed", "status": "True"}]},
            None,
        ),
    ],
)
def test_operators_that_would_run_it_again_keep_it_until_their_job_has_ended(
    of: object, status: dict[str, object], reason: Reason | None
) -> None:
    job = custom(of.api_version, of.kind, "train", status=status)  # type: ignore[attr-defined, arg-type]
    one = failed(owners=(of,))
    assert kept(one, objects=[job]) is reason
    assert kept(one) is Reason.WOULD_RUN_AGAIN  # nobody knows whether it has ended


def test_a_workflow_must_have_noted_the_end() -> None:
    of = (owner("Workflow", "w", "argoproj.io/v1alpha1"),)
    assert kept(failed(owners=of, labels={"workflows.argoproj.io/completed": "false"})) is Reason.WOULD_RUN_AGAIN
    assert kept(failed(owners=of, labels={"workflows.argoproj.io/completed": "true"})) is None


# Pods that run


def test_a_running_pod_may_be_removed_where_it_may_move() -> None:
    assert kept(running()) is None
    assert kept(running(), budgets=[budget("all", {}, allowed=0)]) is Reason.DISRUPTION_BUDGET
    assert kept(running(), policy={"min_replicas": 2}) is Reason.TOO_FEW_REPLICAS


def test_a_pod_that_has_not_started_may_be_removed_whatever_budgets_say() -> None:
    one = replace(running(labels={"app": "a"}), phase=Phase.PENDING, ready=False)
    snapshot = cluster([node("n1")], [one], budgets=[budget(name, {"app": "a"}, allowed=0) for name in "ab"])
    filters = judged(snapshot)
    assert filters.kept(0) is None
    assert filters.blocked(0) == Blocked(Reason.NOT_RUNNING, "pod/default/web-1", "phase Pending")
    assert kept(replace(one, node="")) is Reason.NOT_RUNNING


def test_a_pod_of_a_daemon_set_may_be_removed_where_it_is_not_protected_and_never_moves() -> None:
    daemon = running(owners=(owner("DaemonSet", "d"),))
    assert kept(daemon) is Reason.DAEMON_SET
    assert kept(replace(daemon, annotations=running(annotations={EVICT: "true"}).annotations)) is None
    assert kept(daemon, policy=OPEN) is None
    filters = judged(cluster([node("n1")], [daemon]), **OPEN)
    assert [b.reason for b in filters.every(0)] == [Reason.DAEMON_SET]


def test_who_would_come_back_to_the_node_may_be_removed() -> None:
    made = workload("ReplicaSet", "web", replicas=1, present=1, template=PodTemplate(running().spec, node="n1"))
    snapshot = cluster([node("n1")], [running()], workloads=[made])
    filters = judged(snapshot)
    assert filters.kept(0) is None
    blocked = filters.blocked(0)
    assert blocked is not None
    assert blocked.reason is Reason.RETURNS_TO_NODE


def test_the_executor_has_no_say_in_removals() -> None:
    refuse: dict[str, object] = {"executor": lambda _: Blocked(Reason.EXECUTOR)}
    assert kept(running(), policy=refuse) is None


def test_a_gang_that_moves_whole_is_kept_whole() -> None:
    gang = [pod(f"w-{i}", node="n1", pod_group="g") for i in range(2)]
    objects = [core_group("g", 2, {"all": {}})]
    assert kept(gang[0], gang[1], objects=objects) is None
    opted = replace(gang[1], annotations=running(annotations={EVICT: "false"}).annotations)
    assert kept(gang[0], opted, objects=objects) is Reason.GANG_MEMBER_BLOCKED


@dataclass(frozen=True)
class Cooling:
    """Everything was moved a moment ago."""

    any_entries: bool = True
    successors: Collection[str] = ()

    def blocked(self, workload: WorkloadKey, pod_uid: str, now: float) -> Blocked | None:
        return Blocked(Reason.COOLDOWN)


def test_a_workload_is_left_in_peace_while_it_cools_but_its_ended_pods_are_not_of_it() -> None:
    daemon = pod("d-1", node="n1", owners=(owner("DaemonSet", "d"),))
    starting = replace(pod("s-1", node="n1"), phase=Phase.PENDING)
    snapshot = cluster([node("n1")], [running(), failed(), daemon, starting])
    filters = judged(snapshot, Cooling(), **OPEN)
    found = {one.name: filters.kept(at) for at, one in enumerate(snapshot.pods)}
    cooling = Blocked(Reason.COOLDOWN)
    assert found == {"web-1": cooling, "job-1": None, "d-1": cooling, "s-1": cooling}
