"""Numbers of pods or nodes as people write them: `50`, `10%` of what is there, or the larger: `max(50, 0.2%)`."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_PERCENT = r"(\d{1,2}(?:\.\d{1,3})?|100)%"
_WRITTEN = rf"^(?:{_PERCENT}|max\((\d{{1,9}}), *{_PERCENT}\))$"


def _check(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.match(_WRITTEN, value):
        return value
    raise ValueError(
        'must be a whole number of at least 0, or a percentage such as "10%", or the larger of both: "max(50, 0.2%)"'
    )


Amount = Annotated[
    int | str,
    BeforeValidator(_check),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": _WRITTEN}]}),
]


def amount_of(written: int | str, size: int) -> int:
    """What it comes to where `size` are there: a percentage is rounded down, but to 1 at least."""
    if isinstance(written, int):
        return written
    least, percent = _parsed(written)
    return max(least, int(percent * size / 100))


@lru_cache(maxsize=64)
def _parsed(written: str) -> tuple[int, Decimal]:
    """The number and the percentage, of which the larger counts."""
    found = re.match(_WRITTEN, written)
    if found is None:
        return int(written), Decimal(0)
    share, least, or_share = found.groups()
    return (1, Decimal(share)) if share is not None else (int(least), Decimal(or_share))
