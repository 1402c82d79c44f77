"""A set of pods is forecast as the sum of its series."""

import numpy as np
import pytest

from descheduler_profiling.build import build
from descheduler_profiling.settings import HOUR, ProfileSettings
from series_cases import DAY, daily, history, noise


def test_the_vector_of_a_sum_of_constants_is_their_sum() -> None:
    made = build(history(np.tile(np.array([[1.0], [2.5]], np.float32), (1, 8 * DAY))))
    both = made.vectors.sum(axis=0)
    assert made.curve(both, 0.95) == pytest.approx(np.full(DAY, 3.5), abs=1e-3)
    assert 3.5 <= made.peak(both, 0.95, 86400) <= 1.03 * 3.5


def test_opposite_days_fit_together_where_equal_days_do_not() -> None:
    values = np.concatenate([daily(1, 8), daily(1, 8, seed=2), daily(1, 8, seed=3, phase=np.pi)])
    made = build(history(values))
    equal, opposite = made.vectors[[0, 1]].sum(axis=0), made.vectors[[0, 2]].sum(axis=0)
    assert made.curve(opposite, 0.95).max() < 0.75 * made.curve(equal, 0.95).max()
    alone = made.peak(made.vectors[0], 0.95, 86400) + made.peak(made.vectors[2], 0.95, 86400)
    assert made.peak(opposite, 0.95, 86400) < 0.8 * alone


def test_independent_noise_partly_cancels_in_a_sum() -> None:
    made = build(history(noise(40, 8)))
    together = made.at(made.vectors.sum(axis=0), 0.95, 86400)
    apart = sum(float(made.at(v, 0.95, 86400)) for v in made.vectors)
    assert float(together) < 0.85 * apart


def test_a_sum_covers_the_day_that_comes() -> None:
    values = daily(15, 9) + noise(15, 9, seed=5)
    made = build(history(values[:, : 8 * DAY]))
    after = values[:, 8 * DAY :].sum(axis=0)
    covered = (after <= made.curve(made.vectors.sum(axis=0), 0.95)).mean()
    assert 0.9 <= covered <= 1.0


def test_quantiles_rise_with_the_level_and_peaks_with_the_horizon() -> None:
    made = build(history(noise(5, 8)))
    sums = np.cumsum(made.vectors, axis=0)
    assert (made.curve(sums, 0.5) <= made.curve(sums, 0.95)).all()
    assert (made.curve(sums, 0.95) <= made.curve(sums, 0.99)).all()
    assert (made.peak(sums, 0.95, 3600) <= made.peak(sums, 0.95, 86400)).all()


def test_the_highest_use_of_an_hour_is_more_than_the_top_of_its_curve() -> None:
    values = daily(200, 9) + noise(200, 9, seed=5, level=0.5)
    made = build(history(values[:, : 8 * DAY]), ProfileSettings(select=False))
    nodes = made.vectors.reshape(40, 5, -1).sum(axis=1)
    reached = values[:, 8 * DAY : 8 * DAY + 12].reshape(40, 5, -1).sum(axis=1).max(axis=1)
    assert (reached <= made.highest(nodes, 0.95, HOUR)).mean() >= 0.9
    assert (reached <= made.highest(nodes, 0.5, HOUR)).mean() == pytest.approx(0.5, abs=0.2)
    assert (reached <= made.hottest(nodes, 0.5, HOUR)).mean() < 0.1  # half of the single steps are above it


def test_the_highest_use_looks_no_further_than_it_is_asked() -> None:
    hour = np.arange(8 * DAY) % DAY
    values = np.where((hour >= 8) & (hour < 40), 5.0, 1.0)[None].astype(np.float32)  # begins 40 minutes from now
    made = build(history(values), ProfileSettings(select=False))
    assert made.highest(made.vectors, 0.5, HOUR / 2)[0] < 2
    assert made.highest(made.vectors, 0.5, HOUR)[0] > 4


def test_answers_keep_the_leading_shape() -> None:
    made = build(history(noise(6, 3)))
    vectors = made.vectors.reshape(2, 3, -1)
    assert made.curve(vectors, 0.9).shape == (2, 3, DAY)
    assert made.peak(vectors, 0.9, 3600).shape == (2, 3)
    assert made.at(vectors, 0.9, 900).shape == (2, 3)
    assert float(made.at(vectors, 0.9, 900)[1, 2]) == pytest.approx(float(made.at(made.vectors[5], 0.9, 900)))


def test_pods_are_weighted_by_their_last_hour() -> None:
    made = build(history(np.full((1, 3 * DAY), 2.0), {("shop", "hot"): 3.0, ("shop", "wild"): 1e6}))
    weights = made.weights(
        [("shop", "hot"), ("shop", "new"), ("shop", "wild"), ("other", "hot")], np.array([0, 0, 0, -1])
    )
    assert weights.tolist() == pytest.approx([1.5, 1.0, 10.0, 1.0])


def test_rows_are_found_by_workload() -> None:
    made = build(history(noise(3, 2)))
    assert [made.row(k) for k in made.keys] == [0, 1, 2]
    assert made.row(made.keys[0].__class__("x", "Deployment", "none")) == -1


def test_a_load_that_just_rose_is_not_taken_for_the_last_hours_mean() -> None:
    rng = np.random.default_rng(4)
    now = 8 * DAY + 4
    changes = rng.random((20, 9 * DAY)) < 1 / 30  # every two or three hours
    changes[:, now - 4 : now + 3] = [True, *[False] * 6]  # and for all twenty minutes ago
    levels = rng.uniform(0.5, 3, (20, 9 * DAY))
    since = np.maximum.accumulate(np.where(changes, np.arange(9 * DAY), 0), axis=1)
    values = (noise(20, 9, level=0.1) + np.take_along_axis(levels, since, axis=1)).astype(np.float32)
    made = build(history(values[:, :now]), ProfileSettings(select=False))
    ahead = made.curve(made.vectors, 0.5)[:, :3]
    truth = values[:, now : now + 3]
    hour = values[:, now - 12 : now].mean(axis=1, keepdims=True)
    assert np.abs(ahead - truth).mean() < 0.5 * np.abs(hour - truth).mean()


def test_what_starts_every_hour_is_known_by_the_hour_before() -> None:
    starts = np.arange(8 * DAY) % 12 < 2
    values = (noise(3, 8, level=0.1) + 2 * starts).astype(np.float32)
    made = build(history(values), ProfileSettings(select=False))
    near = made.curve(made.vectors, 0.5)[:, :3]
    assert (near[:, 0] > near[:, 2] + 1).all()
