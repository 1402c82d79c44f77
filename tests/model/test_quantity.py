"""Quantities are exact, rounded up, and counted as the scheduler counts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.model.quantity import InvalidQuantity, amount, parse_quantity, part_of


@pytest.mark.parametrize(
    ("resource", "text", "expected"),
    [
        ("cpu", "1", 1000),
        ("cpu", "500m", 500),
        ("cpu", "0.1", 100),
        ("cpu", "1.0001", 1001),  # rounded up to whole millicores
        ("cpu", "100u", 1),
        ("memory", "1Gi", 2**30),
        ("memory", "1.5Gi", 3 * 2**29),
        ("memory", "128974848", 128974848),
        ("memory", "129e6", 129_000_000),
        ("memory", "129M", 129_000_000),
        ("memory", "1m", 1),  # a thousandth of a byte is a byte
        ("nvidia.com/gpu", "8", 8),
        ("pods", "110", 110),
        ("memory", "+2Ki", 2048),
        ("memory", ".5Gi", 2**29),
    ],
)
def test_amounts(resource: str, text: str, expected: int) -> None:
    assert amount(resource, text) == expected


@pytest.mark.parametrize("text", ["", "abc", "1x", "1 Gi", "--1", "1e", "Ki", "0x10", "1e99999"])
def test_what_is_no_quantity_is_an_error(text: str) -> None:
    with pytest.raises(InvalidQuantity):
        parse_quantity(text)


def test_an_amount_that_no_machine_has_is_capped_at_64_bits() -> None:
    assert amount("memory", "1000E") == 2**63 - 1


@given(st.integers(0, 10**9))
def test_millicores_survive_writing_and_reading(millis: int) -> None:
    assert amount("cpu", f"{millis}m") == millis


def test_a_count_or_a_percentage_of_a_size() -> None:
    assert (part_of("3", 10), part_of("25%", 10)) == (3, 3)
    assert [part_of(text, 10) for text in ("", "-1", "many", "%")] == [None] * 4
