"""The situations in which the original is compared with ours, and the page that tells the differences, fit together.

The comparison itself needs the original's binary: `make test-peers`.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from descheduler.policy import load_policy
from peers.sigs.differences import DIFFERENCES
from peers.sigs.situations import situations

PAGE = Path(__file__).resolve().parents[2] / "docs" / "from-sigs-descheduler.md"
ALL = tuple(situations())


def test_each_difference_that_is_met_stands_on_the_page_once() -> None:
    told = Counter(re.findall(r"^\| `(D-[a-z-]+)` \|", PAGE.read_text(), re.MULTILINE))

    assert [one for one in DIFFERENCES if told[one] != 1] == []
    assert [one for one, times in told.items() if times > 1] == []


def test_each_difference_is_met_in_a_situation_and_none_is_unknown() -> None:
    assert {situation.because for situation in ALL} == {"", *DIFFERENCES}


def test_all_ten_strategies_meet_at_least_twelve_situations() -> None:
    by_strategy = Counter(situation.strategy for situation in ALL)

    assert len(by_strategy) == 10
    assert min(by_strategy.values()) >= 12


def test_the_scenarios_of_the_originals_own_tests_are_among_them() -> None:
    rows = {int(situation.row.partition(",")[0]) for situation in ALL if situation.row}

    assert rows == {1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13}


def test_every_policy_of_a_situation_loads() -> None:
    for situation in ALL:
        load_policy(situation.policy_text(), situation.name)
