"""Workloads with little history borrow from their like, and say so."""

import numpy as np
import pytest

from descheduler_profiling.build import build
from descheduler_profiling.settings import Likeness, ProfileSettings
from series_cases import DAY, daily, history, key, noise


def young(hours: int) -> np.ndarray:
    """Five old workloads with a daily wave, one with so many hours of half of that level, one unlike any."""
    values = np.concatenate([daily(5, 8), daily(1, 8, seed=9) / 2, noise(1, 8)])
    values[5, : 8 * DAY - hours * 12] = np.nan
    values[6, : 8 * DAY - 12] = np.nan
    return values


LIKE = {key(f"w{i:04d}"): Likeness(1.0, "Deployment", "shop/api:v1") for i in range(5)}
LIKE[key("w0005")] = Likeness(0.5, "Deployment", "shop/api:v2")
LIKE[key("w0006")] = Likeness(50.0, "StatefulSet", "db/other:v1")


def test_hours_of_history_are_completed_by_the_day_of_the_like() -> None:
    made = build(history(young(3)), ProfileSettings(likeness=LIKE))
    alone = build(history(young(3)))
    assert "borrowed from 5 workloads of the same image" in made.why[5]
    assert made.confidence[5] == pytest.approx(0.3, abs=0.06)
    truth = daily(1, 9, seed=9)[0, 8 * DAY :] / 2

    def far(curve: np.ndarray) -> float:
        return float(np.abs(curve - truth).mean())

    assert far(made.curve(made.vectors[5], 0.5)) < far(alone.curve(alone.vectors[5], 0.5))


def test_who_has_no_like_stays_as_it_is() -> None:
    made = build(history(young(3)), ProfileSettings(likeness=LIKE))
    alone = build(history(young(3)))
    assert "borrowed" not in made.why[6]
    assert np.array_equal(made.vectors[6], alone.vectors[6])
    assert np.array_equal(made.vectors[0], alone.vectors[0])


def test_a_workload_never_seen_is_scaled_by_its_request() -> None:
    values = young(3)
    values[5] = np.nan
    made = build(history(values), ProfileSettings(likeness=LIKE))
    assert 0 < made.confidence[5] <= 0.3
    assert made.curve(made.vectors[5], 0.5).mean() == pytest.approx(0.5, rel=0.3)
