"""What is remembered of past moves, and what follows from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import NOW, cluster, key, node, pod, workload
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.outcomes import ActionOutcome, PodOutcome, Result
from descheduler.learning.ledger import Ledger, LedgerEntry, LedgerRules
from descheduler.learning.reconciliation import reconcile
from descheduler.learning.store import MAX_BYTES, LedgerStore, pack, unpack
from descheduler.learning.verification import Goal, goals_of
from descheduler.model.errors import BadAnswer
from descheduler.model.reasons import Reason
from descheduler.policy import Policy
from execution.live import client_of
from execution.plans import action, finding, move, plan

HOUR = 3600.0
WEB = key("ReplicaSet", "web")
RULES = LedgerRules.of(Policy())


def moved(
    ledger: Ledger,
    name: str,
    successor: str,
    at: float = NOW,
    plan_name: str = "p",
    ready: float | None = 5.0,
    landed: str = "n2",
    uid: str = "",
) -> Ledger:
    """The ledger after pod `name` was evicted from n1 and replaced by the pod with uid `successor`."""
    one = move(name, uid)
    outcome = PodOutcome(one, True, at=at, landed=landed, successor=successor, ready_seconds=ready)
    return ledger.record([ActionOutcome(action(one), Result.DONE, (outcome,))], plan_name, goals_of(plan(action(one))))


def reason(ledger: Ledger, uid: str, now: float, of: str = "other") -> Reason | None:
    blocked = ledger.blocked(key("ReplicaSet", of), uid, now)
    return blocked.reason if blocked else None


def test_a_moved_pod_rests_longer_than_its_siblings() -> None:
    ledger = moved(Ledger(), "web-1", "s1")
    at = NOW + RULES.workload + 1
    assert reason(ledger, "sibling", NOW + 60, of="web") is Reason.COOLDOWN
    assert reason(ledger, "sibling", at, of="web") is None
    assert reason(ledger, "s1", at, of="web") is Reason.COOLDOWN
    assert reason(ledger, "s1", NOW + RULES.unit + 1, of="web") is None
    assert reason(ledger, "stranger", NOW + 1) is None


def test_cooldown_doubles_with_each_move_of_the_same_unit_and_ends_in_quarantine() -> None:
    ledger = moved(Ledger(), "web-1", "s1", NOW, "p1")
    again = moved(ledger, "web-2", "s2", NOW + 2 * HOUR, "p2", uid="s1")
    assert again.entries[-1].turn == 2
    assert reason(again, "s2", NOW + 3.9 * HOUR) is Reason.COOLDOWN
    assert reason(again, "s2", NOW + 4.1 * HOUR) is None
    third = moved(again, "web-3", "s3", NOW + 5 * HOUR, "p3", uid="s2")
    assert reason(third, "s3", NOW + 40 * HOUR) is Reason.QUARANTINED
    assert [e.uid for e in third.quarantined(NOW + 6 * HOUR)] == ["s2"]
    assert reason(third, "s3", NOW + 5 * HOUR + RULES.quarantine) is None


def test_members_of_a_gang_moved_together_are_one_move() -> None:
    gang = action(move("g-1"), move("g-2"), gang=True)
    pods = tuple(PodOutcome(m, True, at=NOW, successor=f"s-{m.pod}") for m in gang.pods)
    ledger = Ledger().record([ActionOutcome(gang, Result.DONE, pods)], "p1", {})
    assert [e.turn for e in ledger.entries] == [1, 1]
    later = tuple(replace(p, at=NOW + HOUR) for p in pods)
    renamed = tuple(replace(p, move=replace(p.move, uid=f"{p.move.uid}-2")) for p in later)
    twice = ledger.record([ActionOutcome(gang, Result.DONE, renamed)], "p2", {})
    assert [e.turn for e in twice.entries] == [1, 1, 2, 2]


def test_a_resumed_unit_is_not_counted_twice() -> None:
    ledger = moved(Ledger(), "web-1", "", NOW, ready=None)
    resumed = ledger.record(
        [ActionOutcome(action(move("web-1")), Result.DONE, (PodOutcome(move("web-1"), True, at=NOW + 60),))], "p", {}
    )
    assert len(resumed.entries) == 1
    assert resumed.entries[0].at == NOW
    assert resumed.entries[0].goal is not None


def test_the_circuit_opens_when_evicted_pods_stay_pending_and_closes_when_they_run() -> None:
    ledger = Ledger()
    for i in range(RULES.circuit.limit):
        ledger = moved(ledger, f"web-{i}", "", NOW, ready=None, landed="")
    late = NOW + RULES.circuit.after + 1
    assert ledger.circuit(NOW + 1).everyone is None
    opening = ledger.circuit(late).everyone
    assert opening
    assert opening.blocked.reason is Reason.CIRCUIT_OPEN
    assert ledger.in_flight(late) >= {"uid-default-web-0"}

    there = [pod(f"web-new{i}", node="n2", created=NOW + 3) for i in range(RULES.circuit.limit)]
    running = reconcile(ledger, cluster([node("n2")], there), late)
    assert not list(running.circuit(late).openings())
    assert {e.landed for e in running.entries} == {"n2"}
    assert running.entries[0].ready_seconds == pytest.approx(late - NOW)
    assert running.in_flight(late) == frozenset()


def test_pods_that_were_there_before_the_eviction_replace_nothing() -> None:
    ledger = moved(Ledger(), "web-1", "", NOW, ready=None, landed="")
    old = cluster([node("n2")], [pod("web-2", node="n2", created=NOW - 60)])
    assert reconcile(ledger, old, NOW + 60).entries[0].waiting


def test_no_replacement_is_awaited_once_the_workload_has_all_it_wants() -> None:
    ledger = moved(Ledger(), "web-1", "", NOW, ready=None, landed="")
    scaled_down = cluster([node("n2")], [], workloads=[workload("ReplicaSet", "web", 0)])
    assert reconcile(ledger, scaled_down, NOW + 60).entries[0].waiting
    assert not reconcile(ledger, scaled_down, NOW + RULES.settle + 1).entries[0].waiting


def judged(ledger: Ledger, hot: bool, now: float) -> Ledger:
    return ledger.judge(plan(findings=[finding()] if hot else []), now)


def test_a_move_is_judged_when_it_has_settled() -> None:
    ledger = moved(Ledger(), "web-1", "s1")
    assert judged(ledger, True, NOW + 60).entries[0].resolved is None  # too early to say
    assert judged(ledger, True, NOW + HOUR).entries[0].resolved is False
    assert judged(ledger, False, NOW + HOUR).entries[0].resolved is True


def misses(ledger: Ledger, namespace: str, count: int, at: float) -> Ledger:
    """Pods of as many workloads of the namespace come back to the node that they left."""
    for i in range(count):
        one = move(f"{namespace}-{at}-{i}-1", namespace=namespace)
        outcome = PodOutcome(one, True, at=at + i, landed="n1", successor=f"s-{one.uid}", ready_seconds=1.0)
        done = ActionOutcome(action(one), Result.DONE, (outcome,))
        ledger = ledger.record([done], f"p-{one.pod}", goals_of(plan(action(one))))
    return judged(ledger, False, at + HOUR)


def test_one_tenants_misses_pause_no_strategy_and_those_of_several_do() -> None:
    ledger = Ledger()
    for i in range(5):
        ledger = moved(ledger, f"web-{i}", f"s{i}", NOW + i, f"p{i}")
    ledger = misses(judged(ledger, False, NOW + HOUR), "mallory", 30, NOW + 2 * HOUR)
    assert ledger.hit_rates(NOW + 4 * HOUR) == {"HotNodes": 0.0}
    assert ledger.paused(NOW + 4 * HOUR) == ()
    several = misses(ledger, "another", 3, NOW + 5 * HOUR).paused(NOW + 7 * HOUR)
    assert [pause.strategy for pause in several] == ["HotNodes"]
    alone = misses(Ledger(), "mallory", 30, NOW).paused(NOW + 2 * HOUR)  # nobody else was moved
    assert [pause.strategy for pause in alone] == ["HotNodes"]


def test_a_pod_that_came_back_to_its_node_is_a_miss() -> None:
    ledger = moved(Ledger(), "web-1", "s1", landed="n1")
    assert judged(ledger, False, NOW + HOUR).hit_rates(NOW + HOUR) == {"HotNodes": 0.0}


def test_moves_of_the_last_hour_are_counted() -> None:
    ledger = moved(moved(Ledger(), "web-1", "s1"), "web-2", "s2", NOW + 1800)
    assert ledger.moved_within(HOUR, NOW + 3700) == 1


def many(count: int) -> Ledger:
    import random

    rng = random.Random(1)
    entries = [
        LedgerEntry(
            at=NOW + i,
            plan=f"{rng.getrandbits(64):016x}",
            action=f"a{i}",
            strategy="HotNodes",
            unit=f"namespace-{i}/pod-{rng.getrandbits(64):016x}",
            workload=f"namespace-{i}/Deployment/w{i}",
            pod=f"namespace-{i}/pod-{rng.getrandbits(64):016x}",
            uid=f"{rng.getrandbits(128):032x}",
            source=f"n{i}",
            predicted=f"n{i + 1}",
            successor=f"{rng.getrandbits(128):032x}",
            goal=Goal(f"HotNodes|node/n{i}|p95 cpu in the next 1 h, fraction of allocatable|cpu", 0.9 + i / 1e6, 0.7),
        )
        for i in range(count)
    ]
    return Ledger(tuple(entries))


def test_it_stays_bounded_however_much_is_moved() -> None:
    ledger = moved(many(RULES.size), "web-1", "s1", NOW + 1e6)
    assert len(ledger.entries) == RULES.size
    assert ledger.entries[-1].successor == "s1"
    assert len(pack(ledger)) < MAX_BYTES / 2
    assert len(pack(many(20_000))) <= MAX_BYTES


def test_what_shrinks_well_is_kept_no_larger_than_it_can_be_read() -> None:
    """Names that a tenant chose shrink to nothing, and the kept ledger would be refused when it is read."""
    long = "x" * 2500
    ledger = replace(many(20_000), entries=tuple(replace(e, unit=long, workload=long) for e in many(20_000).entries))
    kept = unpack(pack(ledger), RULES)
    assert 1000 < len(kept.entries) < 20_000
    assert kept.entries[-1] == ledger.entries[-1]  # the oldest go first


def test_what_is_kept_is_what_was_there() -> None:
    ledger = judged(moved(Ledger(), "web-1", "s1"), True, NOW + HOUR)
    assert unpack(pack(ledger), RULES) == ledger


@pytest.mark.parametrize("packed", [b"", b"nonsense", pack(Ledger())[:-3], pack(many(3))[: len(pack(many(3))) // 2]])
def test_a_ledger_that_cannot_be_read_is_an_error_not_an_empty_one(packed: bytes) -> None:
    with pytest.raises(BadAnswer, match="ledger"):
        unpack(packed, RULES)


def test_it_survives_in_a_real_config_map(control_plane: ControlPlane) -> None:
    store = LedgerStore(ClusterWriter(client_of(control_plane), Unelected()), "default")
    assert store.load(RULES) == Ledger()
    store.save(many(RULES.size))
    ledger = moved(many(RULES.size), "web-1", "s1", NOW + 1e6)
    store.save(ledger)
    assert store.load(RULES) == ledger
    store.save(many(20_000))  # far more than 1 MiB
    kept = store.load(RULES)
    assert len(pack(kept)) > MAX_BYTES / 2
    assert kept.entries == many(20_000).entries[-len(kept.entries) :]
