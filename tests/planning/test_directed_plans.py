"""Plans whose landings are directed: who decides that, which nodes are named, and what shares a wave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from builders import cluster, node, owner, pod, spec, workload
from descheduler.contract import StrategyArgs
from descheduler.model.directing import BINDING, NAME
from descheduler.model.landing_mode import LandingMode, LandingWish
from descheduler.model.objects import CustomObject
from descheduler.model.plan import PlanDocument
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.executor_rules import ExecutorTraits
from descheduler.planning.landing_choice import choose_landing
from descheduler.planning.settings import settings_of
from descheduler.policy import load_policy
from planning.cases import planned
from planning.proposing import Routes, Wishing

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
DIRECTED = PlanningSettings(limits=DisruptionLimits(), landing=LandingMode.DIRECTED)


def plan_of(
    snapshot: ClusterSnapshot, *wishes: tuple[str, Sequence[int]], settings: PlanningSettings = DIRECTED
) -> PlanDocument:
    chosen = ChosenStrategy(Wishing(tuple((name, tuple(nodes)) for name, nodes in wishes)), StrategyArgs())
    return planned(snapshot, chosen=[chosen], settings=settings)


def crowded(count: int = 4) -> ClusterSnapshot:
    """`web-0` and `web-1` on n0, which is the emptiest; every other node is half full."""
    nodes = [node(f"n{i:04}", cpu="16") for i in range(count)]
    others = [pod(f"other-{i}", cpu="8", node=f"n{i:04}") for i in range(1, count)]
    pods = [*others, *(pod(f"web-{i}", cpu="1", node="n0000") for i in range(2))]
    return cluster(nodes, pods, workloads=[workload("ReplicaSet", "web", 2)])


def test_the_plan_names_the_node_and_who_makes_the_replacement() -> None:
    (action,) = plan_of(crowded(), ("web-0", (2,))).actions
    (move,) = action.pods
    assert (move.destination, move.towards, move.direction) == ("n0002", ("n0002",), "uid-ReplicaSet-web")
    assert move.proof.expected_share == 1.0
    assert move.proof.text.endswith("it is directed to n0002")
    assert action.steer == ()


def test_in_a_large_cluster_what_was_promised_for_one_node_is_refused_and_for_several_is_not() -> None:
    """Of 1,000 nodes the scheduler scores 420: one node may be among them or not, one of eight is."""
    snapshot = crowded(1000)
    alone = plan_of(snapshot, ("web-0", (7,)))
    assert alone.actions == ()
    assert "directed to 1 node, it would land on a good one with probability 42%" in alone.refusals[0].detail
    (action,) = plan_of(snapshot, ("web-0", range(7, 15))).actions
    (move,) = action.pods
    assert set(move.towards) <= {f"n{i:04}" for i in range(7, 15)}
    assert len(move.towards) > 1
    assert move.proof.text.endswith(f"it is directed to {len(move.towards)} of them, {move.destination} most likely")


def test_pods_of_one_controller_for_different_nodes_share_no_wave() -> None:
    apart = plan_of(crowded(), ("web-0", (1,)), ("web-1", (2,)))
    assert sorted(action.wave for action in apart.actions) == [0, 1]
    together = plan_of(crowded(), ("web-0", (1,)), ("web-1", (1,)))
    assert [action.wave for action in together.actions] == [0, 0]
    snapshot = crowded()
    strangers = cluster(
        snapshot.nodes,
        [replace(p, owners=(owner("ReplicaSet", "db"),)) if p.name == "web-1" else p for p in snapshot.pods],
        workloads=[workload("ReplicaSet", name, 1) for name in ("web", "db")],
    )
    assert [action.wave for action in plan_of(strangers, ("web-0", (1,)), ("web-1", (2,))).actions] == [0, 0]


def test_members_of_a_statefulset_are_directed_by_their_names_and_share_a_wave() -> None:
    snapshot = crowded()
    of_a_set = cluster(
        snapshot.nodes,
        [replace(p, owners=(owner("StatefulSet", "web"),)) if p.name[:3] == "web" else p for p in snapshot.pods],
        workloads=[workload("StatefulSet", "web", 2)],
    )
    found = plan_of(of_a_set, ("web-0", (1,)), ("web-1", (2,)))
    assert [action.wave for action in found.actions] == [0, 0]
    moves = [pod for action in found.actions for pod in action.pods]
    assert {move.direction: move.towards for move in moves} == {
        "uid-StatefulSet-web.web-0": ("n0001",),
        "uid-StatefulSet-web.web-1": ("n0002",),
    }


@pytest.mark.parametrize(("kind", "waves"), [("ReplicaSet", [0, 1]), ("StatefulSet", [0])])
def test_a_bundle_goes_in_stages_where_one_controller_s_pods_must_be_told_apart(kind: str, waves: list[int]) -> None:
    snapshot = crowded()
    ours = cluster(
        snapshot.nodes,
        [replace(p, owners=(owner(kind, "web"),)) if p.name[:3] == "web" else p for p in snapshot.pods],
        workloads=[workload(kind, "web", 2)],
    )
    bundle = Routes([[("web-0", 0, 1), ("web-1", 0, 2)]], staged=True)
    plan = planned(ours, chosen=[ChosenStrategy(bundle, StrategyArgs())], settings=DIRECTED)
    assert [action.wave for action in plan.actions] == waves
    assert [pod.destination for action in plan.actions for pod in action.pods] == ["n0001", "n0002"]
    at_once = Routes([[("web-0", 0, 1), ("web-1", 0, 2)]], staged=False)
    whole = planned(ours, chosen=[ChosenStrategy(at_once, StrategyArgs())], settings=DIRECTED)
    assert bool(whole.actions) == (kind == "StatefulSet")


def test_a_replacement_that_is_made_later_may_have_the_place_of_the_old_pod() -> None:
    """Predicted landing: a StatefulSet's comes back to the empty node, a ReplicaSet's finds the old pod there."""
    predicted = replace(DIRECTED, landing=LandingMode.PREDICTED)
    nodes = [node("n1", cpu="8"), node("n2", cpu="8")]
    others = [pod("other-1", cpu="2", node="n2")]
    at_once = cluster(nodes, [*others, pod("web-0", cpu="3", node="n1")])
    assert len(plan_of(at_once, ("web-0", ()), settings=predicted).actions) == 1
    for waits in ({"owners": (owner("StatefulSet", "web"),)}, {"of": replace(spec("3"), grace_seconds=0)}):
        later = cluster(nodes, [*others, pod("web-0", cpu="3", node="n1", **waits)])  # type: ignore[arg-type]
        refused = plan_of(later, ("web-0", ()), settings=predicted)
        assert refused.actions == ()
        assert refused.refusals[0].reason == "WouldLandOnSource"


# -- who decides ------------------------------------------------------------------------------------------------------

BOUND = CustomObject("admissionregistration.k8s.io/v1", BINDING.partition("/")[2], "", NAME, spec={"policyName": NAME})


def bound(*, to: str = NAME, deleting: bool = False) -> ClusterSnapshot:
    return cluster([node("n1")], objects=[replace(BOUND, spec={"policyName": to}, deleting=deleting)])


def test_what_is_installed_is_used_and_else_the_scheduler_decides() -> None:
    auto, evict = LandingWish.AUTO, (LandingMode.PREDICTED,)
    assert choose_landing(auto, evict, bound()).mode is LandingMode.DIRECTED
    for without in (cluster([node("n1")]), bound(to="another"), bound(deleting=True)):
        found = choose_landing(auto, evict, without)
        assert (found.mode, found.lacking) == (LandingMode.PREDICTED, "")
        assert "is not installed" in found.why
    found = choose_landing(auto, evict, bound(), "it does not work")
    assert (found.mode, found.why) == (LandingMode.PREDICTED, "it does not work")


@pytest.mark.parametrize("wish", list(LandingWish))
def test_an_executor_that_holds_places_decides_whatever_the_policy_says(wish: LandingWish) -> None:
    assert choose_landing(wish, [LandingMode.RESERVED], bound()).mode is LandingMode.RESERVED


def test_where_one_of_several_executors_leaves_it_to_the_scheduler_that_is_what_moves_are_proved_by() -> None:
    both = (LandingMode.RESERVED, LandingMode.PREDICTED)
    assert choose_landing(LandingWish.PREDICTED, both, bound()).mode is LandingMode.PREDICTED
    assert choose_landing(LandingWish.AUTO, both, bound()).mode is LandingMode.DIRECTED


def test_a_policy_that_wants_what_is_not_there_is_shown_and_not_carried_out() -> None:
    snapshot = crowded()
    policy = load_policy(HEAD + "acting: {landing: directed}\nstrategies: []\n")
    settings = settings_of(policy, snapshot, (ExecutorTraits(),))
    assert settings.landing is LandingMode.DIRECTED
    document = plan_of(snapshot, ("web-0", (2,)), settings=settings)
    assert document.actions
    assert document.acting_blocked.startswith("the policy wants directed landing, and")
    assert (document.landing, document.landing_why[:26]) == ("directed", "the policy says so, but Mu")
