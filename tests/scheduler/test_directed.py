"""Where the executor names the node, any good node with room will do: the scheduler's own taste is the last word only
among those that nobody wished for."""

from __future__ import annotations

from collections.abc import Sequence

from builders import cluster, node, pod
from descheduler.contract import Landing, Scenario, land
from descheduler.model.landing_mode import LandingMode
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import prepare


def crowded() -> ClusterSnapshot:
    """`web` alone on n0; n1 is fuller than n2, n3 is full."""
    cpus = {"n1": "8", "n2": "4", "n3": "11"}
    pods = [pod("web", cpu="2", node="n0"), *(pod(f"other-{n}", cpu=cpu, node=n) for n, cpu in cpus.items())]
    return cluster([node(f"n{i}", cpu="12") for i in range(4)], pods)


def landed(mode: LandingMode, *wished: int, good: Sequence[int] = (0, 1, 2, 3)) -> Landing | Blocked:
    snapshot = crowded()
    state = Scenario({}, prepare(snapshot).what_if(), mode=mode)
    web = snapshot.pod_index["default", "web"]
    state.remove(web)
    return land(
        snapshot,
        state,
        web,
        0,
        lambda nodes: sum((nodes == n for n in good), nodes < 0),
        0.2,
        Reason.DESTINATION_HOT,
        wished,
    )


def test_the_pod_comes_up_where_it_is_wished_though_the_scheduler_would_put_it_back() -> None:
    back = landed(LandingMode.PREDICTED, 1)
    assert isinstance(back, Blocked)
    assert back.reason is Reason.WOULD_STAY
    there = landed(LandingMode.RESERVED, 1)
    assert isinstance(there, Landing)
    assert there.nodes == (1, 2)
    assert there.share == 1.0


def test_without_a_preference_the_scheduler_s_order_of_preference_decides_and_the_source_is_left_out() -> None:
    there = landed(LandingMode.RESERVED)
    assert isinstance(there, Landing)
    assert there.nodes == (2, 1)


def test_a_preferred_node_without_room_is_passed_over() -> None:
    there = landed(LandingMode.RESERVED, 3, 1)
    assert isinstance(there, Landing)
    assert there.nodes == (1, 2)


def test_where_no_node_with_room_is_good_nothing_moves() -> None:
    refused = landed(LandingMode.RESERVED, 1, good=(0, 3))
    assert isinstance(refused, Blocked)
    assert refused.reason is Reason.DESTINATION_HOT
