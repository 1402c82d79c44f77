"""Each filter stops whom it should, says why, and lets through whom it should not stop."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import pytest

from builders import NOW, budget, cluster, node, owner, pod, spec, workload
from descheduler.gangs import resolve
from descheduler.model.objects import Json
from descheduler.model.pods import Phase, Pod, PodSpec
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.selectors import LabelSelector, Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.storage import Claim
from descheduler.model.workloads import WorkloadKey
from descheduler.planning.filters.build import REASONS, FilterRules, Filters, LedgerView, build_filters
from descheduler.policy.protections import Protections
from gang_builders import custom, job_owner

EVICT = "descheduler.alpha.kubernetes.io/evict"


def judged(snapshot: ClusterSnapshot, ledger: LedgerView | None = None, **policy: object) -> Filters:
    rules = replace(FilterRules.of(Protections()), **policy)  # type: ignore[arg-type]
    return build_filters(snapshot, resolve(snapshot), rules, now=NOW, ledger=ledger)


def verdict(one: Pod, *, policy: dict[str, object] | None = None, **rest: object) -> Blocked | None:
    """What stops a single pod on n1."""
    snapshot = cluster([node("n1"), node("n2")], [one], **rest)  # type: ignore[arg-type]
    filters = judged(snapshot, **(policy or {}))
    blocked = filters.blocked(0)
    assert bool(filters.movable[0]) is (blocked is None)
    assert filters.reason_code[0] == (-1 if blocked is None else REASONS.index(blocked.reason))
    return blocked


def plain(**rest: object) -> Pod:
    return pod("web-1", node="n1", **rest)  # type: ignore[arg-type]


def of(**fields: object) -> Pod:
    return plain(of=spec(**fields))  # type: ignore[arg-type]


def marked(key: str, value: str) -> Pod:
    return plain(annotations={key: value})


def labelled(key: str, value: str) -> Pod:
    return plain(labels={key: value})


def test_an_ordinary_pod_may_move() -> None:
    assert verdict(plain()) is None


@dataclass(frozen=True)
class Case:
    """A pod that the defaults, or the policy given, stop."""

    pod: Pod
    reason: Reason
    by: str
    policy: dict[str, object] | None = None
    lifted: bool = False  # by the annotation that asks for eviction


CASES = {
    "mirror pod": Case(marked("kubernetes.io/config.mirror", "x"), Reason.MIRROR_POD, "node/n1"),
    "static pod": Case(marked("kubernetes.io/config.source", "file"), Reason.MIRROR_POD, "node/n1"),
    "owned by its node": Case(plain(owners=[owner("Node", "n1", "v1")]), Reason.MIRROR_POD, "node/n1"),
    "DaemonSet": Case(plain(owners=[owner("DaemonSet", "d")]), Reason.DAEMON_SET, "DaemonSet/d"),
    "finished": Case(plain(phase=Phase.SUCCEEDED), Reason.TERMINAL, "pod/default/web-1"),
    "failed": Case(plain(phase=Phase.FAILED), Reason.TERMINAL, "pod/default/web-1"),
    "terminating": Case(plain(deleting=NOW), Reason.TERMINATING, "pod/default/web-1"),
    "pending": Case(pod("web-1"), Reason.NOT_RUNNING, "pod/default/web-1"),
    "starting": Case(plain(phase=Phase.PENDING), Reason.NOT_RUNNING, "pod/default/web-1"),
    "on an unknown node": Case(pod("web-1", node="n9"), Reason.NOT_RUNNING, "pod/default/web-1"),
    "unreadable": Case(plain(problem="cpu: 'lots'"), Reason.DATA_PARTIAL, "pod/default/web-1"),
    "system critical": Case(plain(priority=2_000_000_000), Reason.SYSTEM_CRITICAL, "priority 2000000000", lifted=True),
    "at the threshold": Case(
        plain(priority=1000), Reason.PRIORITY_TOO_HIGH, "priority 1000", {"priority_threshold": 1000}, lifted=True
    ),
    "local storage": Case(of(local_storage=True), Reason.LOCAL_STORAGE, "pod/default/web-1", lifted=True),
    "bare": Case(plain(owners=()), Reason.BARE_POD, "pod/default/web-1"),
    "opted out": Case(marked(EVICT, "false"), Reason.OPTED_OUT, f"annotation {EVICT}"),
    "opted out for the cluster autoscaler": Case(
        marked("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
        Reason.OPTED_OUT,
        "annotation cluster-autoscaler.kubernetes.io/safe-to-evict",
    ),
    "opted out for Karpenter": Case(
        marked("karpenter.sh/do-not-disrupt", "true"), Reason.OPTED_OUT, "annotation karpenter.sh/do-not-disrupt"
    ),
    "infinite cost": Case(
        marked("scheduling.koordinator.sh/eviction-cost", "2147483647"),
        Reason.OPTED_OUT,
        "annotation scheduling.koordinator.sh/eviction-cost",
    ),
    "Koordinator opt-out": Case(
        labelled("koordinator.sh/eviction-enabled", "false"),
        Reason.OPTED_OUT,
        "label koordinator.sh/eviction-enabled",
    ),
    "prefers not": Case(
        marked("descheduler.alpha.kubernetes.io/prefer-no-eviction", ""),
        Reason.OPTED_OUT,
        "annotation descheduler.alpha.kubernetes.io/prefer-no-eviction",
        {"prefer_no_eviction_forbids": True},
    ),
    "system quality of service": Case(
        labelled("koordinator.sh/qosClass", "SYSTEM"), Reason.NEVER_EVICT, "label koordinator.sh/qosClass=SYSTEM"
    ),
    "bound CPUs": Case(
        labelled("koordinator.sh/qosClass", "LSE"),
        Reason.NEVER_EVICT,
        "label koordinator.sh/qosClass=LSE",
        lifted=True,
    ),
    "other namespace": Case(plain(), Reason.NAMESPACE_EXCLUDED, "namespace/default", {"namespaces": ("a",)}),
    "excluded namespace": Case(
        plain(), Reason.NAMESPACE_EXCLUDED, "namespace/default", {"excluded_namespaces": ("default",)}
    ),
    "namespace labels": Case(
        plain(),
        Reason.NAMESPACE_EXCLUDED,
        "namespace/default",
        {"namespace_selector": LabelSelector((Requirement("team", Operator.EXISTS),))},
    ),
    "not selected": Case(
        plain(),
        Reason.NOT_SELECTED,
        "the policy's label selector",
        {"label_selector": LabelSelector.of({"move": "yes"})},
        lifted=True,
    ),
    "few replicas": Case(plain(), Reason.TOO_FEW_REPLICAS, "pod/default/web-1", {"min_replicas": 2}, lifted=True),
    "young": Case(plain(), Reason.TOO_YOUNG, "pod/default/web-1", {"min_age_seconds": 90_000.0}, lifted=True),
    "of unknown age": Case(
        replace(plain(), started=0.0), Reason.TOO_YOUNG, "pod/default/web-1", {"min_age_seconds": 1.0}, lifted=True
    ),
    "without a budget": Case(
        plain(), Reason.WITHOUT_BUDGET, "pod/default/web-1", {"protect_without_budget": True}, lifted=True
    ),
    "persistent volume": Case(
        plain(claims=("data",)),
        Reason.PERSISTENT_VOLUME,
        "claim/data",
        {"protect_persistent_volumes": True},
        lifted=True,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_protection_names_its_reason(case: Case) -> None:
    blocked = verdict(case.pod, policy=case.policy)
    assert blocked is not None
    assert (blocked.reason, blocked.by) == (case.reason, case.by)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_asking_for_eviction_lifts_what_the_policy_protects_and_nothing_else(case: Case) -> None:
    asking = replace(case.pod, annotations=case.pod.annotations.with_({EVICT: case.pod.annotations.get(EVICT, "true")}))
    blocked = verdict(asking, policy=case.policy)
    assert (blocked is None) is case.lifted
    deaf = verdict(asking, policy={**(case.policy or {}), "honour_evict_annotation": False})
    assert deaf is not None


OFF = {
    "system critical": (plain(priority=2_000_000_000), {"protect_system_critical": False}),
    "local storage": (of(local_storage=True), {"protect_local_storage": False}),
    "bound CPUs": (labelled("koordinator.sh/qosClass", "LSR"), {"protected_qos": frozenset()}),
    "autoscaler": (marked("karpenter.sh/do-not-disrupt", "true"), {"autoscaler_opt_outs": False}),
    "claims by default": (plain(claims=("data",)), {}),
    "below the threshold": (plain(priority=999), {"priority_threshold": 1000}),
    "old enough": (plain(), {"min_age_seconds": 3600.0}),
    "prefers not, by default": (marked("descheduler.alpha.kubernetes.io/prefer-no-eviction", ""), {}),
    "source is the API": (marked("kubernetes.io/config.source", "api"), {}),
    "safe to evict": (marked("cluster-autoscaler.kubernetes.io/safe-to-evict", "true"), {}),
}


@pytest.mark.parametrize(("one", "policy"), OFF.values(), ids=OFF.keys())
def test_protections_that_are_off_or_do_not_apply_stop_nobody(one: Pod, policy: dict[str, object]) -> None:
    assert verdict(one, policy=policy) is None


FLUID = [
    {"fluid.io/managed-by": "fluid"},
    {"fluid.io/dataset": "default-imagenet"},
    {"role": "alluxio-master"},
    {"role": "jindofs-worker"},
    {"role": "juicefs-fuse"},
    {"role": "efc-fuse"},
    {"role": "alluxio-fuse-client"},
    {"role": "thin-worker"},
    {"role": "vineyard-worker"},
    {"role": "dataload-pod"},
    {"role": "datamigrate-pod"},
    {"cacheruntime.fluid.io/name": "c"},
    {"cacheruntime.fluid.io/component-name": "c-worker"},
    {"ray.io/node-type": "head"},
    {"spark-role": "driver"},
    {"app.kubernetes.io/name": "descheduler"},
]


@pytest.mark.parametrize("labels", FLUID, ids=lambda labels: "=".join(next(iter(labels.items()))))
def test_the_registry_holds_even_when_all_protections_are_off(labels: dict[str, str]) -> None:
    asking = plain(labels=labels, annotations={EVICT: "true"})
    blocked = verdict(asking, policy={"protect_local_storage": False, "protect_system_critical": False})
    assert blocked is not None
    assert blocked.reason is Reason.NEVER_EVICT
    assert blocked.by == f"label {next(iter(labels))}={next(iter(labels.values()))}"


@pytest.mark.parametrize(
    "labels",
    [{"role": "alluxio-master-of-none"}, {"ray.io/node-type": "worker"}, {"fluid.io/dataset.x.sched": "required"}],
)
def test_the_registry_holds_nobody_else(labels: dict[str, str]) -> None:
    assert verdict(plain(labels=labels)) is None


def test_pods_run_by_a_fluid_runtime_are_known_by_their_owners() -> None:
    above = (owner("AlluxioRuntime", "c", "data.fluid.io/v1alpha1"),)
    blocked = verdict(
        plain(owners=[owner("StatefulSet", "c-worker")]), workloads=[workload("StatefulSet", "c-worker", owners=above)]
    )
    assert blocked == Blocked(Reason.NEVER_EVICT, "StatefulSet/c-worker", "run by a Fluid runtime")


def test_nothing_moves_in_the_namespace_of_fluid() -> None:
    blocked = verdict(plain(namespace="fluid-system"))
    assert blocked is not None
    assert blocked.reason is Reason.NEVER_EVICT


def test_pods_on_virtual_nodes_are_left_alone() -> None:
    filters = judged(cluster([replace(node("n1"), virtual=True)], [plain()]))
    assert filters.blocked(0) == Blocked(Reason.NOT_SELECTED, "node/n1", "virtual nodes are left alone")


def test_only_claims_of_the_named_storage_classes_are_protected() -> None:
    policy: dict[str, object] = {"protect_persistent_volumes": True, "protected_storage_classes": ("local",)}
    held = plain(claims=("data",))

    def with_class(name: str) -> Blocked | None:
        claims = {("default", "data"): Claim("default", "data", storage_class=name)}
        return verdict(held, policy=policy, claims=claims)

    assert with_class("ebs") is None
    assert with_class("local") is not None
    assert verdict(held, policy=policy) is not None  # a claim that is not known


def test_replicas_that_run_are_counted_and_no_others() -> None:
    pods = [
        pod("web-1", node="n1"),
        pod("web-2", node="n1"),
        pod("web-3", node="n1", phase=Phase.FAILED),
        pod("web-4", node="n1", deleting=NOW),
        pod("api-1", node="n1"),
    ]
    filters = judged(cluster([node("n1")], pods), min_replicas=2)
    assert filters.movable.tolist() == [False, True, True, False, False]  # api-1, then web-1 to web-4
    assert judged(cluster([node("n1")], pods), min_replicas=3).movable.sum() == 0


def test_pods_that_prefer_to_stay_are_marked_even_if_they_may_move() -> None:
    shy = marked("descheduler.alpha.kubernetes.io/prefer-no-eviction", "")
    filters = judged(cluster([node("n1")], [shy, pod("api-1", node="n1")]))
    assert filters.prefers_no_eviction.tolist() == [False, True]
    assert filters.movable.all()


def test_every_reason_is_told_on_request_and_the_first_decides() -> None:
    stubborn = plain(of=PodSpec(local_storage=True), annotations={EVICT: "false"}, priority=2_000_000_001)
    filters = judged(cluster([node("n1")], [stubborn]))
    assert [b.reason for b in filters.every(0)] == [Reason.OPTED_OUT, Reason.SYSTEM_CRITICAL, Reason.LOCAL_STORAGE]
    assert filters.blocked(0) == filters.every(0)[0]


def test_what_the_executor_cannot_move_is_not_promised() -> None:
    def only_small(one: Pod) -> Blocked | None:
        return Blocked(Reason.EXECUTOR, "executor/crane", "too heavy") if one.name == "big" else None

    snapshot = cluster([node("n1")], [pod("big", node="n1"), pod("small", node="n1")])
    assert judged(snapshot).movable.tolist() == [True, True]
    filters = judged(snapshot, executor=only_small)
    assert filters.movable.tolist() == [False, True]
    assert filters.blocked(0) == Blocked(Reason.EXECUTOR, "executor/crane", "too heavy")


def test_evictions_that_would_fail_a_job_are_refused() -> None:
    spent = workload("Job", "j", api_version="batch/v1", backoff_limit=2, failed=2)
    blocked = verdict(plain(owners=[job_owner("j")]), workloads=[spent])
    assert blocked is not None
    assert (blocked.reason, blocked.by) == (Reason.FAILURE_BUDGET, "default/Job/j")
    assert verdict(plain(owners=[job_owner("j")]), workloads=[replace(spent, failed=1)]) is None


def test_each_index_of_a_job_has_its_own_verdict() -> None:
    job = workload("Job", "j", api_version="batch/v1", backoff_limit=2**31 - 1, backoff_limit_per_index=1)
    key = "batch.kubernetes.io/job-index-failure-count"
    shared = [job_owner("j")]
    pods = [pod(f"j-{n}", node="n1", owners=shared, annotations={key: str(n)}) for n in (0, 1)]
    filters = judged(cluster([node("n1")], pods, workloads=[job]))
    assert filters.movable.tolist() == [True, False]


def test_a_pod_that_returns_to_its_node_does_not_move() -> None:
    status: dict[str, Json] = {
        "admission": {"podSetAssignments": [{"topologyAssignment": {"levels": ["kubernetes.io/hostname"]}}]}
    }
    found = custom("kueue.x-k8s.io/v1beta2", "Workload", "w", {"podSets": [{"count": 1}]}, status=status)
    blocked = verdict(plain(annotations={"kueue.x-k8s.io/workload": "w"}), objects=[found])
    assert blocked == Blocked(Reason.RETURNS_TO_NODE, "kueue:default/w")


WEB = {"app": "web"}


@pytest.mark.parametrize(
    ("budgets", "reason"),
    [
        ([budget("b", WEB, 0)], Reason.DISRUPTION_BUDGET),
        ([budget("b", WEB, 1)], None),
        ([budget("b", WEB, 1), budget("c", WEB, 1)], Reason.SEVERAL_BUDGETS),
        ([budget("b", WEB, 1, generation=2, observed_generation=1)], Reason.BUDGET_STALE),
        ([budget("b", WEB, 0, namespace="other")], None),
        ([budget("b", {"app": "api"}, 0)], None),
        ([budget("b", WEB, 3, max_unavailable="1", expected=4)], None),
        ([budget("b", WEB, 3, max_unavailable="0%", expected=4)], Reason.DISRUPTION_BUDGET),
    ],
)
def test_disruption_budgets_are_filters(budgets: list[object], reason: Reason | None) -> None:
    blocked = verdict(plain(labels=WEB), budgets=budgets)
    assert (blocked and blocked.reason) == reason


@pytest.mark.parametrize(
    ("rest", "free"),
    [
        ({}, False),
        ({"unhealthy_policy": "AlwaysAllow"}, True),
        ({"current_healthy": 3, "desired_healthy": 3}, True),
        ({"current_healthy": 2, "desired_healthy": 3}, False),
    ],
)
def test_a_pod_that_is_not_ready_may_need_no_budget(rest: dict[str, object], free: bool) -> None:
    blocked = verdict(plain(labels=WEB, ready=False), budgets=[budget("b", WEB, 0, **rest)])
    assert (blocked is None) is free


@dataclass(frozen=True)
class Ledger:
    held: Callable[[WorkloadKey, str], Blocked | None]
    any_entries: bool = True
    successors: Collection[str] = ("uid-default-api-2",)

    def blocked(self, workload: WorkloadKey, pod_uid: str, now: float) -> Blocked | None:
        assert now == NOW
        return self.held(workload, pod_uid)


def test_the_ledger_holds_back_workloads_and_pods() -> None:
    def held(workload: WorkloadKey, uid: str) -> Blocked | None:
        if workload.name == "web":
            return Blocked(Reason.COOLDOWN, str(workload), "moved 5 min ago")
        return Blocked(Reason.QUARANTINED, uid) if uid == "uid-default-api-2" else None

    snapshot = cluster([node("n1")], [pod(n, node="n1") for n in ("api-1", "api-2", "web-1")])
    filters = judged(snapshot, Ledger(held))
    assert [b and b.reason for b in map(filters.blocked, range(3))] == [None, Reason.QUARANTINED, Reason.COOLDOWN]


def test_an_empty_ledger_is_not_asked() -> None:
    def held(workload: WorkloadKey, uid: str) -> Blocked | None:
        raise AssertionError((workload, uid))

    snapshot = cluster([node("n1")], [plain()])
    assert judged(snapshot, Ledger(held, any_entries=False)).movable.all()


def test_an_empty_cluster_has_nobody_to_judge() -> None:
    filters = judged(cluster([node("n1")], []))
    assert filters.movable.shape == filters.prefers_no_eviction.shape == filters.reason_code.shape == (0,)
