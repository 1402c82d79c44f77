"""The plan document as bytes: exact both ways, and clear about what it cannot read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from descheduler.model.errors import DocumentError
from descheduler.model.plan import SourceRow
from descheduler.report.serial import from_json, to_json, to_yaml
from report.plans import blocked_plan, empty_plan, large_plan, plan


@pytest.mark.parametrize("make", [plan, empty_plan, blocked_plan, large_plan])
def test_what_was_written_reads_back_as_itself(make: object) -> None:
    document = make()  # type: ignore[operator]
    assert from_json(to_json(document)) == document
    assert from_json(to_json(document, indent=2)) == document


def test_the_same_plan_gives_the_same_bytes() -> None:
    one = plan(summary={"a": 1.0, "b": 2.0})
    other = plan(summary={"b": 2.0, "a": 1.0})
    assert to_json(one) == to_json(other)


def test_yaml_says_the_same_as_json() -> None:
    assert yaml.safe_load(to_yaml(plan())) == json.loads(to_json(plan()))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused_by_name(wrong: float) -> None:
    broken = plan(sources=(SourceRow("pods", "fresh", wrong, 1),))
    with pytest.raises(DocumentError, match=r"plan\.sources\[0\]\.age_seconds"):
        to_json(broken)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a plan document"),
        (b"not json", "not a plan document"),
        (b"\xff\xfe", "not a plan document"),
        (b"[]", "not a plan document"),
        (b"{}", "its format is not said"),
        (b'{"format": "other", "version": 1}', "its format is other"),
        (b'{"format": "descheduler/plan", "version": 99}', "has a later version, 99; this program reads 1"),
        (b'{"format": "descheduler/plan", "version": 0}', "has an unknown version"),
        (b'{"format": "descheduler/plan", "version": 1}', "is damaged"),
    ],
)
def test_what_is_no_plan_is_one_clear_error(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        from_json(data)


@given(st.integers(min_value=0, max_value=6000))
def test_a_plan_cut_short_is_never_half_read(cut: int) -> None:
    data = to_json(replace(plan(), nodes=()))
    with pytest.raises(DocumentError):
        from_json(data[: min(cut, len(data) - 1)])
