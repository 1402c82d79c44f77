"""The order in which proposals are judged, which strategies may rely on."""

from __future__ import annotations

import numpy as np

from descheduler.contract import ranked, rate
from descheduler.model.moves import Finding, Move, Proposal
from descheduler.model.subjects import Subject, SubjectKind

COSTS = np.array([9.0, 99.0, 0.0])


def proposal(pod: int, worth: float, strategy: str = "A", *, follows: bool = False) -> Proposal:
    return Proposal(
        Finding(strategy, Subject(SubjectKind.POD, str(pod)), "", 0.0, 1.0, ""),
        (Move(pod, 0),),
        1.0,
        worth,
        follows=follows,
    )


def test_most_worth_for_its_cost_comes_first() -> None:
    cheap, dear, free = proposal(0, 100.0), proposal(1, 500.0), proposal(2, 7.0)
    assert ranked([dear, free, cheap], COSTS) == [(cheap,), (free,), (dear,)]
    assert rate(100.0, 9.0) == 10.0


def test_what_ties_goes_by_the_name_of_its_strategy_and_the_order_in_which_that_answered() -> None:
    one, two, three = proposal(0, 10.0, "B"), proposal(2, 1.0, "A"), proposal(0, 10.0, "A")
    assert ranked([one, two, three], COSTS) == [(two,), (three,), (one,)]
    assert ranked([three, one, two], COSTS) == [(three,), (two,), (one,)]


def test_those_that_follow_are_one_run_that_counts_for_what_they_are_worth_together() -> None:
    first, second, cheaper = proposal(1, 100.0), proposal(0, 1e4, follows=True), proposal(2, 50.0)
    assert ranked([first, second, cheaper], COSTS) == [(first, second), (cheaper,)]
    assert ranked([first, proposal(0, 100.0)], COSTS) == [(proposal(0, 100.0),), (first,)]


def test_it_follows_its_own_strategy_alone() -> None:
    other, first, second = proposal(2, 1e6, "B"), proposal(1, 100.0), proposal(0, 100.0, follows=True)
    assert ranked([first, other, second], COSTS) == [(other,), (first, second)]
    assert ranked([proposal(1, 100.0, "B"), second], COSTS) == [(second,), (proposal(1, 100.0, "B"),)]
