"""Kubernetes quantities ("500m", "1.5Gi", "2e3") to exact integers, as the scheduler counts them.

CPU is counted in millicores and everything else in whole units, both rounded up
(apimachinery pkg/api/resource: `MilliValue` and `Value`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from descheduler.model.bounds import INT64, QUANTITY_TEXT, integer_of
from descheduler.model.fence import Unreadable, shortened

Amounts = tuple[tuple[str, int], ...]
"""Resource amounts sorted by name, in the units of `amount`."""

_SUFFIX = {"": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3")}
_SUFFIX |= {suffix: Decimal(1000) ** (i + 1) for i, suffix in enumerate("kMGTPE")}
_SUFFIX |= {f"{suffix}i": Decimal(1024) ** (i + 1) for i, suffix in enumerate("KMGTPE")}
_PATTERN = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$")
_MAX = Decimal(INT64)  # larger values are capped, as the API server does


class InvalidQuantity(Unreadable):
    """The text is not a Kubernetes quantity."""

    def __init__(self, why: str) -> None:
        super().__init__("", why)


def parse_quantity(text: str) -> Decimal:
    """The exact value, at most what an int64 holds. Raises InvalidQuantity."""
    if len(text) > QUANTITY_TEXT:  # before it is kept, or raised to a power
        raise InvalidQuantity(f"{shortened(text)!r} is too long for a quantity")
    return _parsed(text)


@lru_cache(maxsize=8192)
def _parsed(text: str) -> Decimal:
    match = _PATTERN.match(text)
    if match is None:
        raise InvalidQuantity(f"{text!r} is not a quantity such as 500m, 2, 1.5Gi")
    number, exponent, suffix = match.groups()
    if exponent is not None and len(exponent) > 4:
        raise InvalidQuantity(f"{text!r} has an absurd exponent")
    return max(-_MAX, min(Decimal(number + (exponent or "")) * _SUFFIX[suffix or ""], _MAX))


def amount(resource: str, text: str) -> int:
    """`text` of `resource` as the scheduler counts it: millicores of cpu, whole units of anything else.

    At most what an int64 holds. Raises InvalidQuantity.
    """
    value = parse_quantity(text)
    if resource == "cpu":
        value *= 1000
    return max(-INT64, min(int(value.to_integral_value(ROUND_CEILING)), INT64))


def amounts(values: Mapping[str, Decimal]) -> Amounts:
    """Exact values in whole units (millicores for cpu), rounded up once at the end as the scheduler does."""
    return tuple(
        sorted((n, int((v * 1000 if n == "cpu" else v).to_integral_value(ROUND_CEILING))) for n, v in values.items())
    )


def part_of(written: str, size: int) -> int | None:
    """`3`, or `25%` of `size`, rounded up as Kubernetes does; None when it is neither, or no number of 64 bits."""
    digits = written.removesuffix("%")
    number = integer_of(digits) if digits.isascii() and digits.isdigit() else None
    if number is None:
        return None
    return number if digits == written else math.ceil(number * size / 100)
