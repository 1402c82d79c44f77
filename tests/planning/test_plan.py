"""Plans as a whole: what is moved, what is refused and why, and that the same input gives the same plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from builders import NOW, budget, cluster, key, node, owner, pod
from descheduler.contract import StrategyArgs
from descheduler.model.landing_mode import LandingMode
from descheduler.model.objects import CustomObject
from descheduler.model.plan import PlanDocument
from descheduler.model.snapshot import Freshness
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.proofs import ProofRules
from descheduler.policy.planning import ProofPolicy
from descheduler.scheduler import Scoring
from descheduler_profiling.series import empty
from histories import history, peaking
from planning.cases import SPARSE, gpus, hot, hot_args, hot_node, planned, scattered_gpus

PACKING = PlanningSettings(scoring={"default-scheduler": Scoring.MOST_ALLOCATED})


def moved(plan: PlanDocument) -> dict[str, tuple[str, str]]:
    return {p.pod: (p.source, p.destination) for a in plan.actions for p in a.pods}


def reasons(plan: PlanDocument) -> set[str]:
    return {r.reason for r in plan.refusals}


def test_a_node_that_will_be_hot_is_cooled_before_it_is() -> None:
    snapshot, histories = hot_node()
    plan = planned(snapshot, histories, [hot()])
    (finding,) = [f for f in plan.findings if f.resource == "cpu"]
    assert finding.subject == "node/n1"
    assert finding.value > 0.75 >= finding.after
    assert finding.outcome == "cured"
    assert {source for source, _ in moved(plan).values()} == {"n1"}
    assert {target for _, target in moved(plan).values()} <= {"n2", "n3"}


@pytest.mark.parametrize("still", [("n2",), ("n1",), ("n2", "n3")])
def test_a_node_whose_counters_stand_still_is_neither_left_nor_gone_to(still: tuple[str, ...]) -> None:
    snapshot, (cpu, memory) = hot_node()
    directed = PlanningSettings(landing=LandingMode.RESERVED)
    plan = planned(snapshot, [replace(cpu, standing_still=still), memory], [hot()], directed)
    assert f"cpu counters stand still on {', '.join(still)}: nobody knows their load" in plan.problems
    assert not {node for route in moved(plan).values() for node in route} & set(still)
    assert bool(plan.actions) == (still == ("n2",))
    if still == ("n1",):
        assert "DataMissing" in reasons(plan)


def test_no_more_is_moved_than_the_cure_needs() -> None:
    snapshot, histories = hot_node()
    plan = planned(snapshot, histories, [hot()])
    (finding,) = plan.findings
    assert finding.after + min(a.benefit for a in plan.actions) > finding.threshold - hot_args().clearance


def test_the_same_input_gives_the_same_plan_to_the_byte() -> None:
    snapshot, histories = hot_node()
    first, second = (planned(snapshot, histories, [hot(), gpus()]) for _ in range(2))
    assert msgspec.json.encode(first) == msgspec.json.encode(second)


def test_a_spike_that_passes_before_a_move_pays_is_left_alone_and_said_so() -> None:
    snapshot, _ = hot_node()
    series = {key("ReplicaSet", "web"): peaking(0.5, 2.9, 20, minutes=25), key("ReplicaSet", "idle"): 0.1}
    memory = dict.fromkeys(series, 64.0 * 2**20)
    plan = planned(snapshot, [history("cpu", series), history("memory", memory)], [hot(minDuration="30m")])
    assert not plan.actions
    assert "SpikePasses" in reasons(plan)
    assert plan.findings[0].outcome == "left-alone"


def test_a_budget_that_allows_nothing_keeps_the_pod_and_another_goes() -> None:
    other = [pod(f"api-{i}", cpu="2", node="n1", labels={"app": "api"}) for i in range(2)]
    snapshot, _ = hot_node(pods=other, budgets=[budget("api", {"app": "api"}, allowed=0)])
    series = {key("ReplicaSet", "web"): peaking(0.4, 1.6, 20), key("ReplicaSet", "idle"): 0.1}
    series[key("ReplicaSet", "api")] = peaking(0.4, 2.9, 20)
    memory = dict.fromkeys(series, 64.0 * 2**20)
    plan = planned(snapshot, [history("cpu", series), history("memory", memory)], [hot()])
    assert moved(plan)
    assert not any(name.startswith("api") for name in moved(plan))
    refusal = next(r for r in plan.refusals if r.reason == "DisruptionBudget")
    assert "default/api" in refusal.by


def test_a_gang_without_slack_is_not_torn() -> None:
    gang = CustomObject(
        "scheduling.k8s.io/v1alpha2", "PodGroup", "default", "web",
        spec={"schedulingPolicy": {"gang": {"minCount": 4}}, "disruptionMode": "Pod"},
    )  # fmt: skip
    snapshot, histories = hot_node(objects=[gang])
    pods = tuple(replace(p, pod_group="web") if p.name.startswith("web") else p for p in snapshot.pods)
    plan = planned(replace(snapshot, pods=pods), histories, [hot()])
    assert not moved(plan)
    assert "GangWouldTear" in reasons(plan)


def test_a_pod_that_the_scheduler_would_put_straight_back_is_not_moved() -> None:
    snapshot, histories = hot_node()
    # By requests n1 stays the emptiest node, so that the default scheduler would choose it again.
    full = [pod(f"full-{i}", cpu="11", node=f"n{i}") for i in (2, 3)]
    snapshot = cluster(snapshot.nodes, [p for p in snapshot.pods if p.name.startswith("web")] + full)
    plan = planned(snapshot, histories, [hot()], SPARSE)
    assert not moved(plan)
    assert reasons(plan) & {"WouldLandOnSource", "NoPlace"}


def test_a_destination_that_would_become_hot_is_refused() -> None:
    pods = [pod(f"busy-{i}", cpu="100m", node=f"n{2 + i}") for i in range(2)]
    snapshot, _ = hot_node(pods=pods)
    series = {
        key("ReplicaSet", "web"): peaking(0.5, 2.9, 20),
        key("ReplicaSet", "idle"): 0.1,
        key("ReplicaSet", "busy"): peaking(1.0, 8.0, 20),
    }
    memory = dict.fromkeys(series, 64.0 * 2**20)
    plan = planned(snapshot, [history("cpu", series), history("memory", memory)], [hot()])
    assert not moved(plan)
    assert "DestinationHot" in reasons(plan)


def test_scattered_gpus_are_vacated_as_one_bundle() -> None:
    plan = planned(scattered_gpus(), [], [gpus(wanted=1)], PACKING)
    (action,) = plan.actions
    assert [p.pod for p in action.pods] == ["a-0"]
    assert plan.summary["whole_gpu_nodes_before"] == 0
    assert plan.summary["whole_gpu_nodes_after"] == 1


def test_a_bundle_is_all_or_nothing() -> None:
    held = [pod("held-0", cpu="4", gpu=1, node="g1", labels={"app": "held"})]
    snapshot = scattered_gpus(pods=held, budgets=[budget("held", {"app": "held"}, allowed=0)])
    plan = planned(snapshot, [], [gpus(wanted=1)], replace(PACKING, limits=DisruptionLimits(per_cycle=2)))
    assert not any(source == "g1" for source, _ in moved(plan).values())


def test_partial_history_moves_nothing() -> None:
    snapshot, (cpu, memory) = hot_node()
    plan = planned(snapshot, [replace(cpu, complete=False, problems=("a day is missing",)), memory], [hot()])
    assert not plan.actions
    assert "DataMissing" in reasons(plan)
    assert any("partial" in problem for problem in plan.problems)


@pytest.mark.parametrize(("relied_on", "told"), [({"cpu", "memory"}, False), ({"cpu", "memory", "gpu"}, True)])
def test_a_signal_that_the_server_lacks_is_a_problem_where_it_is_relied_on(relied_on: set[str], told: bool) -> None:
    snapshot, histories = hot_node()
    lacking = replace(empty("gpu", "fraction", 300, ("the server has no such series now",)), absent=True)
    settings = PlanningSettings(relied_on=frozenset(relied_on))
    plan = planned(snapshot, [*histories, lacking], [hot()], settings)
    assert plan.actions
    assert any("no such series" in problem for problem in plan.problems) == told
    (row,) = (row for row in plan.sources if row.signal == "gpu")
    assert (row.state, row.detail.startswith("optional: ")) == ("absent", not told)


def test_an_optional_signal_that_could_not_be_read_is_a_problem() -> None:
    snapshot, histories = hot_node()
    lacking = empty("gpu", "fraction", 300, ("http://p does not answer now (503)",))
    plan = planned(snapshot, [*histories, lacking], [hot()], PlanningSettings(relied_on=frozenset({"cpu", "memory"})))
    assert any("503" in problem for problem in plan.problems)


@pytest.mark.parametrize("off", [7200, -7200], ids=["two hours old", "from the future"])
def test_stale_history_moves_nothing(off: int) -> None:
    snapshot, histories = hot_node()
    plan = planned(snapshot, histories, [hot()], now=NOW + off)
    assert not plan.actions
    assert any("stale" in problem for problem in plan.problems)


@pytest.mark.parametrize("off", [-3600, 3600], ids=["an hour old", "from the future: a clock was set back"])
def test_a_stale_kind_stops_everything(off: int) -> None:
    snapshot, histories = hot_node(freshness={"pods": Freshness("pods", NOW + off)})
    plan = planned(snapshot, histories, [hot()])
    assert not plan.actions
    assert "pods" in plan.acting_blocked


def test_a_strategy_that_raises_is_named_and_the_others_go_on() -> None:
    class Broken:
        name = "Broken"
        signals = ()
        Args = StrategyArgs

        def propose(self, view: object, args: StrategyArgs) -> list[object]:
            raise ZeroDivisionError("oops")

    snapshot, histories = hot_node()
    plan = planned(snapshot, histories, [ChosenStrategy(Broken(), StrategyArgs()), hot()])  # type: ignore[arg-type]
    assert plan.actions
    assert any("Broken" in problem and "oops" in problem for problem in plan.problems)


def test_a_node_whose_pods_have_no_history_is_left_alone() -> None:
    strangers = [pod(f"new-{i}", cpu="4", node="n1") for i in range(2)]
    snapshot, histories = hot_node(pods=strangers)
    plan = planned(snapshot, histories, [hot()])
    assert not plan.actions
    assert "DataMissing" in reasons(plan)


@pytest.mark.parametrize("per_cycle", [0, 1, 2])
def test_the_cycle_limit_holds_over_all_strategies(per_cycle: int) -> None:
    snapshot, histories = hot_node()
    extra = scattered_gpus()
    both = cluster([*snapshot.nodes, *extra.nodes], [*snapshot.pods, *extra.pods])
    plan = planned(
        both, histories, [hot(), gpus(wanted=2)], replace(PACKING, limits=DisruptionLimits(per_cycle=per_cycle))
    )
    assert plan.summary["moves"] <= per_cycle


def test_a_bare_pod_is_not_moved() -> None:
    bare = [pod("lonely", cpu="4", node="n1", owners=())]
    snapshot, _ = hot_node(pods=bare)
    series = {key("ReplicaSet", "web"): 0.5, key("ReplicaSet", "idle"): 0.1, key("Pod", "lonely"): peaking(1, 9, 20)}
    memory = dict.fromkeys(series, 64.0 * 2**20)
    plan = planned(snapshot, [history("cpu", series), history("memory", memory)], [hot()])
    assert "lonely" not in moved(plan)
    assert "BarePod" in reasons(plan)


def test_a_daemon_set_pod_is_not_moved() -> None:
    daemon = [pod("agent-1", cpu="4", node="n1", owners=(owner("DaemonSet", "agent"),))]
    snapshot, _ = hot_node(pods=daemon)
    series = {key("ReplicaSet", "web"): 0.5, key("ReplicaSet", "idle"): 0.1}
    series[key("DaemonSet", "agent")] = peaking(1, 9, 20)
    memory = dict.fromkeys(series, 64.0 * 2**20)
    plan = planned(snapshot, [history("cpu", series), history("memory", memory)], [hot()])
    assert "agent-1" not in moved(plan)
    assert "DaemonSetPod" in reasons(plan)


def test_an_empty_cluster_gives_an_empty_plan() -> None:
    plan = planned(cluster([node("n1")]), [], [gpus()])
    assert not plan.actions
    assert plan.summary["nodes"] == 1


def test_history_of_too_few_pods_is_not_used_at_all() -> None:
    strangers = [pod(f"new-{i}", cpu="6", node="n3") for i in range(2)]
    snapshot, histories = hot_node(pods=strangers)
    plan = planned(snapshot, histories, [hot()])
    assert not plan.actions
    assert any("covers" in problem for problem in plan.problems)


def test_an_object_that_could_not_be_read_is_told() -> None:
    snapshot, histories = hot_node(problems=("pod default/odd: containers[0].resources: '1 Gi' is not a quantity",))
    assert any("default/odd" in problem for problem in planned(snapshot, histories, [hot()]).problems)


def test_the_document_measures_destinations_as_the_policy_says() -> None:
    snapshot, histories = hot_node()
    rules = ProofRules.of(ProofPolicy(quantile=0.5, horizon=timedelta(minutes=5)))
    near = planned(snapshot, histories, [hot()], PlanningSettings(proof=rules)).actions[0].pods[0].proof
    far = planned(snapshot, histories, [hot()]).actions[0].pods[0].proof
    assert near.destination_peaks is not None
    assert far.destination_peaks is not None
    assert near.destination_peaks["cpu"] < far.destination_peaks["cpu"]
