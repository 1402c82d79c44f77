"""SlotDefragmentation: slots of CPU come free by moves of alike pods, and only where an executor names the node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from builders import amounts, budget, cluster, node, pod, spec
from descheduler.contract import RebalanceView
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Observation, Proposal
from descheduler.model.pods import HostPort, PodSpec
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler_strategies.slot_defragmentation import SlotDefragmentation
from descheduler_strategies.slot_defragmentation.args import SlotDefragmentationArgs
from planning.cases import outcome, planned

DIRECTED = PlanningSettings(limits=DisruptionLimits(per_workload=None), landing=LandingMode.RESERVED)


def args(**changes: object) -> SlotDefragmentationArgs:
    return SlotDefragmentationArgs.model_validate(changes)


def answers(
    snapshot: ClusterSnapshot, arguments: SlotDefragmentationArgs, settings: PlanningSettings = DIRECTED
) -> list[Proposal | Observation]:
    return list(SlotDefragmentation().propose(view_of(snapshot, settings), arguments))


def view_of(snapshot: ClusterSnapshot, settings: PlanningSettings = DIRECTED) -> RebalanceView:
    return outcome(snapshot, settings=settings).view


def slots(snapshot: ClusterSnapshot, moves: Sequence[tuple[str, int, int]], cores: int = 16) -> int:
    """Free slots after the moves (pod, from, to), counted pod by pod; every move must find room at its turn."""
    free = [dict(n.allocatable)["cpu"] for n in snapshot.nodes]
    asks = {p.name: dict(p.spec.requests)["cpu"] for p in snapshot.pods}
    at = {n.name: i for i, n in enumerate(snapshot.nodes)}
    for one in snapshot.pods:
        free[at[one.node]] -= asks[one.name]
    for name, source, target in moves:
        assert free[target] >= asks[name]
        free[target] -= asks[name]
        free[source] += asks[name]
    return sum(max(0, left) // (1000 * cores) for left in free)


def done(snapshot: ClusterSnapshot, found: Sequence[Proposal | Observation]) -> list[tuple[str, int, int]]:
    moves = [move for one in found if isinstance(one, Proposal) for move in one.moves]
    return [(snapshot.pods[m.pod].name, m.source, m.destinations[0]) for m in moves]


def scattered(of: PodSpec | None = None) -> ClusterSnapshot:
    """Two nodes of 16 cores with 4 taken on each, and one that has 8 of 16 free: 32 cores free, no slot of 16."""
    nodes = [node(f"n{i}", cpu="16") for i in range(3)]
    small = of or spec("4", "1Gi")
    pods = [pod(f"web-{i}", of=small, node=f"n{i}", labels={"app": "web"}) for i in range(2)]
    return cluster(nodes, [*pods, pod("db-0", cpu="8", node="n2", owners=())])


def test_alike_pods_make_room_for_one_another_until_enough_slots_are_free() -> None:
    snapshot = scattered()
    one = answers(snapshot, args(wanted=1))
    assert [type(answer) for answer in one] == [Proposal]
    assert slots(snapshot, done(snapshot, one)) == 1
    two = answers(snapshot, args(wanted=2))
    assert slots(snapshot, done(snapshot, two)) == 2
    assert not answers(snapshot, args(wanted=0))


def test_where_the_scheduler_decides_it_says_so_and_moves_nothing() -> None:
    for landing in (LandingMode.PREDICTED, LandingMode.STEERED):
        (answer,) = answers(scattered(), args(), replace(DIRECTED, landing=landing))
        assert isinstance(answer, Observation)
        assert "not directed" in answer.blocked.detail
    assert not answers(scattered(), args(wanted=0), replace(DIRECTED, landing=LandingMode.PREDICTED))


def test_two_pods_leave_together_where_neither_opens_a_slot_alone() -> None:
    nodes = [node("n0", cpu="16"), node("n1", cpu="24")]
    pods = [pod(f"web-{i}", cpu="2", node="n0") for i in range(2)] + [pod("db-0", cpu="20", node="n1")]
    snapshot = cluster(nodes, pods)
    (found,) = answers(snapshot, args())
    assert isinstance(found, Proposal)
    assert len(found.moves) == 2
    assert found.staged
    (nothing,) = answers(snapshot, args(maxMoves=1))
    assert isinstance(nothing, Observation)
    assert nothing.blocked.reason is Reason.NO_CURE


def test_no_slot_that_is_free_is_broken_into() -> None:
    """The only place that has room for what would leave n0 is the slot on n2."""
    nodes = [node(f"n{i}", cpu="16") for i in range(3)]
    pods = [pod("web-0", cpu="4", node="n0"), pod("db-0", cpu="16", node="n1")]
    (answer,) = answers(cluster(nodes, pods), args(wanted=2))
    assert isinstance(answer, Observation)


def test_pods_with_rules_of_their_own_stay_where_they_are() -> None:
    ports = spec("4", "1Gi", host_ports=(HostPort(80),))
    (answer,) = answers(scattered(ports), args())
    assert isinstance(answer, Observation)
    assert answer.finding.bound is None, "what is proven of the others is not proven of these"
    assert isinstance(answers(scattered(), args())[0], Proposal)


def test_memory_that_is_wanted_beside_the_cores_counts() -> None:
    pods = [pod(f"web-{i}", cpu="4", memory="8Gi", node=f"n{i}") for i in range(2)]
    pods += [pod("fat-0", cpu="0", memory="60Gi", node="n1", owners=()), pod("db-0", cpu="8", node="n2", owners=())]
    snapshot = cluster([node(f"n{i}", cpu="16", memory="96Gi") for i in range(3)], pods)
    found = answers(snapshot, args(slot={"cpu": "16", "memory": "64Gi"}))
    assert {source for _, source, _ in done(snapshot, found)} == {0}


def test_only_nodes_of_the_pools_take_part() -> None:
    found = answers(scattered(), args(pools=["elsewhere"]))
    assert not done(scattered(), found)


def test_a_budget_lets_the_moves_go_one_wave_after_the_other() -> None:
    nodes = [node("n0", cpu="16"), node("n1", cpu="24")]
    pods = [pod(f"web-{i}", cpu="2", node="n0", labels={"app": "web"}) for i in range(2)]
    pods.append(pod("db-0", cpu="20", node="n1"))
    limits = [budget("web", {"app": "web"}, allowed=1, current_healthy=2)]
    chosen = [ChosenStrategy(SlotDefragmentation(), args())]
    plan = planned(cluster(nodes, pods, budgets=limits), chosen=chosen, settings=DIRECTED)
    assert [(action.wave, action.stage, len(action.pods)) for action in plan.actions] == [(0, 1, 1), (1, 2, 1)]
    assert plan.findings[0].after == 1.0


def drawn(seed: int, granular: bool) -> ClusterSnapshot:
    """A dozen nodes, half full of pods of a few sizes; `granular`: of any number of millicores."""
    rng = Random(seed)
    sizes = [f"{rng.randint(700, 5900)}m" for _ in range(5)] if granular else ["1", "2", "4", "6", "8"]
    nodes = [node(f"n{i}", cpu=rng.choice(("24", "32", "64"))) for i in range(12)]
    pods = []
    for one in nodes:
        left = dict(one.allocatable)["cpu"] * rng.uniform(0.3, 0.8)
        while True:
            size = rng.choice(sizes)
            left -= dict(amounts(cpu=size))["cpu"]
            if left < 0:
                break
            pods.append(pod(f"p{len(pods)}-0", cpu=size, node=one.name))
    return cluster(nodes, pods)


@pytest.mark.parametrize("granular", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_promised_comes_free_and_no_more_pods_move_than_allowed(seed: int, granular: bool) -> None:
    snapshot = drawn(seed, granular)
    found = answers(snapshot, args(wanted=100, maxMoves=12))
    moves = done(snapshot, found)
    assert len(moves) <= 12
    before, after = slots(snapshot, []), slots(snapshot, moves)
    assert after - before == sum(one.benefit for one in found if isinstance(one, Proposal))
    bound = found[0].finding.bound
    assert bound is None or after <= bound + 1e-6


def test_most_drawn_clusters_gain_slots_and_reach_the_proven_bound() -> None:
    gained = reached = 0
    for seed in range(12):
        snapshot = drawn(seed, granular=False)
        found = answers(snapshot, args(wanted=100, maxMoves=12))
        after = slots(snapshot, done(snapshot, found))
        gained += after > slots(snapshot, [])
        bound = found[0].finding.bound
        reached += bound is not None and after == int(bound + 1e-6)
    assert gained >= 10
    assert reached >= 10


def test_a_slot_without_cores_is_no_slot() -> None:
    with pytest.raises(ValueError, match="needs CPU"):
        args(slot={"cpu": "0"})
