"""What a plan still does for a strategy whose moves missed: the surest of them, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from builders import cluster, node, ordinal, pod, spec
from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.labels import Labels
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Finding, Move, Proposal
from descheduler.model.plan import PlanDocument
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.context import PoolRule
from descheduler.planning.trials import Trial
from planning.cases import hot, hot_node, planned

WHY = "0 of its last 5 actions reached their goal"
ZONE = "topology.kubernetes.io/zone"
FREE = PlanningSettings(limits=DisruptionLimits(), landing=LandingMode.RESERVED)


@dataclass(frozen=True)
class Emptying:
    """Proposes each (pod, finding, whether it follows), the first worth most."""

    wishes: tuple[tuple[str, str, bool], ...]
    name: ClassVar[str] = "Emptying"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def propose(self, view: RebalanceView, _: StrategyArgs) -> Iterable[Proposal]:
        for i, (name, about, follows) in enumerate(self.wishes):
            at = view.snapshot.pod_index["default", name]
            if view.movable[at] and view.start.node_of(at) == view.snapshot.columns.pod_node[at]:
                finding = Finding(self.name, Subject(SubjectKind.NODE, about), "", 0.0, 1.0, about)
                yield Proposal(finding, (Move(at, view.start.node_of(at)),), 1.0, 1e9 / (i + 1), follows=follows)


def emptying(*wishes: str | tuple[str, str, bool], trials: tuple[Trial, ...] = ()) -> ChosenStrategy:
    every = tuple((one, f"of-{one}", False) if isinstance(one, str) else one for one in wishes)
    return ChosenStrategy(Emptying(every), StrategyArgs(), trials)


def world() -> ClusterSnapshot:
    """Pods on n0, of which each can go to n1."""
    pods = [pod(f"{name}-0", cpu="2", node="n0") for name in ("a", "b", "c")]
    return cluster([node("n0", cpu="16"), node("n1", cpu="16")], pods)


def moved(plan: PlanDocument) -> list[str]:
    return [one.pod for action in plan.actions for one in action.pods]


def refused(plan: PlanDocument) -> dict[str, int]:
    rows = [row for row in plan.refusals if row.reason == "StrategyPaused"]
    return {row.subject: row.count for row in rows}


def trial(actions: int = 1, pool: str = "") -> tuple[Trial, ...]:
    return (Trial(WHY, actions, pool),)


def test_it_does_no_more_than_its_trial_and_says_why() -> None:
    every = planned(world(), chosen=[emptying("a-0", "b-0", "c-0")], settings=FREE)
    assert moved(every) == ["a-0", "b-0", "c-0"]
    some = planned(world(), chosen=[emptying("a-0", "b-0", "c-0", trials=trial(2))], settings=FREE)
    assert moved(some) == ["a-0", "b-0"]
    assert refused(some) == {"pod/default/c-0": 1}
    assert {row.detail for row in some.refusals if row.reason == "StrategyPaused"} == {WHY}
    none = planned(world(), chosen=[emptying("a-0", "b-0", "c-0", trials=trial(0))], settings=FREE)
    assert moved(none) == []
    assert sorted(f.outcome for f in none.findings) == ["unanswered"] * 3  # it looked, and said what it found


def test_what_lands_most_surely_goes_first() -> None:
    """`a-0` may come back as well as go to n1, `sure-0` can go to n3 alone."""
    pods = [pod(f"other-{i}", cpu="2", node=f"n{i}") for i in range(2)]
    pods.append(pod("a-0", cpu="2", node="n0", owners=ordinal("a-0")))
    pods.append(pod("sure-0", node="n2", of=spec(cpu="1", node_selector=Labels({ZONE: "z"}))))
    sizes = {"n0": "16", "n1": "16", "n2": "4"}
    snapshot = cluster([*(node(n, cpu=c) for n, c in sizes.items()), node("n3", cpu="4", zone="z")], pods)
    scheduled = replace(FREE, landing=LandingMode.PREDICTED, proof=replace(FREE.proof, max_risk=0.9))
    free = planned(snapshot, chosen=[emptying("a-0", "sure-0")], settings=scheduled)
    share = {m.pod: m.proof.expected_share for a in free.actions for m in a.pods}
    assert share["a-0"] < share["sure-0"]
    one = planned(snapshot, chosen=[emptying("a-0", "sure-0", trials=trial())], settings=scheduled)
    assert moved(one) == ["sure-0"]


def test_what_can_be_done_to_its_end_goes_before_what_cannot() -> None:
    two = (("a-0", "n0", False), ("b-0", "n0", True))
    one = planned(world(), chosen=[emptying(*two, "c-0", trials=trial(1))], settings=FREE)
    assert moved(one) == ["c-0"]
    whole = planned(world(), chosen=[emptying(*two, "c-0", trials=trial(2))], settings=FREE)
    assert moved(whole) == ["a-0", "b-0"]
    more = planned(world(), chosen=[emptying(*two, trials=trial(1))], settings=FREE)
    assert moved(more) == ["a-0", "b-0"]  # nothing is done by half
    assert moved(planned(world(), chosen=[emptying(*two, trials=trial(0))], settings=FREE)) == []


def test_a_pool_on_trial_leaves_the_others_alone() -> None:
    pods = [pod(f"{name}-0", cpu="1", node=f"n{i}") for i, name in enumerate(("a", "b"))]
    pods += [pod(f"{name}-1", cpu="1", node=f"n{i}") for i, name in enumerate(("c", "d"))]
    snapshot = cluster([node("n0", cpu="16", labels={"kind": "gpu"}), node("n1", cpu="16"), node("n2", cpu="16")], pods)
    settings = replace(FREE, pools=(PoolRule("gpu", {"kind": "gpu"}),))
    wishes = ("a-0", "c-1", "b-0", "d-1")
    plan = planned(snapshot, chosen=[emptying(*wishes, trials=trial(1, "gpu"))], settings=settings)
    assert sorted(moved(plan)) == ["a-0", "b-0", "d-1"]
    assert refused(plan) == {"pod/default/c-1": 1}
    assert {row.by for row in plan.refusals if row.reason == "StrategyPaused"} == {"Emptying, pool gpu"}


def test_a_strategy_beside_it_goes_on() -> None:
    snapshot, histories = hot_node()
    both = planned(snapshot, histories, [hot(), emptying("idle-0", trials=trial(0))], FREE)
    assert [action.strategy for action in both.actions] == ["HotNodes"] * len(both.actions)
    assert [f.outcome for f in both.findings if f.strategy == "HotNodes"] == ["cured"]


def test_a_paused_strategy_still_cools_what_its_trial_reaches() -> None:
    snapshot, histories = hot_node()
    free = planned(snapshot, histories, [hot()], FREE)
    paused = planned(snapshot, histories, [replace(hot(), trials=trial(2))], FREE)
    assert 0 < len(moved(paused)) <= 2
    assert set(moved(paused)) <= set(moved(free))
