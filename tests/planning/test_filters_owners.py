"""Whose pods come back when they are taken away, and whose work would be lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import NOW, cluster, node, owner, pod, spec, workload
from descheduler.gangs import resolve
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.workloads import OwnerRef
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.policy.protections import Protections

EVICT = "descheduler.alpha.kubernetes.io/evict"


def of(kind: str, api_version: str, restart: str = "Always", **more: object) -> Pod:
    return pod("a", node="n1", owners=[owner(kind, "o", api_version)], of=spec(restart_policy=restart), **more)  # type: ignore[arg-type]


def verdict(one: Pod, *recreating: str, **rest: object) -> Blocked | None:
    snapshot = cluster([node("n1"), node("n2")], [one], **rest)  # type: ignore[arg-type]
    rules = FilterRules.of(Protections(recreating_owners=recreating))
    return build_filters(snapshot, resolve(snapshot), rules, now=NOW).blocked(0)


@pytest.mark.parametrize(
    ("kind", "api_version", "restart"),
    [
        ("Workflow", "argoproj.io/v1alpha1", "Never"),
        ("TaskRun", "tekton.dev/v1", "Never"),
        ("EphemeralRunner", "actions.github.com/v1alpha1", "Never"),
        ("GameServer", "agones.dev/v1", "Always"),
        ("Something", "example.com/v1", "Never"),
        ("Something", "example.com/v1", "OnFailure"),
        ("Workflow", "example.com/v1", "Never"),
        ("ReplicaSet", "example.com/v1", "Never"),
        ("Pod", "v1", "Never"),
    ],
)
def test_work_that_nobody_repeats_stays(kind: str, api_version: str, restart: str) -> None:
    blocked = verdict(of(kind, api_version, restart))
    assert blocked is not None
    assert (blocked.reason, blocked.by) == (Reason.WOULD_BE_LOST, f"{kind}/o")
    assert verdict(of(kind, api_version, restart, annotations={EVICT: "true"})) is None


@pytest.mark.parametrize(
    ("kind", "api_version", "restart"),
    [
        ("ReplicaSet", "apps/v1", "Always"),
        ("StatefulSet", "apps/v1", "Always"),
        ("ReplicationController", "v1", "Always"),
        ("CloneSet", "apps.kruise.io/v1alpha1", "Always"),
        ("StatefulSet", "apps.kruise.io/v1beta1", "Always"),
        ("StrimziPodSet", "core.strimzi.io/v1beta2", "Always"),
        ("Cluster", "postgresql.cnpg.io/v1", "Always"),
        ("VirtualMachineInstance", "kubevirt.io/v1", "Never"),
        ("Deployment", "apps/v1", "Never"),
        ("Something", "example.com/v1", "Always"),
    ],
)
def test_pods_that_are_made_again_may_move(kind: str, api_version: str, restart: str) -> None:
    assert verdict(of(kind, api_version, restart)) is None


def test_the_policy_says_which_owners_make_pods_again() -> None:
    step = of("Step", "example.com/v1", "Never")
    assert verdict(step, "example.com/Other") is not None
    assert verdict(step, "example.com/Step") is None
    assert verdict(of("Workflow", "argoproj.io/v1alpha1", "Never"), "argoproj.io/Workflow") is None


def test_the_nearest_controller_counts() -> None:
    """A Job of a Workflow makes its pods again."""
    above = (owner("Workflow", "w", "argoproj.io/v1alpha1"),)
    job = workload("Job", "o", api_version="batch/v1", owners=above, backoff_limit=6)
    assert verdict(of("Job", "batch/v1", "Never"), workloads=[job]) is None


def test_an_executor_of_spark_belongs_to_a_pod_that_asks_for_another() -> None:
    marks = {"spark-role": "executor", "spark-app-selector": "spark-1"}
    assert verdict(of("Pod", "v1", "Never", labels=marks)) is None
    driver = of("SparkApplication", "sparkoperator.k8s.io/v1beta2", "Never", labels={**marks, "spark-role": "driver"})
    assert verdict(driver) is not None


def test_pods_of_one_unknown_owner_are_told_apart() -> None:
    both: tuple[OwnerRef, ...] = (owner("Something", "o", "example.com/v1"),)
    service = pod("service", node="n1", owners=both)
    once = replace(pod("once", node="n1", of=spec(restart_policy="Never")), owners=both)
    snapshot = cluster([node("n1"), node("n2")], [once, service])
    filters = build_filters(snapshot, resolve(snapshot), FilterRules.of(Protections()), now=NOW)
    assert filters.movable.tolist() == [False, True]
