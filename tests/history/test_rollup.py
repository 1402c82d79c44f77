from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from descheduler_profiling.history.rollup import group, last_mean, reduce_rows

matrices = hnp.arrays(
    np.float32, st.tuples(st.integers(0, 7), st.integers(0, 5)), elements=st.floats(0, 1e6, width=32)
).flatmap(
    lambda values: hnp.arrays(np.bool_, values.shape).map(lambda gaps: np.where(gaps, np.float32(np.nan), values))
)


@given(matrices, st.data(), st.sampled_from(["mean", "max"]))
def test_a_workload_is_the_mean_or_maximum_of_the_replicas_that_are_there(
    values: np.ndarray, data: st.DataObject, how: str
) -> None:
    groups = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values))), np.intp)
    rolled = reduce_rows(values, groups, 4, how)  # type: ignore[arg-type]
    assert rolled.shape == (4, values.shape[1])
    for number in range(4):
        for column in range(values.shape[1]):
            members = values[groups == number, column]
            members = members[np.isfinite(members)]
            if not members.size:
                assert np.isnan(rolled[number, column])
            else:
                expected = members.max() if how == "max" else members.astype(np.float64).mean()
                np.testing.assert_allclose(rolled[number, column], expected, rtol=1e-6)


@given(matrices)
def test_scaling_out_does_not_change_the_load_of_one_replica(values: np.ndarray) -> None:
    twice = np.concatenate([values, values])
    index = np.r_[np.arange(len(values)), np.arange(len(values))].astype(np.intp)
    np.testing.assert_allclose(reduce_rows(twice, index, len(values), "mean"), values, rtol=1e-6)


def test_the_bytes_of_a_thousand_pods_do_not_lose_digits() -> None:
    values = np.full((1000, 1), 64e9 + 4096, np.float32)
    np.testing.assert_array_equal(reduce_rows(values, np.zeros(1000, np.intp), 1, "mean"), values[:1])


@given(st.lists(st.text(max_size=3)))
def test_groups_number_the_distinct_keys(keys: list[str]) -> None:
    distinct, index = group(keys)
    assert [distinct[i] for i in index] == keys
    assert len(set(distinct)) == len(distinct)


def test_the_level_of_a_pod_is_the_mean_of_what_it_has() -> None:
    levels = last_mean(np.array([[1, 3, np.nan], [np.nan, np.nan, np.nan]], np.float32))
    assert levels[0] == 2.0
    assert np.isnan(levels[1])
