"""PodLifeTime, by the arguments of kubernetes-sigs/descheduler."""

from __future__ import annotations

from dataclasses import replace

import pytest

from descheduler.contract import load
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.document.build import build_document
from kube import wire_objects as wire
from strategies.removing import DAY, FREE, ago, container, decided, failed, gone, pod, world

NAME = "PodLifeTime"


def ready(status: str, since: float | None, reason: str = "") -> dict[str, object]:
    times = {} if since is None else {"lastTransitionTime": ago(since)}
    return {"type": "Ready", "status": status, **times, **({"reason": reason} if reason else {})}


@pytest.mark.parametrize(
    ("one", "arguments", "goes"),
    [
        # age
        (pod("a-0", DAY), {"maxPodLifeTimeSeconds": 86_400}, False),  # older than, not as old as
        (pod("a-0", DAY + 1), {"maxPodLifeTimeSeconds": 86_400}, True),
        (pod("a-0", -DAY), {"maxPodLifeTimeSeconds": 0}, False),
        # states
        (pod("a-0"), {"states": ["Running"]}, True),
        (pod("a-0"), {"states": ["Pending"]}, False),
        (
            pod("a-0", phase="Pending", containers=[container(waiting="ErrImagePull")]),
            {"states": ["ErrImagePull"]},
            True,
        ),
        (pod("a-0", phase="Pending", node="", containers=[container(waiting="X")]), {"states": ["Pending"]}, False),
        (failed("a-0", reason="NodeLost"), {"states": ["NodeLost"]}, True),
        (pod("a-0", phase="Succeeded", owner="Job"), {"states": ["Succeeded"]}, True),
        (pod("a-0", containers=[container(ended="OOMKilled", code=137)]), {"states": ["OOMKilled"]}, True),
        (pod("a-0", init=[container(ended="OOMKilled")]), {"states": ["OOMKilled"]}, False),
        (
            pod("a-0", init=[container(ended="OOMKilled")]),
            {"states": ["OOMKilled"], "includingInitContainers": True},
            True,
        ),
        (pod("a-0", ephemeral=[container(ended="Error")]), {"states": ["Error"]}, False),
        (
            pod("a-0", ephemeral=[container(ended="Error")]),
            {"states": ["Error"], "includingEphemeralContainers": True},
            True,
        ),
        # conditions
        (pod("a-0", conditions=[ready("False", 60)]), {"conditions": [{"type": "Ready", "status": "False"}]}, True),
        (pod("a-0", conditions=[ready("True", 60)]), {"conditions": [{"type": "Ready", "status": "False"}]}, False),
        (pod("a-0", conditions=[ready("True", 60)]), {"conditions": [{"status": "False"}, {"status": "True"}]}, True),
        (pod("a-0", conditions=[ready("False", 60, "X")]), {"conditions": [{"reason": "X"}]}, True),
        (
            pod("a-0", conditions=[ready("False", 60)]),
            {"conditions": [{"type": "Ready", "minTimeSinceLastTransitionSeconds": 60}]},
            True,
        ),
        (
            pod("a-0", conditions=[ready("False", 60)]),
            {"conditions": [{"type": "Ready", "minTimeSinceLastTransitionSeconds": 61}]},
            False,
        ),
        (
            pod("a-0", conditions=[ready("False", None)]),
            {"conditions": [{"type": "Ready", "minTimeSinceLastTransitionSeconds": 0}]},
            False,
        ),
        (
            pod("a-0", conditions=[ready("False", -60)]),
            {"conditions": [{"type": "Ready", "minTimeSinceLastTransitionSeconds": 0}]},
            False,
        ),
        # exit codes
        (failed("a-0", containers=[container(ended="Error", code=3)]), {"exitCodes": [3]}, True),
        (failed("a-0", init=[container(ended="Error", code=3)]), {"exitCodes": [3]}, False),
        (failed("a-0", init=[container(code=3)]), {"exitCodes": [3], "includingInitContainers": True}, True),
        # owners
        (pod("a-0"), {"states": ["Running"], "ownerKinds": {"include": ["Job"]}}, False),
        (pod("a-0"), {"states": ["Running"], "ownerKinds": {"include": ["ReplicaSet"]}}, True),
        (pod("a-0"), {"states": ["Running"], "ownerKinds": {"exclude": ["ReplicaSet"]}}, False),
        # all criteria must hold
        (pod("a-0", DAY), {"states": ["Running"], "maxPodLifeTimeSeconds": 172_800}, False),
        (pod("a-0", 3 * DAY), {"states": ["Running"], "maxPodLifeTimeSeconds": 172_800}, True),
    ],
)
def test_who_goes(one: object, arguments: dict[str, object], goes: bool) -> None:
    assert bool(gone(decided(world(one), NAME, **arguments))) is goes  # type: ignore[arg-type]


def test_the_oldest_goes_first_and_alone_where_only_one_may() -> None:
    pods = [pod(f"{name}-0", days * DAY) for name, days in (("a", 2), ("b", 9), ("c", 4))]
    assert gone(decided(world(*pods), NAME, maxPodLifeTimeSeconds=60)) == ["b-0", "c-0", "a-0"]
    limits = replace(FREE, limits=DisruptionLimits(per_namespace=1))
    assert gone(decided(world(*pods), NAME, limits, maxPodLifeTimeSeconds=60)) == ["b-0"]


def test_a_pod_is_made_again_where_it_was_if_nowhere_else() -> None:
    old = pod("a-0", 9 * DAY)
    old["spec"]["containers"] = [wire.container(requests={"cpu": "3"})]
    full = pod("b-0", 0.0, node="n2")
    full["spec"]["containers"] = [wire.container(requests={"cpu": "3"})]
    found = decided(world(old, full), NAME, maxPodLifeTimeSeconds=60)
    assert gone(found) == ["a-0"]
    (action,) = build_document(found).actions
    assert action.pods[0].proof.text == "made again wherever the scheduler puts it; n1, where it is, can take it again"


def test_the_finding_says_how_old() -> None:
    found = decided(world(pod("a-0", 9 * DAY), pod("a-1", 3 * DAY)), NAME, maxPodLifeTimeSeconds=86_400)
    (row,) = build_document(found).findings
    assert row.measure == "pods older than 24 h"
    assert row.text == "2 pods of shop/ReplicaSet/a are older than 24 h, the oldest made 9 d ago"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "give at least one of maxPodLifeTimeSeconds, states, conditions and exitCodes"),
        ({"states": []}, "give at least one of"),
        ({"maxPodLifeTimeSeconds": -1}, "greater than or equal to 0"),
        ({"states": ["Sleeping"]}, "'Running'"),
        ({"conditions": [{}]}, "at least one of type, status, reason"),
        ({"states": ["Running"], "ownerKinds": {"include": ["a"], "exclude": ["b"]}}, "give one of"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        load(NAME).Args.model_validate(arguments)
