"""Pods that leave together: each lands where it is likely and good, or nobody has moved."""

from __future__ import annotations

from collections.abc import Sequence

from builders import cluster, node, owner, pod
from descheduler.contract import MOST_AVOIDED, RebalanceView, Relocation, land_all, relocate
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Move
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning import PlanningSettings
from gang_builders import core_group
from planning.cases import outcome

WEB = 2
"""Its position: pods are sorted by name."""
PREDICTED, STEERED, DIRECTED = LandingMode.PREDICTED, LandingMode.STEERED, LandingMode.RESERVED


def view_of(mode: LandingMode = PREDICTED, more: Sequence[Pod] = (), **objects: object) -> RebalanceView:
    """`web` with a larger neighbour on n0; n1 is less free than n2, which the scheduler therefore prefers."""
    pods = [pod("web", cpu="2", node="n0"), pod("big", cpu="4", node="n0"), pod("mid", cpu="3", node="n1"), *more]
    snapshot = cluster([node(f"n{i}", cpu="12") for i in range(3)], pods, **objects)  # type: ignore[arg-type]
    return outcome(snapshot, settings=PlanningSettings(landing=mode)).view


def moved(
    view: RebalanceView,
    *names: str,
    good: Sequence[int] = (0, 1, 2),
    wished: Sequence[int] = (),
    avoid: Sequence[int] = (),
    more_avoided: int = 0,
) -> Relocation | Blocked:
    pods = [view.snapshot.pod_index["default", name] for name in names]
    return relocate(
        view,
        view.what_if(),
        pods,
        lambda _state, _pod: lambda nodes: sum((nodes == n for n in good), nodes < 0),
        max_risk=0.2,
        bad=Reason.DESTINATION_HOT,
        wished=dict.fromkeys(pods, wished),
        avoid=avoid,
        more_avoided=more_avoided,
    )


def destinations(found: Relocation | Blocked) -> list[int]:
    """Where the pods land, one after the other."""
    assert isinstance(found, Relocation), found
    return list(found.landed.values())


def test_a_pod_lands_where_the_scheduler_would_put_it_and_the_state_asked_of_stays_as_it_was() -> None:
    view = view_of()
    found = moved(view, "web")
    assert destinations(found) == [2]
    assert isinstance(found, Relocation)
    assert found.state.node_of(WEB) == 2
    assert view.start.node_of(WEB) == 0


def test_what_lands_later_finds_what_landed_before() -> None:
    many = [pod(f"x-{i}", cpu="2", node="n0") for i in range(2)]
    found = destinations(moved(view_of(more=many), "web", "x-0", "x-1"))
    assert found == [2, 2, 1]


def test_all_that_must_move_with_a_pod_leaves_too() -> None:
    gang = [pod(f"x-{i}", cpu="1", node="n0", pod_group="team") for i in range(2)]
    whole = view_of(more=gang, objects=[core_group("team", 2, "PodGroup")])
    assert len(destinations(moved(whole, "x-0"))) == 2
    alone = view_of(more=gang, objects=[core_group("team", 1, "Pod")])
    assert len(destinations(moved(alone, "x-0"))) == 1


def test_one_that_may_not_move_holds_all_back() -> None:
    daemon = pod("zfixed", cpu="1", node="n0", owners=(owner("DaemonSet", "fixed"),))
    view = view_of(more=[daemon])
    held = moved(view, "web", "zfixed")
    assert isinstance(held, Blocked)
    assert held.reason is Reason.DAEMON_SET
    assert destinations(moved(view, "web")) == [2]


def test_a_destination_that_is_likely_but_not_good_is_refused() -> None:
    refused = moved(view_of(), "web", good=(0, 1))
    assert isinstance(refused, Blocked)
    assert (refused.reason, refused.by) == (Reason.DESTINATION_HOT, "node/n2")


def test_where_the_executor_names_the_node_a_wish_comes_true() -> None:
    assert destinations(moved(view_of(DIRECTED), "web", wished=(1,))) == [1]
    assert destinations(moved(view_of(DIRECTED), "web")) == [2]
    assert destinations(moved(view_of(PREDICTED), "web", wished=(1,))) == [2]


def test_with_steering_the_nodes_in_the_way_are_avoided_as_far_as_that_is_allowed() -> None:
    found = moved(view_of(STEERED), "web", good=(0, 1), more_avoided=MOST_AVOIDED)
    assert destinations(found) == [1]
    assert isinstance(found, Relocation)
    assert found.avoid == (2,)
    assert isinstance(moved(view_of(STEERED), "web", good=(0, 1)), Blocked)
    assert isinstance(moved(view_of(PREDICTED), "web", good=(0, 1), more_avoided=MOST_AVOIDED), Blocked)


def test_what_is_avoided_is_foreseen_only_while_the_pods_land() -> None:
    found = moved(view_of(STEERED), "web", avoid=(2,))
    assert destinations(found) == [1]
    assert isinstance(found, Relocation)
    state = found.state
    state.remove(WEB)
    assert state.landing(WEB)[0][0] == 2


def test_a_move_with_no_other_destinations_than_its_own_lands_there_or_not_at_all() -> None:
    view = view_of()

    def land_only(node: int) -> Relocation | Blocked:
        return land_all(
            view.snapshot,
            view.what_if(),
            (Move(WEB, 0, (node,), only=True),),
            lambda _state, _pod: lambda nodes: nodes >= 0,
            max_risk=0.2,
            bad=Reason.DESTINATION_HOT,
        )

    assert destinations(land_only(2)) == [2]
    refused = land_only(1)
    assert isinstance(refused, Blocked)
    assert refused.reason is Reason.NO_GAIN
