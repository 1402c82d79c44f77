"""What a podFailurePolicy makes of an eviction: rules in order, by whichever exit code the pod may end."""

from __future__ import annotations

import pytest

from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.workloads import FailureAction
from kube.wire_objects import Json, meta

IGNORE, COUNT, FAIL_INDEX, FAIL_JOB = FailureAction


def verdict(*rules: Json) -> FailureAction:
    spec = {"backoffLimit": 6, "podFailurePolicy": {"rules": list(rules)}}
    found = snapshot_from_objects({"jobs": [{"metadata": meta("train", "ml"), "spec": spec, "status": {}}]}, 0.0)
    (job,) = found.workloads.values()
    return job.on_eviction


def condition(action: str, kind: str = "DisruptionTarget", **more: str) -> Json:
    return {"action": action, "onPodConditions": [{"type": kind, **more}]}


def codes(action: str, operator: str, *values: int, **more: str) -> Json:
    return {"action": action, "onExitCodes": {"operator": operator, "values": list(values), **more}}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), COUNT),
        ((condition("Ignore"),), IGNORE),
        ((condition("Ignore", status="True"),), IGNORE),
        ((condition("Ignore", status="False"),), COUNT),
        ((condition("FailJob", "ConfigIssue"), condition("Ignore")), IGNORE),
        ((condition("FailJob"), condition("Ignore")), FAIL_JOB),
        ((condition("Count"), condition("Ignore")), COUNT),
        ((condition("FailIndex"),), FAIL_INDEX),
        ((condition("Later"),), FAIL_JOB),
    ],
    ids=[
        "no rule",
        "status unset",
        "status true",
        "status false",
        "another condition",
        "fails first",
        "counts first",
        "index",
        "an action that is not known",
    ],
)
def test_the_first_rule_on_a_condition_that_an_evicted_pod_has_decides(
    rules: tuple[Json, ...], expected: FailureAction
) -> None:
    assert verdict(*rules) is expected


@pytest.mark.parametrize(
    "rule", [codes("FailJob", "In", 143), codes("FailJob", "In", 1, 137), codes("FailJob", "NotIn", 42)]
)
def test_a_rule_on_exit_codes_by_which_an_evicted_pod_may_end_decides_too(rule: Json) -> None:
    assert verdict(rule) is FAIL_JOB
    assert verdict(rule, condition("Ignore")) is FAIL_JOB
    assert verdict(condition("Ignore"), rule) is IGNORE


def test_a_code_that_names_a_failure_of_the_program_is_none_of_them() -> None:
    """The policy of Kubernetes' own documentation."""
    assert verdict(codes("FailJob", "In", 42, containerName="main"), condition("Ignore")) is IGNORE
    assert verdict(codes("FailJob", "In", 42)) is COUNT


def test_the_gravest_action_that_one_of_the_codes_comes_to_counts() -> None:
    signals = codes("Ignore", "In", 137, 143)
    assert verdict(signals) is COUNT  # it may end with 1
    assert verdict(signals, codes("FailIndex", "In", 1)) is FAIL_INDEX
    assert verdict(codes("Ignore", "NotIn", 42), condition("FailJob")) is IGNORE  # nothing comes to the second rule


def test_containers_end_each_by_a_code_of_its_own() -> None:
    main = codes("Ignore", "NotIn", 0, containerName="main")
    assert verdict(main, condition("FailJob")) is IGNORE
    assert verdict(main, codes("FailJob", "In", 143, containerName="side")) is FAIL_JOB
    assert verdict(main, codes("FailJob", "In", 143)) is FAIL_JOB  # of some other container
