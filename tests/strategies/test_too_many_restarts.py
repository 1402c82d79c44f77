"""RemovePodsHavingTooManyRestarts, by the arguments of kubernetes-sigs/descheduler."""

from __future__ import annotations

import pytest

from descheduler.contract import load
from descheduler.model.reasons import Reason
from descheduler.planning.document.build import build_document
from kube import wire_objects as wire
from strategies.removing import container, decided, failed, gone, pod, world

NAME = "RemovePodsHavingTooManyRestarts"
CRASHING = container(9, waiting="CrashLoopBackOff")
UNREADY = [{"type": "Ready", "status": "False"}]


@pytest.mark.parametrize(
    ("one", "arguments", "goes"),
    [
        (pod("a-0", containers=[container(10)]), {}, True),
        (pod("a-0", containers=[container(9)]), {}, False),
        (pod("a-0", containers=[container(6), container(4, name="proxy")]), {}, True),  # all together
        (pod("a-0", containers=[container(6)], init=[container(4)]), {}, False),
        (pod("a-0", containers=[container(6)], init=[container(4)]), {"includingInitContainers": True}, True),
        (pod("a-0", containers=[CRASHING, container(1)], conditions=UNREADY), {"states": ["CrashLoopBackOff"]}, True),
        (pod("a-0", containers=[container(10)]), {"states": ["CrashLoopBackOff"]}, False),
        (pod("a-0", containers=[container(10)]), {"states": ["Running"]}, True),
        (pod("a-0", phase="Pending", containers=[container(10)]), {"states": ["Running"]}, False),
        (
            pod("a-0", phase="Pending", containers=[container(10)], init=[CRASHING]),
            {"states": ["CrashLoopBackOff"], "includingInitContainers": True},
            True,
        ),
        (
            pod("a-0", phase="Pending", containers=[container(10)], init=[CRASHING]),
            {"states": ["CrashLoopBackOff"]},
            False,
        ),
        (failed("a-0", containers=[container(10)]), {}, True),  # it counts whatever its phase
        (pod("a-0", containers=[container(10)]), {"namespaces": {"exclude": ["sh*"]}}, False),
    ],
)
def test_restarts_are_summed_and_states_chosen(one: object, arguments: dict[str, object], goes: bool) -> None:
    assert bool(gone(decided(world(one), NAME, podRestartThreshold=10, **arguments))) is goes  # type: ignore[arg-type]


def test_who_restarted_most_goes_first() -> None:
    pods = [pod(f"{name}-0", containers=[container(count)]) for name, count in (("a", 20), ("b", 90), ("c", 40))]
    found = decided(world(*pods), NAME, podRestartThreshold=10)
    assert gone(found) == ["b-0", "c-0", "a-0"]
    (row, *_) = build_document(found).findings
    assert row.text == "containers of 1 pod of shop/ReplicaSet/b restarted up to 90 times"
    assert row.numbers == {"restarts from which it is too many": 10.0, "restarts of one pod": 90.0}


def test_a_pod_that_crashes_takes_nothing_of_its_budget_and_a_ready_one_waits_for_it() -> None:
    budget = {
        "metadata": wire.meta("web", "shop", generation=1),
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": 0,
            "currentHealthy": 2,
            "desiredHealthy": 2,
            "expectedPods": 3,
        },
    }
    labels = {"app": "web"}
    sick = pod("web-0", containers=[CRASHING, container(5)], conditions=UNREADY, labels=labels)
    well = [pod(f"web-{i}", containers=[container(50)], labels=labels) for i in (1, 2)]
    found = decided(world(sick, *well, poddisruptionbudgets=[budget]), NAME, podRestartThreshold=10)
    assert gone(found) == ["web-0"]
    (row,) = build_document(found).findings
    assert row.refused == {Reason.DISRUPTION_BUDGET.value: 2}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "podRestartThreshold"),
        ({"podRestartThreshold": 0}, "greater than or equal to 1"),
        ({"podRestartThreshold": 1, "states": ["Pending"]}, "'Running' or 'CrashLoopBackOff'"),
        ({"podRestartThreshold": 1, "namespaces": {"include": ["a"], "exclude": ["b"]}}, "give one of"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        load(NAME).Args.model_validate(arguments)
