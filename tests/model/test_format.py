"""Times, durations, counts and amounts as people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from descheduler.model.format import age, compact, duration, horizon, percent, plural, quantity, span, usage


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.2, "3 s"),
        (119, "119 s"),
        (600, "10 min"),
        (3600, "1 h"),
        (5400, "90 min"),
        (9000, "2 h 30 min"),
        (7 * 86400, "7 d"),
    ],
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(90.0, "90"), (6300.0, "6.3\u202fk"), (576000.0, "576\u202fk"), (2e6, "2\u202fM")]
)
def test_core_seconds(value: float, text: str) -> None:
    assert compact(value) == text


def test_an_unknown_share_is_a_dash() -> None:
    assert percent(-1.0) == "–"


@pytest.mark.parametrize(
    ("resource", "value", "text"),
    [("cpu", 1500, "1.5"), ("memory", 3 * 2**30, "3Gi"), ("nvidia.com/gpu", 2, "2"), ("memory", 512, "512")],
)
def test_amounts_for_people(resource: str, value: int, text: str) -> None:
    assert quantity(resource, value) == text


def test_each_style_of_duration_has_its_own_short_form() -> None:
    assert (age(45), age(9000)) == ("45 s", "150 min")
    written = (duration(timedelta(minutes=90)), duration(timedelta(days=7)), duration(timedelta()))
    assert written == ("1h30m", "7d", "0s")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "bytes", "–"),
        (0.041, "fraction", "4.1%"),
        (0.41, "fraction", "41%"),
        (1.2 * 2**30, "bytes", "1.2 GiB"),
        (1010.0, "bytes", "1010 B"),
        (12_345.6, "cores", "12,346"),
    ],
)
def test_usage_of_a_signal(value: float | None, unit: str, text: str) -> None:
    assert usage(value, unit) == text


def test_one_is_not_plural() -> None:
    assert (plural(1, "pod"), plural(1200, "policy", "policies")) == ("1 pod", "1\u202f200 policies")


def test_horizons_have_short_names() -> None:
    assert [horizon(s) for s in (45, 900, 3600, 21600, 86400, 5400)] == [
        *("45s", "15m", "1h", "6h", "24h", "90m"),
    ]
