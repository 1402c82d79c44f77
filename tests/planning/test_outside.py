"""What runs outside of pods is part of a node's load, where it is left and where it is gone to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from builders import NOW, amounts, cluster, key, node, pod
from descheduler.backtest.world import world_of
from descheduler.contract import NodeLoads
from descheduler.model.landing_mode import LandingMode
from descheduler.model.nodes import Node
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.planning.explain import explain
from descheduler_profiling.beyond import beyond
from descheduler_profiling.build import build
from descheduler_profiling.series import History, Strain
from histories import history, peaking, steady
from planning.cases import SPARSE, hot, outcome, planned

HOUR, GIB = 3600.0, 2.0**30
ONE = np.array([0], np.int32)


def of_node(name: str) -> WorkloadKey:
    return WorkloadKey("", "Node", name)


def outside(cores: Mapping[str, float | np.ndarray], days: int = 7) -> History:
    return history("system_cpu", {of_node(name): level for name, level in cores.items()}, days=days)


def machine(name: str, cpu: str = "12", capacity: str = "") -> Node:
    made = node(name, cpu=cpu)
    return replace(made, capacity=amounts(cpu=capacity or cpu, memory="128Gi"))


def level(loads: NodeLoads, at: np.ndarray = ONE) -> float:
    return float(loads.hottest(loads.of_nodes(at), at, 0.95, HOUR)[0]) * float(loads.capacity[at[0]])


def loads_of(made: ClusterSnapshot, system: History | None, **pods: float) -> NodeLoads:
    used = build(history("cpu", {key("ReplicaSet", name): cores for name, cores in pods.items()}))
    used = replace(used, pod_level={("default", f"{name}-1"): cores for name, cores in pods.items()})
    return NodeLoads("cpu", made, used, floor=0.05, outside=build(system) if system else None)


def test_it_adds_to_what_the_pods_use() -> None:
    made = cluster([machine("n1"), machine("n2")], [pod("web-1", node="n1")])
    loads = loads_of(made, outside({"n1": 3.0}), web=2.0)
    assert level(loads) == pytest.approx(5.0, rel=0.05)
    assert loads.outside.known.tolist() == [True, False]
    told = loads.outside_of_pods(np.array([0, 1], np.int32), 0.95, HOUR)
    assert told[0] == pytest.approx(0.25, rel=0.1)
    assert np.isnan(told[1])


def test_what_is_kept_back_for_it_takes_nothing_from_pods() -> None:
    """12 of 14 cores are allocatable: two are the system's."""
    made = cluster([machine("n1", capacity="14")], [pod("web-1", node="n1")])
    plain = loads_of(made, None, web=2.0)
    within = loads_of(made, outside({"n1": peaking(0.5, 1.9, minutes_ahead=10)}), web=2.0)
    np.testing.assert_array_equal(within.of_nodes(), plain.of_nodes())
    assert within.outside.known.all()
    beyond_it = loads_of(made, outside({"n1": 3.0}), web=2.0)
    assert level(beyond_it) == pytest.approx(3.0, rel=0.05)


def test_a_pod_without_series_is_not_counted_twice() -> None:
    """Its request stands in, and what it uses is measured as the system's: of the two the larger counts."""
    long_ago = NOW - 86400
    pods = [pod("web-1", node="n1"), pod("dark-1", cpu="2", node="n1", created=long_ago)]
    made = cluster([machine("n1")], pods)
    assert level(loads_of(made, outside({"n1": 1.5}), web=2.0)) == pytest.approx(4.0, rel=0.05)
    assert level(loads_of(made, outside({"n1": 3.0}), web=2.0)) == pytest.approx(5.0, rel=0.05)
    young = [pods[0], replace(pods[1], started=NOW - 60)]  # was not there yet
    loads = loads_of(cluster([machine("n1")], young), outside({"n1": 1.5}), web=2.0)
    assert level(loads) == pytest.approx(5.5, rel=0.05)


def test_a_node_with_too_little_history_of_it_is_not_known() -> None:
    made = cluster([machine("n1")], [pod("web-1", node="n1")])
    few = np.where(np.arange(7 * 288) < 7 * 288 - 12, np.nan, 3.0).astype(np.float32)
    loads = loads_of(made, outside({"n1": few}), web=2.0)
    assert not loads.outside.known.any()
    assert level(loads) == pytest.approx(2.0, rel=0.05)


def test_another_clock_cannot_be_added_and_a_shorter_history_can() -> None:
    made = cluster([machine("n1")], [pod("web-1", node="n1")])
    assert loads_of(made, replace(outside({"n1": 3.0}), step=600), web=2.0).outside.signal == ""
    assert level(loads_of(made, outside({"n1": 3.0}, days=3), web=2.0)) == pytest.approx(5.0, rel=0.05)


@pytest.mark.parametrize("bound", [0.0, 1.0, 2.5, 100.0])
def test_what_is_beyond_a_bound_is_so_in_every_scenario(bound: float) -> None:
    """As a forecast that is made of nothing but what is beyond it."""
    made = build(outside({"n1": peaking(0.5, 3.0, minutes_ahead=20), "n2": 2.0}))
    part = beyond(made.layout, made.vectors, np.full(2, bound, np.float32))
    for q in (0.5, 0.95):
        whole = made.hottest(made.vectors, q, HOUR)
        np.testing.assert_allclose(made.hottest(part, q, HOUR), np.maximum(whole - bound, 0.0), atol=0.35)
        highest = np.maximum(made.highest(made.vectors, q, HOUR) - bound, 0.0)
        np.testing.assert_allclose(made.highest(part, q, HOUR), highest, atol=1e-3)
        np.testing.assert_allclose(
            made.peak(part, q, HOUR), np.maximum(made.peak(made.vectors, q, HOUR) - bound, 0.0), atol=0.35
        )
    if bound == 100.0:
        assert not part.any()


def busy(**more: str) -> tuple[ClusterSnapshot, list[History]]:
    """Node n1 has four pods of two cores each, n2 and n3 are nearly idle; all have twelve cores."""
    pods: list[Pod] = [pod(f"web-{i}", cpu="2", node="n1") for i in range(4)]
    pods += [pod(f"idle-{i}", cpu="500m", node=f"n{2 + i}") for i in range(2)]
    made = cluster([machine(f"n{i}", **more) for i in (1, 2, 3)], pods)
    series = {key("ReplicaSet", "web"): 2.0, key("ReplicaSet", "idle"): 0.1}
    return made, [history("cpu", series), history("memory", dict.fromkeys(series, 64.0 * 2**20))]


def test_a_node_is_hot_by_what_runs_beside_its_pods_and_says_so() -> None:
    made, histories = busy()
    assert not planned(made, histories, [hot()], SPARSE).findings
    plan = planned(made, [*histories, outside({"n1": 2.0, "n2": 0.1, "n3": 0.1})], [hot()], SPARSE)
    assert [finding.subject for finding in plan.findings] == ["node/n1"]
    assert "17% of allocatable is used outside of pods" in plan.findings[0].text
    assert plan.findings[0].outcome == "cured"
    rows = {row.name: row for row in plan.nodes}
    assert rows["n1"].outside["cpu"] == pytest.approx(0.17, abs=0.01)
    assert rows["n1"].before.cpu_peak == pytest.approx(10 / 12, abs=0.03)
    assert "memory" not in rows["n1"].outside


def test_no_pod_goes_where_the_system_is_busy() -> None:
    made, histories = busy()
    first = planned(made, [*histories, outside({"n1": 2.0, "n2": 7.5, "n3": 0.1})], [hot()], SPARSE)
    second = planned(made, [*histories, outside({"n1": 2.0, "n2": 0.1, "n3": 7.5})], [hot()], SPARSE)
    for plan, place in ((first, "n3"), (second, "n2")):
        assert {move.destination for action in plan.actions for move in action.pods} in ({place}, set())
        assert not {move.destination for action in plan.actions for move in action.pods} - {place}
    none = planned(made, [*histories, outside({"n1": 2.0, "n2": 8.5, "n3": 8.5})], [hot()], SPARSE)
    assert not none.actions
    assert "DestinationHot" in none.findings[0].refused


def test_a_plan_is_as_before_where_the_system_keeps_to_what_is_kept_back() -> None:
    made, histories = busy(cpu="10", capacity="12")
    before = planned(made, histories, [hot()], SPARSE)
    after = planned(made, [*histories, outside(dict.fromkeys(("n1", "n2", "n3"), 1.8))], [hot()], SPARSE)
    assert before.actions
    assert after.actions == before.actions
    assert [row.before for row in after.nodes] == [row.before for row in before.nodes]


def test_a_node_is_explained_with_it_or_with_its_absence() -> None:
    made, histories = busy()
    for more, said in (([], "not known"), ([outside({"n1": 2.0})], "17% of allocatable")):
        told = explain(outcome(made, [*histories, *more], [hot()], SPARSE), "node", "n1")
        (check,) = [one for one in told.checks if one.name == "cpu outside of pods"]
        assert said in check.text


@pytest.mark.parametrize("waits", [True, False])
def test_nothing_goes_to_a_node_on_which_tasks_wait(waits: bool) -> None:
    made, (cpu, memory) = busy()
    strain = Strain({key("ReplicaSet", "web"): 0.4}, {"n2": 0.8} if waits else {})
    histories = [replace(cpu, strain=strain), memory, outside({"n1": 2.0})]
    chosen = replace(SPARSE, landing=LandingMode.RESERVED)  # else the scheduler might choose it, and none is moved
    plan = planned(made, histories, [hot()], chosen)
    assert "4 pods on it would use more" in plan.findings[0].text
    assert plan.findings[0].outcome == "cured"
    gone_to = {move.destination for action in plan.actions for move in action.pods}
    assert ("n2" not in gone_to) if waits else gone_to
    told = explain(outcome(made, histories, [hot()], SPARSE), "node", "n2")
    assert any(check.name == "cpu pressure" for check in told.checks) == waits
    (row,) = [row for row in plan.sources if row.name == "history/cpu"]
    assert ("tasks wait for cpu on n2 (80% of the time)" in row.detail) == waits
    nowhere = replace(strain, pressed={"n2": 0.8, "n3": 0.9})
    refused = planned(made, [replace(cpu, strain=nowhere), memory, outside({"n1": 2.0})], [hot()], chosen)
    assert not refused.actions
    assert "DestinationHot" in refused.findings[0].refused


def test_a_walk_through_a_recording_lives_through_it_too() -> None:
    made, histories = busy(cpu="10", capacity="12")
    world = world_of(made, {one.signal: one for one in [*histories, outside({"n1": steady(3.0)})]})
    np.testing.assert_allclose(world.outside["cpu"][0], 1.0, atol=0.1)
    assert not world.outside["cpu"][1:].any()
