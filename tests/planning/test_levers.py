"""What a limit held back is counted, and what more of it would bring is what a plan with more of it brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from builders import NOW, cluster, key, node, pod
from descheduler.gangs import resolve
from descheduler.model.plan import LeverRow, LeverStep, PlanDocument
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import PlanningInput, PlanningSettings, build_document, decide, survey
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.report import words
from descheduler.report.html import to_html
from descheduler.report.serial import from_json, to_json
from descheduler.report.table import to_text
from descheduler_profiling.build import build
from descheduler_profiling.series import History
from histories import history, peaking
from planning.cases import SPARSE, hot

HOT = 4


def several_hot_nodes(namespaces: Sequence[str] = ("shop",) * HOT) -> tuple[ClusterSnapshot, list[History]]:
    """Four nodes with four pods each, of which one must leave; those of the first are of the first namespace, and so
    on. Four more nodes are nearly idle."""
    pods = [pod(f"web{n}-{i}", cpu="2", node=f"hot{n}", namespace=namespaces[n]) for n in range(HOT) for i in range(4)]
    pods += [pod(f"idle-{n}", cpu="3", node=f"idle{n}") for n in range(HOT)]
    nodes = [node(f"{kind}{n}", cpu="12") for kind in ("hot", "idle") for n in range(HOT)]
    series = {key("ReplicaSet", f"web{n}", namespaces[n]): peaking(0.5, 2.6, 20) for n in range(HOT)}
    series[key("ReplicaSet", "idle")] = 0.1
    memory = dict.fromkeys(series, 64.0 * 2**20)
    return cluster(nodes, pods), [history("cpu", series), history("memory", memory)]


def plan_with(
    limits: DisruptionLimits, namespaces: Sequence[str] = ("shop",) * HOT, moved_last_hour: int = 0
) -> PlanDocument:
    snapshot, histories = several_hot_nodes(namespaces)
    profiles = {h.signal: build(h) for h in histories}
    given = PlanningInput(snapshot, resolve(snapshot), profiles, NOW, moved_last_hour=moved_last_hour)
    settings: PlanningSettings = replace(SPARSE, limits=limits)
    return build_document(decide(survey(given, settings), [hot()]))


def cured(plan: PlanDocument) -> int:
    return sum(finding.outcome == "cured" for finding in plan.findings)


def test_the_limit_that_would_cure_more_cures_as_many_as_was_said() -> None:
    plan = plan_with(DisruptionLimits(per_cycle=1))
    assert cured(plan) == 1
    (lever,) = plan.levers
    assert lever == LeverRow("perCycle", "1", 1, 3, 3, (LeverStep(2, 1, 1), LeverStep(4, 3, 3)))
    for step in lever.steps:
        assert cured(plan_with(DisruptionLimits(per_cycle=step.limit))) == 1 + step.cured


@pytest.mark.parametrize(
    ("limits", "moved", "expected"),
    [
        (DisruptionLimits(per_hour=7), 5, LeverRow("perHour", "7", 7, 2, 2, (LeverStep(9, 2, 2),))),
        (DisruptionLimits(per_node=0), 0, LeverRow("perNode", "0", 0, 4, 4, (LeverStep(1, 4, 4),))),
        (
            DisruptionLimits(per_namespace="10%"),  # of sixteen
            0,
            LeverRow("perNamespace", "10%", 1, 3, 3, (LeverStep(2, 1, 1), LeverStep(4, 3, 3))),
        ),
        (DisruptionLimits(nodes_per_cycle=3), 0, LeverRow("nodesPerCycle", "3", 3, 1, 1, (LeverStep(4, 1, 1),))),
        (
            DisruptionLimits(per_cycle="max(2, 1%)"),
            0,
            LeverRow("perCycle", "max(2, 1%)", 2, 2, 2, (LeverStep(4, 2, 2),)),
        ),
    ],
    ids=["hour", "node", "namespace", "nodes", "cycle"],
)
def test_each_limit_is_a_lever(limits: DisruptionLimits, moved: int, expected: LeverRow) -> None:
    assert plan_with(limits, moved_last_hour=moved).levers == (expected,)


def test_a_limit_behind_a_limit_is_named() -> None:
    (lever,) = plan_with(DisruptionLimits(per_cycle=1, per_hour=2)).levers
    assert (lever.setting, lever.steps, lever.then) == ("perCycle", (LeverStep(2, 1, 1),), ("perHour",))


def test_what_another_pod_cures_in_its_place_was_not_held_back() -> None:
    limits = DisruptionLimits(per_namespace=1)
    (lever,) = plan_with(limits, ("a", "a", "b", "c")).levers
    assert (lever.setting, lever.findings) == ("perNamespace", 1)


def test_a_limit_that_nothing_reached_is_no_lever() -> None:
    assert plan_with(DisruptionLimits(per_cycle=4, per_hour=4, per_node=1, per_namespace=4)).levers == ()


def test_the_reports_say_it_and_the_document_keeps_it() -> None:
    plan = plan_with(DisruptionLimits(per_cycle=1))
    said = "3 findings not cured: 3 moves refused by perCycle 1; with 2: 1 cured, with 4: 3"
    assert [words.lever(row) for row in plan.levers] == [said]
    assert said in " ".join(to_text(plan).split())
    assert said in to_html(plan)
    assert from_json(to_json(plan)).levers == plan.levers


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            LeverRow("perCycle", "max(50, 0.2%)", 300, 65, 218, (LeverStep(420, 120, 31),)),
            "65 findings not cured: 218 moves refused by perCycle 300 (max(50, 0.2%)); with 420: 31 cured",
        ),
        (
            LeverRow("perHour", "0", 0, 1, 1, (), ("perCycle", "perNode")),
            "1 finding not cured: 1 move refused by perHour 0; more would cure none; "
            "then perCycle and perNode would hold",
        ),
    ],
)
def test_in_words(row: LeverRow, said: str) -> None:
    assert words.lever(row) == said
