"""What one pod asks for, or one node does, never costs the plan of the others: it is left alone, and named."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from builders import cluster, key, node, pod, spec
from controlplane.cluster import ControlPlane
from descheduler.contract import each, unanswered
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.kube.convert.selectors import affinities
from descheduler.model.moves import Observation
from descheduler.model.plan import PlanDocument
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning.prover import Prover
from descheduler.scheduler import prepare
from descheduler.scheduler.pod_rules import Compiler
from descheduler_profiling.series import History
from histories import history, peaking
from planning.cases import hot, planned

LONG = "9" * 5000
PREFERRED = {
    "a number of 5,000 digits": {"key": "num", "operator": "Gt", "values": [LONG]},
    "a number beyond 64 bits": {"key": "num", "operator": "Lt", "values": ["9223372036854775808"]},
    "a number with a sign": {"key": "num", "operator": "Gt", "values": ["-4"]},
    "no number": {"key": "num", "operator": "Gt", "values": ["0x10"]},
    "a value that is none of a label": {"key": "zone", "operator": "NotIn", "values": ["not/a value"]},
}


def preferring(expression: dict[str, Any]) -> dict[str, Any]:
    term = {"weight": 1, "preference": {"matchExpressions": [expression]}}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}


def mallory(affinity: dict[str, Any], on: str = "n1") -> Pod:
    """A large pod on the hot node, as attractive to move as the others."""
    node_affinity, _, _ = affinities(json.dumps(affinity).encode())
    return pod("big-0", namespace="mallory", node=on, of=spec("2", node_affinity=node_affinity))


def moved(plan: PlanDocument) -> set[str]:
    return {f"{p.namespace}/{p.pod}" for a in plan.actions for p in a.pods}


def hot_with(*more: Pod) -> tuple[ClusterSnapshot, list[History]]:
    """Node n1 with four pods of `web` and these, all of which rise alike; n2 and n3 are idle."""
    pods = [*(pod(f"web-{i}", cpu="2", node="n1") for i in range(4)), *more]
    snapshot = cluster([node(f"n{i}", cpu="12", labels={"num": "5", "zone": "z"}) for i in (1, 2, 3)], pods)
    rising = dict.fromkeys((snapshot.root(one) for one in pods), peaking(0.5, 2.9, minutes_ahead=20))
    return snapshot, [history("cpu", rising), history("memory", dict.fromkeys(rising, 64.0 * 2**20))]


@pytest.mark.parametrize("attack", PREFERRED)
def test_one_workloads_preferred_affinity_stops_no_strategy(attack: str) -> None:
    plan = planned(*hot_with(mallory(preferring(PREFERRED[attack]))), [hot()])
    assert moved(plan)
    assert "mallory/big-0" not in moved(plan)
    assert not any("HotNodes" in line for line in plan.problems)


@pytest.mark.parametrize("attack", PREFERRED)
def test_the_pod_itself_goes_nowhere_and_is_named(attack: str) -> None:
    labelled = [node(f"n{i}", labels={"num": "5", "zone": "z"}) for i in (1, 2)]
    state = prepare(cluster(labelled, [mallory(preferring(PREFERRED[attack]))])).what_if()
    state.remove(0)
    assert not state.fits(0).any()
    assert "what the pod asks for makes no sense" in state.explain_text(0)
    (line,) = state.problems
    assert line.startswith("Pod mallory/big-0: spec.affinity.nodeAffinity.preferred")
    assert len(line) < 500


@pytest.mark.parametrize(
    "odd",
    [
        {"key": "num", "operator": "Gt", "values": ["4"]},
        {"key": "num", "operator": "Lt", "values": ["9223372036854775807"]},
        {"key": "example.com/a", "operator": "NotIn", "values": ["", "A_b.c-9"]},
        {"key": "absent", "operator": "DoesNotExist"},
    ],
)
def test_odd_preferences_that_the_scheduler_can_read_are_preferences(odd: dict[str, Any]) -> None:
    state = prepare(cluster([node(f"n{i}", labels={"num": "5"}) for i in (1, 2)], [mallory(preferring(odd))])).what_if()
    state.remove(0)
    assert state.fits(0).all()
    assert state.problems == ()


def test_the_real_scheduler_places_no_pod_whose_preferences_it_cannot_read(control_plane: ControlPlane) -> None:
    client = control_plane.client
    for name in ("n1", "n2"):
        client.create_node(name)
    client.wait_for_nodes("n1", "n2")
    attacks = {f"p{i}": preferring(one) for i, one in enumerate(PREFERRED.values())}
    attacks["well"] = preferring({"key": "num", "operator": "Gt", "values": ["3"]})
    for name, affinity in attacks.items():
        made = {"containers": [{"name": "main", "image": "none"}], "affinity": affinity}
        client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": made})

    def words(name: str) -> str:
        conditions = client.get("Pod", name)["status"].get("conditions") or ()
        return next((c.get("message", "") for c in conditions if c["type"] == "PodScheduled"), "")

    client.wait_for(lambda: client.get("Pod", "well")["spec"].get("nodeName"), what="a place for who asks for sense")
    client.wait_for(lambda: all(words(name) for name in attacks if name != "well"), what="the scheduler's errors")
    placed = {name for name in attacks if client.get("Pod", name)["spec"].get("nodeName")}
    assert placed == {"well"}
    reader = connect(control_plane.kubeconfig())
    snapshot = read_cluster(reader, clock=time.time)
    reader.close()
    state = prepare(snapshot).what_if()
    ours = {name for name in attacks if state.fits(snapshot.pod_index["default", name]).any()}
    assert ours == placed


def test_a_pod_for_which_our_own_rules_fail_is_set_aside_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, histories = hot_with(pod("odd-0", cpu="2", node="n1", labels={"own": "1"}))
    compiled, odd = Compiler.anti, snapshot.pod_index["default", "odd-0"]

    def fails(self: Compiler, cls: int) -> Any:
        if self._classes.first[cls] == odd:
            raise ZeroDivisionError("oops")
        return compiled(self, cls)

    monkeypatch.setattr(Compiler, "anti", fails)
    plan = planned(snapshot, histories, [hot(max_moves_per_node=50)])
    assert moved(plan)
    assert "default/odd-0" not in moved(plan)
    assert any(line.startswith("Pod default/odd-0: ZeroDivisionError: oops") for line in plan.problems)


def test_a_proposal_that_cannot_be_proved_is_refused_and_the_others_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Prover.judge
    seen: list[str] = []

    def fails(self: Prover, proposal: Any) -> Any:
        seen.append(str(proposal.finding.subject))
        if len(seen) == 1:
            raise OverflowError("too large")
        return judge(self, proposal)

    monkeypatch.setattr(Prover, "judge", fails)
    plan = planned(*hot_with(), [hot()])
    assert moved(plan)
    assert any("node/n1: no proof: OverflowError: too large" in line for line in plan.problems)
    assert Reason.STRATEGY_FAILED in {row.reason for row in plan.refusals}


def test_a_node_for_which_a_strategy_fails_is_left_alone_and_the_others_are_cooled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pods = [pod(f"{name}-{i}", cpu="2", node=on) for name, on in (("web", "n1"), ("api", "n2")) for i in range(4)]
    snapshot = cluster([node(f"n{i}", cpu="12") for i in range(1, 7)], pods)
    rising = {key("ReplicaSet", name): peaking(0.5, 2.9, minutes_ahead=20) for name in ("web", "api")}
    histories = [history("cpu", rising), history("memory", dict.fromkeys(rising, 64.0 * 2**20))]
    monkeypatch.setattr("descheduler_strategies.hot_nodes.heat.Thermometer.left_alone", _only_n2)
    plan = planned(snapshot, histories, [hot()])
    assert {p.source for a in plan.actions for p in a.pods} == {"n2"}
    assert any(line.startswith("HotNodes: node/n1: IndexError: oops") for line in plan.problems)
    assert {f.subject for f in plan.findings} >= {"node/n1", "node/n2"}


def _only_n2(_: object, heat: Any) -> None:
    if heat.finding.subject.name == "n1":
        raise IndexError("oops")


def test_what_was_answered_about_a_focus_before_it_failed_stands() -> None:
    def finding(focus: int) -> Any:
        return unanswered("S", Subject(SubjectKind.NODE, f"n{focus}"))

    def answers(focus: int) -> Any:
        yield Observation(finding(focus), Blocked(Reason.NO_CURE))
        if focus == 1:
            raise RecursionError

    out = [a for a in each((0, 1, 2), finding, answers) if isinstance(a, Observation)]
    assert [a.blocked.reason for a in out].count(Reason.STRATEGY_FAILED) == 1
    assert [a.finding.subject.name for a in out] == ["n0", "n1", "n1", "n2"]
