"""Figures over seeds: means with intervals that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from descheduler.backtest.figures import estimate, figures, mean_of
from descheduler.backtest.score import Forecast, Score


def score(contender: str, hot: float, **more: object) -> Score:
    given: dict[str, object] = {
        "contender": contender, "seed": 0, "hot_minutes": hot, "excess": 0.0, "caused": 0.0, "evictions": 0,
        "restarts": {}, "ping_pong": 0, "pending": 0.0, "pending_gpu_hours": 0.0, "gpu_slots": 0.0, "plans": 0,
        "paused": 0, "forecast": None, **more,
    }  # fmt: skip
    return Score(**given)  # type: ignore[arg-type]


def test_one_seed_has_no_interval() -> None:
    one = estimate([7.0])
    assert (one.mean, one.low, one.high, one.by_seed) == (7, None, None, (7,))


def test_the_interval_is_students() -> None:
    one = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    # t(0.975, 4) = 2.7764, s = 1.5811: 2.7764 * 1.5811 / sqrt(5) = 1.9632
    assert (one.mean, one.low, one.high) == (3, pytest.approx(1.0368, abs=1e-4), pytest.approx(4.9632, abs=1e-4))


def test_the_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    draws = [estimate((10 + rng.standard_normal(5)).tolist()) for _ in range(1000)]
    inside = sum(one.low is not None and one.high is not None and one.low <= 10 <= one.high for one in draws)
    assert 930 <= inside <= 968


def test_counts_are_not_below_nothing_and_shares_not_above_all() -> None:
    assert estimate([0.0, 3.0]).low == 0
    assert estimate([0.7, 1.0], most=1).high == 1
    worse = estimate([-0.5, -0.1])  # more hot minutes than nobody has
    assert worse.low is not None
    assert worse.low < -0.5


def test_what_does_not_apply_is_left_out() -> None:
    alone = [score("nobody", 100), score("nobody", 80)]
    found = figures(alone, alone, gpus=False)
    assert set(found) == {"hot_minutes", "excess"}
    acting = figures([score("x", 25, evictions=3), score("x", 20, evictions=1)], alone, gpus=True)
    assert acting["spared"].by_seed == (0.75, 0.75)
    assert acting["evictions"].mean == 2
    assert {"gpu_slots", "pending_gpu_hours"} <= set(acting)
    assert "precision" not in acting


def test_a_share_of_nothing_is_unknown_and_the_other_seeds_count() -> None:
    alone = [score("nobody", 10), score("nobody", 10)]
    told = [Forecast(None, 0.5, None, {"cpu": 0.9}), Forecast(0.6, 0.7, None, {"cpu": 0.8})]
    found = figures([score("x", 5, forecast=one) for one in told], alone, gpus=False)
    assert found["precision"].by_seed == (0.6,)
    assert found["recall"].mean == pytest.approx(0.6)
    assert "recall_before" not in found


def test_means_of_counts_are_the_largest_first() -> None:
    assert list(mean_of([{"a": 1, "b": 4}, {"b": 2, "c": 2}]).items()) == [("b", 3), ("c", 1), ("a", 0.5)]
