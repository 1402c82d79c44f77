"""Whom late replacements hold: their workload, their namespace, or everybody, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, key
from descheduler.learning.circuit import Circuit, told
from descheduler.learning.ledger import Ledger, LedgerEntry, LedgerRules
from descheduler.learning.store import pack, unpack
from descheduler.model.reasons import Reason
from descheduler.policy import Policy

RULES = LedgerRules.of(Policy())
LIMIT = RULES.circuit.limit
LATE = NOW + RULES.circuit.after + 60
HOUR = 3600.0


def moved(workload: str, count: int = 1, *, ready: bool = False, at: float = NOW) -> list[LedgerEntry]:
    """`count` pods of a workload ("namespace/name"), evicted a second after one another."""
    namespace, name = workload.split("/")
    return [
        LedgerEntry(
            at=at + i,
            plan=f"p{at}",
            action=f"a-{workload}-{i}",
            strategy="HotNodes",
            unit=f"{workload}-{i}",
            workload=f"{namespace}/Deployment/{name}",
            pod=f"{workload}-{i}",
            uid=f"uid-{workload}-{at}-{i}",
            source="n1",
            predicted="n2",
            ready_seconds=5.0 if ready else None,
        )
        for i in range(count)
    ]


def ledger(*moves: Iterable[LedgerEntry]) -> Ledger:
    return Ledger(tuple(sorted((e for each in moves for e in each), key=lambda e: e.at)))


def holds(found: Circuit) -> list[str]:
    return [f"{one.scope}/{one.name}".rstrip("/") for one in found.openings()]


WELL = [moved(f"team-{i}/web", ready=True) for i in range(3)]


def test_one_tenant_whose_pods_never_become_ready_pauses_only_itself() -> None:
    mine = ledger(moved("mallory/web", 20), *WELL)
    assert holds(mine.circuit(LATE)) == ["workload/mallory/Deployment/web"]
    blocked = mine.blocked(key("Deployment", "web", "mallory"), "another", NOW + HOUR)
    assert blocked
    assert (blocked.reason, blocked.by) == (Reason.CIRCUIT_OPEN, "workload/mallory/Deployment/web")
    assert "5 of the last 5 evicted pods have no ready replacement: mallory/web-15" in blocked.detail
    assert mine.blocked(key("Deployment", "other", "mallory"), "another", NOW + HOUR) is None
    assert mine.blocked(key("Deployment", "web", "team-1"), "another", NOW + HOUR) is None


def test_several_workloads_of_a_namespace_pause_the_namespace_and_no_other() -> None:
    mine = ledger(*(moved(f"mallory/w{i}") for i in range(LIMIT)), *WELL)
    assert holds(mine.circuit(LATE))[0] == "namespace/mallory"
    assert mine.circuit(LATE).everyone is None
    blocked = mine.blocked(key("Deployment", "untouched", "mallory"), "another", NOW + HOUR)
    assert blocked
    assert blocked.by == "namespace/mallory"
    assert mine.blocked(key("Deployment", "web", "team-1"), "another", NOW + HOUR) is None


def test_with_many_workloads_a_tenant_cannot_outvote_the_others() -> None:
    crowd = [moved(f"mallory/w{i}", at=NOW + 60) for i in range(200)]
    assert ledger(*crowd, *WELL).circuit(LATE + 60).everyone is None


OUTCOMES = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0, 5 * HOUR), st.booleans(), st.integers(1, 8)), max_size=12
)


@given(OUTCOMES, st.floats(0, 6 * HOUR))
def test_whatever_comes_of_one_tenants_moves_the_others_go_on(
    moves: list[tuple[str, float, bool, int]], at: float
) -> None:
    mine = [moved(f"mallory/{name}", n, ready=ready, at=NOW + t) for name, t, ready, n in moves]
    found = ledger(*mine, *(moved(f"team-{i}/web", ready=True, at=NOW + HOUR) for i in range(2))).circuit(NOW + at)
    assert found.everyone is None or at < HOUR  # before that nobody else was moved
    assert all("mallory" in one.name for one in found.openings() if one.name)


@given(OUTCOMES)
def test_no_tenants_good_moves_hide_that_the_others_fail(moves: list[tuple[str, float, bool, int]]) -> None:
    mine = [moved(f"mallory/{name}", n, ready=True, at=NOW + t) for name, t, _, n in moves]
    fallen = [moved(f"team-{i}/web", 2, at=NOW + 5 * HOUR) for i in range(4)]
    assert ledger(*mine, *fallen).circuit(NOW + 5.5 * HOUR).everyone


def test_two_tenants_together_do_not_speak_for_all() -> None:
    two = ledger(moved("mallory/web", 9, at=NOW + 60), moved("trudy/web", 9, at=NOW + 60), *WELL)
    assert two.circuit(LATE + 60).everyone is None


@pytest.mark.parametrize("before", [[], WELL, [moved(f"team-{i}/web", 9, ready=True) for i in range(6)]])
def test_a_failure_of_the_whole_cluster_pauses_everybody(before: list[list[LedgerEntry]]) -> None:
    """Replacements late in many namespaces, whatever went well earlier."""
    fallen = ledger(*before, *(moved(f"team-{i}/api", 2, at=NOW + HOUR) for i in range(4)))
    opening = fallen.circuit(LATE + HOUR).everyone
    assert opening
    assert opening.until == NOW + HOUR + 1 + RULES.circuit.window
    assert fallen.circuit(opening.until).everyone is None


def test_where_only_one_namespace_was_moved_everybody_waits_for_an_hour_and_then_is_tried() -> None:
    alone = ledger(moved("shop/web", LIMIT))
    opening = alone.circuit(LATE).everyone
    assert opening
    assert opening.until == NOW + LIMIT - 1 + RULES.circuit.after + HOUR
    later = alone.circuit(opening.until + 1)
    assert holds(later) == ["workload/shop/Deployment/web"]
    # The next that is moved comes up: what is late is the tenant's own.
    tried = ledger(alone.entries, moved("other/web", ready=True, at=opening.until))
    assert tried.circuit(opening.until + 60).everyone is None
    # Or it does not, in one namespace after the other.
    failed = ledger(alone.entries, *(moved(f"other-{i}/web", at=opening.until) for i in range(LIMIT)))
    assert failed.circuit(opening.until + RULES.circuit.after + 60).everyone


def test_a_few_late_ones_of_a_large_workload_pause_nobody() -> None:
    slow = ledger(moved("shop/web", 3, ready=True), moved("shop/web", 2, at=NOW + 60), *WELL)
    assert holds(slow.circuit(LATE + 60)) == []


def test_what_comes_up_late_closes_the_circuit() -> None:
    mine = ledger(moved("mallory/web", 9), *WELL)
    assert holds(mine.circuit(LATE))
    up = replace(mine, entries=tuple(replace(e, ready_seconds=900.0) for e in mine.entries))
    assert holds(up.circuit(LATE)) == []


def test_replacements_that_nobody_expects_say_nothing() -> None:
    gone = [replace(e, closed=True) for e in moved("shop/web", 9)]
    assert holds(ledger(gone).circuit(LATE)) == []


def test_pauses_outlive_a_restart() -> None:
    mine = ledger(*(moved(f"mallory/w{i}") for i in range(LIMIT)), *WELL)
    assert holds(unpack(pack(mine), RULES).circuit(LATE)) == holds(mine.circuit(LATE)) != []


def test_the_policy_says_how_many_and_what_share() -> None:
    rules = replace(RULES, circuit=replace(RULES.circuit, namespaces=1, share=0.2))
    mine = replace(ledger(moved("mallory/web", 9), *WELL), rules=rules)
    assert mine.circuit(LATE).everyone


def test_people_are_told_no_more_than_they_read() -> None:
    lines = told(ledger(*(moved(f"team-{i}/web", 2) for i in range(30))).circuit(LATE))
    assert len(lines) == 6
    assert lines[0].startswith("acting is paused")
    assert lines[-1] == "and 26 more"


def test_the_own_moves_of_a_plan_bring_no_cooldown_but_speak_for_the_circuit() -> None:
    mine = replace(ledger(moved("mallory/web", 9), *WELL), aside=f"p{NOW}")
    assert mine.blocked(key("Deployment", "web", "team-1"), "another", NOW + 60) is None
    blocked = mine.blocked(key("Deployment", "web", "mallory"), "another", LATE)
    assert blocked
    assert blocked.reason is Reason.CIRCUIT_OPEN
