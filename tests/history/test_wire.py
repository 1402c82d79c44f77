from __future__ import annotations

import contextlib
import json
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from descheduler.model.errors import HistoryError, HistoryPartial, HistoryRefused
from descheduler_profiling.history.prometheus.wire import decode_answer


def answer(result: object, kind: str = "matrix", **more: object) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode()


def shown(value: float) -> str:
    """A float as Prometheus writes it."""
    return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN" if math.isnan(value) else repr(value))


@given(st.lists(st.lists(st.tuples(st.integers(0, 2**33), st.floats()), min_size=1, max_size=5), max_size=4))
def test_a_matrix_is_decoded_sample_by_sample(rows: list[list[tuple[int, float]]]) -> None:
    body = answer(
        [{"metric": {"pod": str(i)}, "values": [[t, shown(v)] for t, v in row]} for i, row in enumerate(rows)]
    )
    decoded = decode_answer(body)
    assert [one.labels for one in decoded.series] == [{"pod": str(i)} for i in range(len(rows))]
    for one, row in zip(decoded.series, rows, strict=True):
        np.testing.assert_array_equal(one.times, [t for t, _ in row])
        np.testing.assert_array_equal(one.values, [v for _, v in row])


def test_a_vector_is_one_sample_a_series() -> None:
    decoded = decode_answer(
        answer([{"metric": {}, "value": [1.5, "2.5"]}, {"metric": {}, "value": [1.5, "NaN"]}], "vector")
    )
    assert [one.times.tolist() for one in decoded.series] == [[1.5], [1.5]]
    assert decoded.series[0].values.tolist() == [2.5]
    assert np.isnan(decoded.series[1].values[0])


@pytest.mark.parametrize("kind", ["string", "scalar", ""])
def test_an_answer_without_series_is_refused_by_its_kind(kind: str) -> None:
    with pytest.raises(HistoryRefused, match=f"returns a {kind or 'nothing'}, not series"):
        decode_answer(answer([1, "text"], kind))


def test_histograms_are_refused_with_what_to_do() -> None:
    with pytest.raises(HistoryRefused, match="histogram_quantile"):
        decode_answer(answer([{"metric": {}, "histograms": [[1, {"count": "1"}]]}]))


@pytest.mark.parametrize(
    "values", ['[[1,"x"]]', "[[1]]", '[[1,"2","3"]]', '[[1,"2"],["3"]]', '{"a":1}', '[1,"2"]', "[[1,2]]", '"text"']
)
def test_values_of_another_form_are_no_data(values: str) -> None:
    body = '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":' + values + "}]}}"
    try:
        decoded = decode_answer(body.encode())
    except HistoryPartial:
        return
    assert values == "[[1,2]]", "only a number without its quotes means the same"
    assert decoded.series[0].values.tolist() == [2.0]


def test_a_body_cut_anywhere_is_partial() -> None:
    body = answer([{"metric": {"pod": "a"}, "values": [[300 * t, "0.25"] for t in range(5)]}])
    for end in range(len(body)):
        with pytest.raises(HistoryPartial):
            decode_answer(body[:end])


def test_warnings_mark_an_answer_as_partial_and_remarks_do_not() -> None:
    decoded = decode_answer(answer([], warnings=["store down", "PromQL info: not a counter"], infos=["so"]))
    assert decoded.partial == ("store down",)
    assert decoded.infos == ("so", "PromQL info: not a counter")


def test_victoriametrics_marks_partial_answers_by_a_field() -> None:
    assert decode_answer(answer([], isPartial=True)).partial
    assert not decode_answer(answer([], isPartial=False)).partial


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metric", "values", "value", "status", "data", "result"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.one_of(st.binary(max_size=60), json_values.map(lambda value: json.dumps(value).encode())))
@example(b"[" * 100_000)
def test_no_body_raises_anything_but_an_error_of_ours(body: bytes) -> None:
    with pytest.raises(HistoryError):
        decode_answer(body)


@given(json_values, st.sampled_from(["matrix", "vector"]))
@example([{"metric": {}, "values": [[10**400, "1"]]}], "matrix")
@example([{"metric": {}, "values": [[1, "1" * 5000]]}], "matrix")
def test_no_result_raises_anything_but_an_error_of_ours(result: object, kind: str) -> None:
    with contextlib.suppress(HistoryError):
        assert all(one.times.shape == one.values.shape for one in decode_answer(answer(result, kind)).series)
