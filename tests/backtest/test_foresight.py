"""What counts as found, and as found early."""

import numpy as np

from descheduler.backtest.contender import Foreseen
from descheduler.backtest.foresight import Future, forecast


def cycle(found: str, future: str, level: float = 1.0) -> tuple[Foreseen, Future]:
    """One node: `future` has a letter for each step of the horizon, h where it is hot."""
    hot = np.array([[letter == "h" for letter in future]])
    said = Foreseen(0.0, np.array([found == "found"]), {"cpu": np.array([level], np.float32)}, 1200.0)
    return said, Future(hot, {"cpu": np.array([0.9 if hot.any() else 0.5], np.float32)})


def judged(*cycles: tuple[Foreseen, Future]) -> tuple[float | None, float | None, float | None]:
    said, futures = zip(*cycles, strict=True)
    told = forecast(said, futures)
    return told.precision, told.recall, told.before


def test_a_finding_before_the_node_is_hot_is_early_though_its_answer_spoils_it() -> None:
    assert judged(cycle("", "..h"), cycle("found", ".hh"), cycle("", "...")) == (1.0, 1.0, 1.0)


def test_a_finding_once_the_node_is_hot_is_late() -> None:
    assert judged(cycle("", "..h"), cycle("", ".hh"), cycle("", "hhh"), cycle("found", "hhh")) == (1.0, 1.0, 0.0)


def test_nodes_that_are_hot_from_the_beginning_cannot_be_found_early() -> None:
    assert judged(cycle("found", "hhh"), cycle("", "...")) == (1.0, 1.0, None)


def test_a_finding_that_comes_to_nothing_is_false_and_a_bout_that_nobody_found_is_missed() -> None:
    assert judged(cycle("found", "..."), cycle("", "..h"), cycle("", "...")) == (0.0, 0.0, 0.0)


def test_coverage_counts_nodes_that_stay_under_their_forecast() -> None:
    said, futures = zip(cycle("", "h..", level=0.8), cycle("", "...", level=0.8), strict=True)
    assert forecast(said, futures).coverage == {"cpu": 0.5}


def test_no_plans_say_nothing() -> None:
    assert forecast((), ()).precision is None
