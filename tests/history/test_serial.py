from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from descheduler.model.errors import RecordingError
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.serial import coarse, history_from_bytes, history_to_bytes
from descheduler_profiling.series import History

anything = hnp.arrays(np.float32, st.tuples(st.integers(0, 5), st.integers(0, 9)), elements=st.floats(width=32))


def history(values: np.ndarray, **more: object) -> History:
    rows = len(values)
    plain: dict[str, object] = {
        "signal": "cpu",
        "unit": "cores",
        "keys": tuple(WorkloadKey("ns", "Deployment", f"w{i:04d}") for i in range(rows)),
        "start": 1_700_000_100,
        "step": 300,
        "values": values,
        "replicas": np.arange(rows, dtype=np.float32),
        "pod_level": {("ns", "w-1"): 0.1, ("ns", "w-2"): 1 / 3},
    }
    return History(**{**plain, **more})  # type: ignore[arg-type]


@given(anything)
@example(np.array([[3.4e38, 1e-45, 0.0]], np.float32))
def test_a_recording_gives_back_the_very_numbers_that_were_collected(values: np.ndarray) -> None:
    collected = coarse(values)
    made = history(collected, complete=False, problems=("a", "b"))
    back = history_from_bytes(history_to_bytes(made))
    np.testing.assert_array_equal(back.values, collected)
    assert (back.keys, back.start, back.step, back.unit) == (made.keys, made.start, made.step, made.unit)
    assert dict(back.pod_level) == dict(made.pod_level)
    assert (back.complete, back.problems) == (False, ("a", "b"))
    assert back.values.dtype == np.float32
    assert back.replicas.tolist() == made.replicas.tolist()


@given(anything)
def test_the_last_hour_of_single_pods_comes_back_too(values: np.ndarray) -> None:
    pods = tuple(("ns", f"w-{i}") for i in range(len(values)))
    back = history_from_bytes(history_to_bytes(history(coarse(values), pods=pods, recent=coarse(values))))
    assert back.pods == pods
    assert back.recent.size == values.size
    if values.size:
        np.testing.assert_array_equal(back.recent, coarse(values))
    assert history_from_bytes(history_to_bytes(history(coarse(values)))).recent.size == 0


@given(anything)
def test_rounding_keeps_eleven_bits_and_rounding_again_changes_nothing(values: np.ndarray) -> None:
    rounded = coarse(values)
    np.testing.assert_array_equal(coarse(rounded), rounded)
    usable = np.isfinite(values) & (values >= 0) & (values < 2.0**126)
    assert not np.isfinite(rounded[~np.isfinite(values) | (values < 0)]).any()
    largest = np.where(np.isfinite(values), values, 0).max(axis=1, keepdims=True, initial=0)
    close = np.abs(rounded - values) <= np.maximum(values * 2.0**-11, largest * 2.0**-39)
    assert close[usable & (values > 1e-30)].all()


def test_a_week_of_sixty_workloads_and_three_signals_is_far_below_a_megabyte() -> None:
    rng = np.random.default_rng(3)
    t = np.arange(2016)
    wave = 1 + np.sin(2 * np.pi * (t / 288 + rng.random((60, 1))))
    cpu = rng.gamma(2, 0.3, (60, 1)) * (0.3 + wave) * rng.gamma(20, 1 / 20, (60, 2016))
    memory = 2e9 * (1 + 0.2 * wave + 0.01 * rng.standard_normal((60, 2016)).cumsum(axis=1) / 50)
    gpu = np.where(rng.random((60, 2016)) < 0.5, 0, rng.beta(5, 2, (60, 2016)))
    size = sum(len(history_to_bytes(history(values.astype(np.float32)))) for values in (cpu, memory, gpu))
    assert size < 550_000


@given(st.binary(max_size=200))
def test_foreign_bytes_are_no_recording(data: bytes) -> None:
    with pytest.raises(RecordingError, match="recorded history"):
        history_from_bytes(data)


def test_a_recording_that_is_cut_or_changed_anywhere_is_refused() -> None:
    whole = history_to_bytes(history(np.ones((2, 5), np.float32)))
    for at in range(len(whole)):
        with pytest.raises(RecordingError):
            history_from_bytes(whole[:at])
        with pytest.raises(RecordingError):
            history_from_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])


def test_a_large_history_is_packed_the_quick_way_and_read_all_the_same() -> None:
    values = np.tile(np.linspace(0, 4, 2500, dtype=np.float32), (1700, 1))
    back = history_from_bytes(history_to_bytes(history(values)))
    np.testing.assert_array_equal(back.values, coarse(values))
