"""What opt-in steering changes in a plan: moves that would come back without it, taints that the document announces."""

from __future__ import annotations

from builders import NOW, cluster, key, node, pod
from descheduler.contract import StrategyArgs
from descheduler.learning.ledger import Ledger
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Finding, Move, Proposal, Seat
from descheduler.model.nodes import Node
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import Subject
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.settings import settings_of
from descheduler.policy import default_policy, load_policy
from descheduler.second_validation import second_validation
from descheduler_profiling.series import History
from histories import history, peaking
from planning.cases import hot, planned
from planning.proposing import Proposing

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
STEERING = PlanningSettings(landing=LandingMode.STEERED)


def come_back() -> tuple[ClusterSnapshot, list[History]]:
    """Node n1 will be hot, yet the scheduler likes it best: its pods ask for little, those of n2 and n3 for much."""
    pods = [pod(f"web-{i}", cpu="500m", node="n1") for i in range(4)]
    pods += [pod(f"idle-{i}", cpu="6", node=f"n{2 + i}") for i in range(2)]
    snapshot = cluster([node(f"n{i}", cpu="12") for i in (1, 2, 3)], pods)
    series = {key("ReplicaSet", "web"): peaking(0.5, 2.9, minutes_ahead=20), key("ReplicaSet", "idle"): 0.1}
    return snapshot, [history("cpu", series), history("memory", dict.fromkeys(series, 64.0 * 2**20))]


def test_steering_makes_moves_possible_that_would_come_back() -> None:
    snapshot, histories = come_back()
    without = planned(snapshot, histories, [hot()])
    assert without.actions == ()
    document = planned(snapshot, histories, [hot()], STEERING)
    assert document.actions
    assert {a.steer for a in document.actions} == {("n1",)}
    assert {m.destination for a in document.actions for m in a.pods} <= {"n2", "n3"}
    assert [f.outcome for f in document.findings] == ["cured"]


def test_the_second_validation_agrees() -> None:
    snapshot, histories = come_back()
    document = planned(snapshot, histories, [hot()], STEERING)
    policy = load_policy(HEAD + "acting: {landing: steered}\n")
    verdicts = second_validation(policy, Ledger)(snapshot, document.actions)
    assert set(verdicts.values()) == {None}


def test_it_is_off_unless_the_policy_says_so() -> None:
    snapshot, _ = come_back()
    assert settings_of(default_policy(), snapshot).landing is LandingMode.PREDICTED
    steering = load_policy(HEAD + "acting: {landing: steered}\n")
    assert settings_of(steering, snapshot).landing is LandingMode.STEERED


def proposed(
    snapshot: ClusterSnapshot, *bundles: tuple[str, tuple[int, ...]], steering: bool = True, waves: int | None = None
) -> PlanDocument:
    mode = LandingMode.STEERED if steering else LandingMode.PREDICTED
    settings = PlanningSettings(landing=mode, limits=DisruptionLimits(per_workload=None, waves=waves))
    return planned(snapshot, [], [ChosenStrategy(Proposing(bundles), StrategyArgs())], settings, NOW)


def chain(*more: Node) -> ClusterSnapshot:
    """Each node emptier than the one before: what leaves n0 goes to n2, what leaves n2 to n1."""
    pods = [pod(f"{name}-0", cpu="2", node=f"n{i}") for i, name in enumerate(("a", "b", "c"))]
    pods += [pod("big-0", cpu="4", node="n0"), pod("mid-0", cpu="1", node="n1")]
    return cluster([*(node(f"n{i}", cpu="12") for i in range(3)), *more], pods)


def test_actions_that_steer_away_from_each_others_destinations_share_no_wave() -> None:
    apart = proposed(chain(), ("a-0", ()), ("c-0", ()))
    first, second = apart.actions
    assert [m.destination for m in first.pods] == ["n2"]
    assert second.steer == ("n2",)
    assert first.wave < second.wave
    together = proposed(chain(), ("a-0", ()), ("c-0", ()), steering=False)
    assert {a.wave for a in together.actions} == {0}
    strangers = proposed(chain(node("n3", cpu="12")), ("a-0", ()), ("b-0", ()))
    assert [a.steer for a in strangers.actions] == [("n0",), ("n1",)]
    assert {a.wave for a in strangers.actions} == {0}


def test_an_action_that_would_need_a_wave_too_many_is_refused() -> None:
    document = proposed(chain(), ("a-0", ()), ("c-0", ()), waves=1)
    assert [a.pods[0].pod for a in document.actions] == ["a-0"]
    assert [(r.reason, r.by) for r in document.refusals if r.subject == "pod/default/c-0"] == [
        (Reason.WOULD_STAY.value, "steering")
    ]
    assert len(proposed(chain(), ("a-0", ()), ("c-0", ()), waves=2).actions) == 2


def test_sources_seats_and_what_is_avoided_are_kept_free() -> None:
    finding = Finding("Proposing", Subject.read("pod/x"), "", 0.0, 1.0, "")
    proposal = Proposal(finding, (Move(0, 3), Move(1, 2)), 1.0, 1.0, seats=(Seat(9, 5), Seat(8, 2)), avoid=(0,))
    assert proposal.vacating == (0, 2, 3, 5)


def test_what_a_proposal_avoids_is_foreseen_and_announced() -> None:
    (action,) = proposed(chain(), ("a-0", (2,))).actions
    assert action.steer == ("n0", "n2")
    assert [m.destination for m in action.pods] == ["n1"]
    (plain,) = proposed(chain(), ("a-0", (2,)), steering=False).actions
    assert plain.steer == ()
    assert [m.destination for m in plain.pods] == ["n2"]


def test_a_strategy_that_avoids_a_node_that_there_is_not_is_refused() -> None:
    document = proposed(chain(), ("a-0", (7,)))
    assert document.actions == ()
    assert document.problems == ("strategy Proposing: avoids a node that there is not",)
