"""Which pods the executor `reserve` can move, where it can act at all, and what a plan for it promises."""

from __future__ import annotations

from dataclasses import replace

from builders import NOW, cluster, node, pod
from descheduler.contract import StrategyArgs
from descheduler.execution.executors.registry import choose
from descheduler.execution.outcomes import Result
from descheduler.model.landing_mode import LandingMode
from descheduler.model.plan import PlanDocument
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot, Freshness
from descheduler.pipeline import planning_settings
from descheduler.planning.planner import ChosenStrategy
from descheduler.policy import load_policy
from execution.plans import action, move, plan
from execution.test_runner import Server, acting, ids, world
from planning.cases import planned
from planning.proposing import Proposing

KIND = "scheduling.koordinator.sh/Reservation"
HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def served(snapshot: ClusterSnapshot, yes: bool = True) -> ClusterSnapshot:
    return replace(snapshot, freshness={**snapshot.freshness, KIND: Freshness(KIND, NOW, served=yes)})


def of_scheduler(name: str, pod_name: str = "web-1") -> Pod:
    one = pod(pod_name, node="n1")
    return replace(one, spec=replace(one.spec, scheduler_name=name))


def test_only_pods_of_a_scheduler_that_fills_reservations_and_of_a_controller_can_be_moved() -> None:
    refuses = choose("reserve").filter(served(cluster()))
    assert refuses
    assert refuses(of_scheduler("koord-scheduler")) is None
    other = refuses(of_scheduler("default-scheduler"))
    bare = refuses(replace(of_scheduler("koord-scheduler"), owners=()))
    assert other == Blocked(Reason.EXECUTOR, "executor/reserve", "default-scheduler does not fill Reservations")
    assert bare == Blocked(Reason.EXECUTOR, "executor/reserve", "no controller makes its replacement")


def test_the_policy_may_name_other_schedulers() -> None:
    text = HEAD + "acting:\n  executor: reserve\n  executors:\n    reserve: {schedulerNames: [theirs]}\n"
    filters = planning_settings(load_policy(text), served(cluster())).filters
    assert filters.executor
    assert filters.executor(of_scheduler("theirs")) is None
    assert filters.executor(of_scheduler("koord-scheduler"))


def test_it_directs_so_nothing_is_steered() -> None:
    for how, landing in (("reserve", LandingMode.RESERVED), ("evict", LandingMode.STEERED)):
        policy = load_policy(HEAD + f"acting: {{executor: {how}, landing: steered}}\n")
        settings = planning_settings(policy, served(cluster()))
        assert ([one.name for one in settings.executors], settings.landing) == ([how], landing)


def test_where_reservations_are_not_served_nothing_is_planned_with_them() -> None:
    policy = load_policy(HEAD + "acting: {executor: reserve}\n")
    for snapshot in (cluster(), served(cluster(), yes=False)):
        refuses = planning_settings(policy, snapshot).filters.executor
        assert refuses
        blocked = refuses(of_scheduler("koord-scheduler"))
        assert blocked
        assert blocked.detail == f"the cluster does not serve {KIND}"


def test_where_reservations_are_not_served_any_more_nothing_is_touched() -> None:
    server = Server(*ids("a-1"))
    unit = action(move("a-1"), executor="reserve")
    (refused,) = acting(server, world("a-1")).execute(plan(unit)).actions
    assert refused.result is Result.REFUSED
    assert refused.blocked
    assert refused.blocked.reason is Reason.EXECUTOR
    assert (server.evicted, server.maps) == ([], {})


def test_a_plan_names_the_nodes_and_promises_only_what_can_be_reserved() -> None:
    ours, theirs = of_scheduler("koord-scheduler"), of_scheduler("default-scheduler", "db-1")
    snapshot = served(cluster([node("n1"), node("n2")], [ours, theirs, pod("filler", cpu="5", node="n2")]))
    proposing = [ChosenStrategy(Proposing((("web-1", ()), ("db-1", ()))), StrategyArgs())]

    def under(how: str) -> PlanDocument:
        settings = planning_settings(load_policy(HEAD + f"acting: {{executor: {how}}}\n"), snapshot)
        return planned(snapshot, [], proposing, settings, snapshot.taken_at)

    assert under("evict").actions == ()  # the scheduler would put both back on the emptier n1
    (decided,) = under("reserve").actions
    assert (decided.executor, decided.steer) == ("reserve", ())
    assert [(m.pod, m.destination) for m in decided.pods] == [("web-1", "n2")]
