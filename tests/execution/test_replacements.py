"""Which pod replaces which: as seen while a plan is carried out, and as found later by the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from builders import NOW, cluster, node, owner, pod
from descheduler.execution.outcomes import ActionOutcome, PodOutcome, Result
from descheduler.execution.replacements import ReplacementWatch
from descheduler.learning.ledger import Ledger, LedgerRules
from descheduler.learning.reconciliation import reconcile
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy import Policy
from execution.plans import action, move

Seen = Callable[..., dict[str, str]]
"""Evicted pods, then what is seen, look by look, and who else was there before; name of each to its replacement's."""


def member(name: str, uid: str = "", **rest: object) -> Pod:
    one = pod(name, node="n1", owners=[owner("StatefulSet", "db")], created=NOW - 60, **rest)  # type: ignore[arg-type]
    return replace(one, uid=uid or one.uid)


def later(one: Pod, seconds: float = 1.0) -> Pod:
    """The same pod made anew, after the eviction."""
    return replace(one, uid=f"{one.uid}-new", created=NOW + seconds)


def world(*pods: Pod) -> ClusterSnapshot:
    return cluster([node("n1")], pods)


def watched(lost: list[Pod], looks: list[ClusterSnapshot], others: tuple[Pod, ...] = ()) -> dict[str, str]:
    moves = [move(p.name, p.uid, workload="default/StatefulSet/db") for p in lost]
    watch = ReplacementWatch(moves, world(*lost, *others))
    for snapshot in looks:
        watch.look(snapshot, NOW + 5)
    names = {p.uid: p.name for snapshot in looks for p in snapshot.pods}
    filled = [watch.fill(PodOutcome(one, evicted=True, at=NOW)) for one in moves]
    return {p.move.pod: names.get(p.successor, "") for p in filled}


def remembered(lost: list[Pod], looks: list[ClusterSnapshot], _: tuple[Pod, ...] = ()) -> dict[str, str]:
    moves = [move(p.name, p.uid, workload="default/StatefulSet/db") for p in lost]
    pods = tuple(PodOutcome(one, evicted=True, at=NOW) for one in moves)
    ledger = Ledger(rules=LedgerRules.of(Policy())).record([ActionOutcome(action(*moves), Result.DONE, pods)], "p", {})
    for snapshot in looks:
        ledger = reconcile(ledger, snapshot, NOW + 5)
    names = {p.uid: p.name for snapshot in looks for p in snapshot.pods}
    return {e.pod.partition("/")[2]: names.get(e.successor, "") for e in ledger.entries}


both = pytest.mark.parametrize("seen", [watched, remembered])


@both
def test_a_pod_of_the_same_name_replaces_that_pod_and_no_other(seen: Seen) -> None:
    zero, one = member("db-0"), member("db-1")
    assert seen([zero, one], [world(later(one))]) == {"db-0": "", "db-1": "db-1"}
    assert seen([zero, one], [world(later(one)), world(later(one), later(zero))]) == {"db-0": "db-0", "db-1": "db-1"}


@both
def test_others_are_taken_in_the_order_in_which_they_were_made(seen: Seen) -> None:
    old = [member("web-a"), member("web-b")]
    new = [later(member("web-x"), 3), later(member("web-c"), 2)]
    assert seen(old, [world(*new)]) == {"web-a": "web-c", "web-b": "web-x"}


@both
def test_who_was_there_before_or_is_leaving_replaces_nobody(seen: Seen) -> None:
    lost, sibling = member("web-a"), member("web-b")
    leaving = later(member("web-c", deleting=NOW))
    assert seen([lost], [world(sibling, leaving)], (sibling,)) == {"web-a": ""}
    assert seen([lost], [world(leaving, later(member("web-d")))]) == {"web-a": "web-d"}


@both
def test_a_pair_once_made_stays_while_the_pod_is_there(seen: Seen) -> None:
    old = [member("web-a"), member("web-b")]
    second, first = later(member("web-y"), 3), later(member("web-x"), 2)
    assert seen(old, [world(second), world(first, second)]) == {"web-a": "web-y", "web-b": "web-x"}
    second = replace(second, ready=False)
    assert seen(old, [world(second), world(first)]) == {"web-a": "web-x", "web-b": ""}
