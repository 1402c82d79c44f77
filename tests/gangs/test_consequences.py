"""What an eviction sets off: failure budgets, sets that restart, jobs that fail, pods that come back or do not."""

from __future__ import annotations

import pytest

from builders import owner, pod, spec, workload
from descheduler.gangs import resolve
from descheduler.gangs.consequences import worst
from descheduler.model.objects import CustomObject, Json
from descheduler.model.reasons import Reason
from descheduler.model.units import Consequence
from descheduler.model.workloads import FailureAction, Workload
from gang_builders import core_group, custom, job_owner, members, only_unit, snap


def job(name: str = "g", **rest: object) -> Workload:
    return workload("Job", name, 3, api_version="batch/v1", **{"backoff_limit": 6, **rest})


def alone(of: Workload | None, **pod_args: object) -> tuple[Consequence, Reason | None]:
    found = pod("a", node="n1", owners=[job_owner("g")], **pod_args)
    unit = resolve(snap([found], workloads=[of] if of else [])).of(0)
    return unit.consequence, unit.blocked and unit.blocked.reason


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (job(failed=5), (Consequence.COUNTED, None)),
        (job(failed=6), (Consequence.FAILS, Reason.FAILURE_BUDGET)),
        (job(backoff_limit=0), (Consequence.FAILS, Reason.FAILURE_BUDGET)),
        (job(backoff_limit=0, on_eviction=FailureAction.IGNORE), (Consequence.RESCHEDULED, None)),
        (job(on_eviction=FailureAction.FAIL_JOB), (Consequence.FAILS, Reason.WOULD_FAIL)),
        (job(on_eviction=FailureAction.FAIL_INDEX), (Consequence.FAILS, Reason.WOULD_FAIL)),
        (job(managed_by="kueue.x-k8s.io/multikueue"), (Consequence.LOST, Reason.WOULD_BE_LOST)),
        (None, (Consequence.COUNTED, Reason.DATA_MISSING)),
    ],
    ids=[
        "budget left",
        "budget spent",
        "no budget",
        "policy ignores disruptions",
        "policy fails the Job",
        "policy fails the index",
        "run by another controller",
        "Job not known",
    ],
)
def test_a_job_counts_evictions_as_failures(of: Workload | None, expected: tuple[Consequence, Reason | None]) -> None:
    assert alone(of) == expected


@pytest.mark.parametrize(("failures", "reason"), [("0", None), ("1", Reason.FAILURE_BUDGET)])
def test_an_index_has_a_failure_budget_of_its_own(failures: str, reason: Reason | None) -> None:
    of = job(backoff_limit=2**31 - 1, backoff_limit_per_index=1)
    marks = {"batch.kubernetes.io/job-index-failure-count": failures}
    assert alone(of, annotations=marks)[1] is reason


def test_a_gang_that_moves_whole_spends_as_many_failures_as_it_has_pods() -> None:
    pods = members(8, owners=[job_owner("g")], pod_group="g")
    unit = only_unit(pods, [core_group("g", 8)], workloads=[job()])
    assert unit.blocked is not None
    assert unit.blocked.reason is Reason.FAILURE_BUDGET
    assert only_unit(pods, [core_group("g", 8)], workloads=[job(backoff_limit=8)]).blocked is None


def test_one_pod_of_a_gang_that_may_lose_single_ones_spends_one() -> None:
    pods = members(8, owners=[job_owner("g")], pod_group="g")
    assert only_unit(pods, [core_group("g", 4, "Pod")], workloads=[job()]).blocked is None


FAIL: dict[str, Json] = {"action": "FailJobSet"}


def jobset(policy: Json, restarts: int = 0) -> CustomObject:
    body: dict[str, Json] = {"replicatedJobs": [{"name": "w", "template": {"spec": {"parallelism": 2}}}]}
    if policy is not None:
        body["failurePolicy"] = policy
    status: dict[str, Json] = {"restarts": restarts, "restartsCountTowardsMax": restarts}
    return custom("jobset.x-k8s.io/v1alpha2", "JobSet", "s", body, status=status)


@pytest.mark.parametrize(
    ("policy", "restarts", "expected"),
    [
        (None, 0, Consequence.FAILS),
        ({"maxRestarts": 2}, 1, Consequence.GROUP_RESTARTS),
        ({"maxRestarts": 2}, 2, Consequence.FAILS),
        ({"maxRestarts": 2, "rules": [FAIL]}, 0, Consequence.FAILS),
        ({"rules": [{"action": "RestartJobSetAndIgnoreMaxRestarts"}]}, 9, Consequence.GROUP_RESTARTS),
        ({"maxRestarts": 1, "rules": [{**FAIL, "targetReplicatedJobs": ["x"]}]}, 0, Consequence.GROUP_RESTARTS),
        ({"maxRestarts": 1, "rules": [{**FAIL, "onJobFailureReasons": ["Other"]}]}, 0, Consequence.GROUP_RESTARTS),
    ],
    ids=["no policy", "restarts left", "none left", "rule fails", "rule ignores maximum", "other job", "other reason"],
)
def test_a_jobset_restarts_or_fails_when_one_of_its_jobs_fails(
    policy: Json, restarts: int, expected: Consequence
) -> None:
    above = (owner("JobSet", "s", "jobset.x-k8s.io/v1alpha2"),)
    pods = members(2, owners=[job_owner("g")], labels={"jobset.sigs.k8s.io/replicatedjob-name": "w"})
    unit = only_unit(pods, [jobset(policy, restarts)], workloads=[job(backoff_limit=0, owners=above)])
    assert (unit.consequence, unit.blocked) == (expected, None)


def training(kind: str, **spec_: Json) -> CustomObject:
    return custom("kubeflow.org/v1", kind, "g", spec_)


def test_a_replica_that_never_restarts_fails_its_training_job() -> None:
    pods = members(2, owners=[owner("PyTorchJob", "g", "kubeflow.org/v1")])
    found = training("PyTorchJob", pytorchReplicaSpecs={"Worker": {"replicas": 2, "restartPolicy": "Never"}})
    assert only_unit(pods, [found]).consequence is Consequence.FAILS


def test_a_training_job_without_retries_fails() -> None:
    pods = members(2, owners=[owner("TFJob", "g", "kubeflow.org/v1")])
    found = training("TFJob", tfReplicaSpecs={"Worker": {"replicas": 2}}, runPolicy={"backoffLimit": 0})
    assert only_unit(pods, [found]).consequence is Consequence.FAILS


@pytest.mark.parametrize(("failed", "expected"), [(0, Consequence.GROUP_RESTARTS), (6, Consequence.FAILS)])
def test_an_mpi_job_lives_as_long_as_its_launcher_may_be_tried(failed: int, expected: Consequence) -> None:
    mpi = owner("MPIJob", "g", "kubeflow.org/v2beta1")
    launcher = pod("g-launcher", node="n1", owners=[job_owner("g-launcher")])
    workers = members(2, "g-worker", owners=[mpi])
    found = custom("kubeflow.org/v2beta1", "MPIJob", "g", {"mpiReplicaSpecs": {"Worker": {"replicas": 2}}})
    unit = only_unit([launcher, *workers], [found], workloads=[job("g-launcher", failed=failed, owners=(mpi,))])
    assert (unit.members, unit.consequence) == ((0, 1, 2), expected)


@pytest.mark.parametrize(
    ("spec_", "status", "expected"),
    [
        ({"policies": [{"event": "PodEvicted", "action": "RestartJob"}]}, {}, Consequence.GROUP_RESTARTS),
        ({"policies": [{"events": ["PodFailed"], "action": "RestartTask"}]}, {}, Consequence.GROUP_RESTARTS),
        ({"policies": [{"event": "*", "action": "AbortJob"}]}, {}, Consequence.FAILS),
        ({"policies": [{"event": "PodEvicted", "action": "RestartPod"}]}, {}, Consequence.RESCHEDULED),
        ({"policies": [{"event": "TaskCompleted", "action": "CompleteJob"}]}, {}, Consequence.RESCHEDULED),
        ({"tasks": [{"policies": [{"event": "PodEvicted", "action": "TerminateJob"}]}]}, {}, Consequence.FAILS),
        ({"policies": [{"event": "PodEvicted", "action": "RestartJob"}]}, {"retryCount": 3}, Consequence.FAILS),
    ],
)
def test_a_volcano_job_does_what_its_policies_say(
    spec_: dict[str, Json], status: dict[str, Json], expected: Consequence
) -> None:
    pods = members(2, owners=[owner("Job", "g", "batch.volcano.sh/v1alpha1")])
    found = custom("batch.volcano.sh/v1alpha1", "Job", "g", {"minAvailable": 2, **spec_}, status=status)
    assert only_unit(pods, [found]).consequence is expected


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (["rack", "kubernetes.io/hostname"], Consequence.SAME_NODE),
        (["block", "rack"], Consequence.RESCHEDULED),
    ],
)
def test_kueue_gives_a_replacement_the_domain_of_the_one_before(levels: list[Json], expected: Consequence) -> None:
    status: dict[str, Json] = {"admission": {"podSetAssignments": [{"topologyAssignment": {"levels": levels}}]}}
    found = custom("kueue.x-k8s.io/v1beta2", "Workload", "g", {"podSets": [{"count": 2}]}, status=status)
    pods = members(2, annotations={"kueue.x-k8s.io/workload": "g"})
    assert only_unit(pods, [found]).consequence is expected


def test_a_kueue_group_that_may_not_retry_fails() -> None:
    marks = {"kueue.x-k8s.io/pod-group-total-count": "2", "kueue.x-k8s.io/retriable-in-group": "false"}
    pods = members(2, labels={"kueue.x-k8s.io/pod-group-name": "g"}, annotations=marks)
    found = custom("kueue.x-k8s.io/v1beta2", "Workload", "g", {"podSets": [{"count": 2}]})
    assert only_unit(pods, [found]).consequence is Consequence.FAILS


def test_a_finished_kueue_workload_no_longer_holds_pods_together() -> None:
    status: dict[str, Json] = {"conditions": [{"type": "Finished", "status": "True"}]}
    found = custom(
        "kueue.x-k8s.io/v1beta2", "Workload", "w", {"podSets": [{"count": 2}]}, owners=[job_owner("g")], status=status
    )
    assert resolve(snap(members(2, owners=[job_owner("g")]), [found], workloads=[job()])).gangs == ()


def test_owners_that_do_not_control_create_nothing_again() -> None:
    only_listed = owner("ConfigMap", "c", "v1")
    listed = pod("a", node="n1", owners=[type(only_listed)("v1", "ConfigMap", "c", "u", False)], of=spec())
    assert resolve(snap([listed])).of(0).consequence is Consequence.LOST


def test_the_order_of_consequences_ends_with_failure() -> None:
    assert worst() is Consequence.RESCHEDULED
    assert worst(Consequence.COUNTED, Consequence.FAILS, Consequence.SAME_NODE) is Consequence.FAILS
    assert worst(Consequence.GROUP_RESTARTS, Consequence.KILLED_AFTER_GRACE) is Consequence.KILLED_AFTER_GRACE
