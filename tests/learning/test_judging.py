"""Whether a move did what it was to do, held against what the plan could know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import NOW
from descheduler.learning.ledger import Ledger
from descheduler.learning.owners import holds
from descheduler.model.plan import FindingRow, SeatRow
from execution.plans import action, finding, move
from learning.moves import HOUR, directed, done, heat, later, verdicts

WEB = move("web-1")


@pytest.mark.parametrize("now", [0.5, 0.76, 0.9, 1.4])
def test_a_node_that_others_heat_again_is_no_miss_of_what_left_it(now: float) -> None:
    """Its own forecast says how its pods will do; without the move it would be hotter by what left."""
    ledger = done(Ledger(), (WEB, "n2"))
    assert verdicts(ledger) == [True]
    assert verdicts(ledger, heat(value=now)) == [True]


@pytest.mark.parametrize("now", [(), (heat(value=0.9),)])
def test_a_pod_that_came_back_is_a_miss_even_if_the_node_cooled_by_itself(now: tuple[FindingRow, ...]) -> None:
    assert verdicts(done(Ledger(), (WEB, "n1")), *now) == [False]


def test_a_node_that_became_hot_by_what_landed_there_unforeseen_is_a_miss() -> None:
    """The move takes 0.3 off its node."""
    ledger = done(Ledger(), (WEB, "n7"))
    assert verdicts(ledger, heat("n7", value=0.8)) == [False]
    assert verdicts(ledger, heat("n7", value=1.3)) == [True]  # it would be hot without it, too
    assert verdicts(ledger, heat("n6", value=0.8)) == [True]
    assert verdicts(ledger, heat("n7", value=0.7)) == [True]  # named, though below the threshold
    as_foreseen = done(Ledger(), (WEB, "n2"))
    assert verdicts(as_foreseen, heat("n2", value=0.8)) == [True]  # the forecast of n2 is not the move's


def test_what_was_directed_may_land_elsewhere_if_it_does_no_harm_there() -> None:
    ledger = done(Ledger(), (directed("web-1", "n3"), "n7"))
    assert verdicts(ledger) == [True]
    assert verdicts(ledger, heat("n7", value=0.8)) == [False]
    as_said = done(Ledger(), (directed("web-1", "n3", "n7"), "n7"))
    assert verdicts(as_said, heat("n7", value=0.8)) == [True]


def test_pods_of_one_workload_are_alike() -> None:
    """Each took the other's place: nothing was gained. Each took the other's destination: all was."""
    first, second = directed("web-1", "n3", source="n1"), directed("web-2", "n4", source="n2")
    swapped = done(done(Ledger(), (first, "n2"), name="p"), (second, "n1"), name="p", found=heat("n2"))
    assert verdicts(swapped) == [False, False]
    crossed = done(done(Ledger(), (first, "n4"), name="p"), (second, "n3"), name="p", found=heat("n2"))
    assert verdicts(crossed, heat("n3", value=0.8), heat("n4", value=0.8)) == [True, True]
    assert not holds(crossed.entries, 1, HOUR)


def test_pods_of_a_stateful_set_are_not() -> None:
    where = {"workload": "default/StatefulSet/db"}
    first, second = directed("db-0", "n3", **where), directed("db-1", "n4", **where)
    crossed = done(done(Ledger(), (first, "n4"), name="p"), (second, "n3"), name="p")
    assert list(holds(crossed.entries, 1, HOUR)) == ["default/StatefulSet/db"]
    straight = done(done(Ledger(), (first, "n3"), name="p"), (second, "n4"), name="p")
    assert not holds(straight.entries, 1, HOUR)


def test_a_chain_may_refill_the_node_that_another_pod_of_the_workload_left() -> None:
    first, second = directed("web-1", "n2", source="n1"), directed("web-2", "n3", source="n2")
    chain = done(done(Ledger(), (first, "n2"), name="p"), (second, "n3"), name="p", found=heat("n2"))
    assert verdicts(chain) == [True, True]


def test_one_pod_that_came_back_spoils_the_action() -> None:
    moves = ((move("web-1"), "n2"), (move("api-1"), "n1"))
    assert verdicts(done(Ledger(), *moves)) == [False, False]
    assert verdicts(done(Ledger(), moves[0], (move("api-1"), "n3"))) == [True, True]


def test_pods_that_come_and_go_for_other_reasons_judge_nobody() -> None:
    """The same findings, and the same verdicts, whatever else is hot now or no longer."""
    ledger = done(Ledger(), (WEB, "n2"))
    assert verdicts(ledger, heat(value=0.95), heat("n5", value=0.9), heat("n6", value=0.8)) == [True]


def test_it_is_judged_when_it_has_settled_and_its_replacement_is_ready() -> None:
    assert verdicts(done(Ledger(), (WEB, "n2")), at=NOW + 60) == [None]
    late = done(Ledger(), (WEB, ""))
    assert verdicts(late, at=NOW + 900) == [None]
    assert verdicts(late, at=NOW + 2 * HOUR) == [False]  # nobody waits for it any more
    scaled_down = replace(late, entries=tuple(replace(e, closed=True) for e in late.entries))
    assert verdicts(scaled_down, at=NOW + 900) == [True]


def slots(value: float, after: float, kind: str = "slots") -> FindingRow:
    row = finding(subject=f"{kind}/cpu", strategy="SlotDefragmentation")
    return replace(row, value=value, after=after, threshold=6.0, measure="free slots", outcome="eased")


def test_slots_that_others_took_since_are_no_miss_when_all_is_where_it_was_to_be() -> None:
    promised, now = slots(2.0, 4.0), slots(2.0, 2.0)
    assert verdicts(done(Ledger(), (WEB, "n2"), found=promised), now) == [True]
    assert verdicts(done(Ledger(), (WEB, "n5"), found=promised), now) == [False]  # it may have closed a slot there
    assert verdicts(done(Ledger(), (WEB, "n5"), found=promised), slots(3.0, 3.0)) == [True]
    assert verdicts(done(Ledger(), (WEB, "n1"), found=promised), slots(4.0, 4.0)) == [False]


def test_what_is_measured_must_have_changed_as_promised() -> None:
    """A strategy of somebody else that measures something: where its pods are proves nothing."""
    latency = replace(finding(), measure="p99 latency", value=0.9, after=0.3)
    ledger = done(Ledger(), (WEB, "n2"), found=latency)
    assert verdicts(ledger, replace(latency, value=0.9)) == [False]
    assert verdicts(ledger, replace(latency, value=0.5)) == [True]
    assert verdicts(ledger) == [True]


def test_room_for_pending_pods_is_made_by_leaving_it() -> None:
    """Other pods wait by now, of which the finding is as large as before."""
    waiting = replace(finding(subject="gpu/pending", strategy="GpuDefragmentation"), value=0.0, after=8.0)
    for_one = replace(action(WEB, strategy="GpuDefragmentation"), room_for=(SeatRow("default", "big-0", "n4"),))
    now = replace(waiting, after=0.0, outcome="unanswered")
    assert verdicts(done(Ledger(), (WEB, "n9"), found=waiting, of=for_one), now) == [True]
    assert verdicts(done(Ledger(), (WEB, "n4"), found=waiting, of=for_one), now) == [False]


def test_a_place_that_the_executor_held_is_what_was_promised() -> None:
    reserved = done(Ledger(), (WEB, "n7"), landing="reserved")
    assert reserved.entries[0].towards == ("n2",)
    assert list(holds(reserved.entries, 1, HOUR)) == [WEB.workload]
    predicted = done(Ledger(), (WEB, "n7"), landing="predicted")
    assert not holds(predicted.entries, 1, HOUR)


def test_a_finding_without_data_is_not_judged() -> None:
    ledger = done(Ledger(), (WEB, "n2"))
    assert ledger.judge(later(heat()), NOW + HOUR).entries[0].resolved is True
    assert ledger.judge(later(heat()), NOW + HOUR).judge(later(), NOW + 2 * HOUR).entries[0].resolved is True
