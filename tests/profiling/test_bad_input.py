"""Whatever the values are, there is an answer: a profile, or none with a reason; never an exception."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from descheduler_profiling import build as build_module
from descheduler_profiling.build import NO_NUMBER, build
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import empty
from series_cases import DAY, history, noise


def sound(made: SignalProfiles) -> None:
    """Everything is finite, nothing is negative, and a row without a profile is zero with a reason."""
    rows = np.arange(len(made.keys))
    assert np.isfinite(made.vectors).all()
    assert np.isfinite(made.peaks).all()
    assert (made.peaks >= 0).all()
    assert np.isfinite(made.levels).all()
    assert ((made.confidence >= 0) & (made.confidence <= 1)).all()
    for q in made.quantiles:
        forecast = made.forecast(rows, q)
        assert np.isfinite(forecast).all()
        assert (forecast >= 0).all()
        assert (made.curve(made.vectors, q) >= 0).all()
    for row in rows.tolist():
        if made.confidence[row] == 0:
            assert made.why[row]
            assert not made.vectors[row].any()
        made.profile(row)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.sampled_from([0, 1, 3, 11, 12, 100, 287, 288, 289, 600, 900])),
        elements=st.one_of(
            st.floats(width=32, allow_nan=True, allow_infinity=True),
            st.sampled_from([0.0, 1.0, -1.0, 1e-30, 1e17, 3.4e38, float("nan")]),
        ),
        fill=st.sampled_from([0.0, 1.0, 7.5, float("nan")]),
    )
)
def test_no_values_whatever_break_a_build(values: np.ndarray) -> None:
    sound(build(history(values)))


_MAGNITUDES = st.one_of(
    st.floats(-9, 15).map(lambda power: 10.0**power),
    # A pinball loss of theirs was below zero in single precision; bytes of memory, a week at 300 s.
    st.sampled_from([7_821_322_240.0, 3_046_109_696.0, 5_272_225_280.0, 2_641_885_952.0]),
    st.sampled_from([6.1e-5, 65_504.0, 2.0**-24, 2.0**24 + 2, 1e-9, 1e15]),  # the ends of half and single precision
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_MAGNITUDES, _MAGNITUDES, st.integers(1, 2015), st.sampled_from(["constant", "step", "two values"]))
def test_a_load_of_any_size_has_a_forecast(one: float, two: float, at: int, shape: str) -> None:
    week = np.full(7 * DAY, one, np.float32)
    if shape == "step":
        week[at:] = two
    elif shape == "two values":
        week[::2] = two
    made = build(history(week[None]))
    sound(made)
    assert made.confidence[0] >= 0.9
    assert not made.problems
    if shape == "constant":
        for q in made.quantiles:
            assert np.allclose(made.forecast(np.array([0]), q), one, rtol=2e-3)
            assert np.allclose(made.curve(made.vectors, q), one, rtol=2e-3)


def test_what_cannot_be_computed_names_its_workload(monkeypatch: pytest.MonkeyPatch) -> None:
    """No value is known that does it any more: a part of the sum is broken here."""
    wrong = build_module.peaks

    def broken(values: np.ndarray, *rest: object) -> np.ndarray:
        made = wrong(values, *rest)  # type: ignore[arg-type]
        made[1] = np.nan
        return made

    monkeypatch.setattr(build_module, "peaks", broken)
    made = build(history(np.ones((3, 7 * DAY), np.float32)))
    sound(made)
    assert made.confidence.tolist() == [1, 0, 1]
    assert made.problems == (f"cpu of {made.keys[1]}: {NO_NUMBER}",)


def test_an_empty_history_has_no_profiles() -> None:
    made = build(empty("cpu", "cores", 300, ("server: nothing",)))
    assert len(made.keys) == 0
    assert not made.complete
    assert made.problems == ("server: nothing",)
    assert made.weights([("a", "b")], np.array([-1])).tolist() == [1.0]


@pytest.mark.parametrize(
    ("row", "confidence", "why"),
    [
        (np.full(8 * DAY, np.nan), 0.0, "nothing measured"),
        (np.full(8 * DAY, -1.0), 0.0, "dropped"),
        (np.full(8 * DAY, np.inf), 0.0, "dropped"),
        (np.full(8 * DAY, 1e30), 0.0, "dropped"),
        (np.r_[np.full(8 * DAY - 3, np.nan), 1, 1, 1], 0.0, "only 3 usable"),
        (np.r_[np.ones(7 * DAY), np.full(DAY, np.nan)], 0.0, "nothing measured in the last hour"),
        (np.r_[np.full(7 * DAY, np.nan), np.ones(DAY)], 1 / 7, "24.0 h measured"),
        (np.ones(8 * DAY), 1.0, ""),
        (np.zeros(8 * DAY), 1.0, ""),
    ],
)
def test_each_kind_of_bad_series_has_its_answer(row: np.ndarray, confidence: float, why: str) -> None:
    made = build(history(np.stack([row, noise(1, 8)[0]])))
    sound(made)
    assert made.confidence[0] == pytest.approx(confidence)
    assert why in made.why[0]
    assert made.confidence[1] == 1.0


def test_a_lone_absurd_sample_is_a_reset_and_not_a_peak() -> None:
    values = noise(1, 8)
    values[0, 1000] = 1e9
    made = build(history(values))
    assert made.peaks[0, 1] < 20
    assert "1 samples dropped" in made.why[0]
    assert made.confidence[0] == pytest.approx(0.9)


def test_gaps_are_not_zeros() -> None:
    values = noise(1, 8)
    torn = values.copy()
    torn[0, 3 * DAY : 4 * DAY] = np.nan
    torn[0, ::7] = np.nan
    torn[0, -1] = values[0, -1]
    whole, gappy = build(history(values)), build(history(torn))
    assert gappy.forecast(np.array([0]), 0.5).mean() == pytest.approx(
        whole.forecast(np.array([0]), 0.5).mean(), rel=0.1
    )


def test_forecasts_stay_under_a_given_limit() -> None:
    from descheduler_profiling.settings import ProfileSettings

    made = build(history(noise(3, 3)), ProfileSettings(limit=0.8))
    assert (made.forecast(np.arange(3), 0.99) <= 0.801).all()
    assert (made.peaks <= 0.801).all()
