"""Types that users write in a policy: durations ("30m", "7d") and fractions (0.75 or "75%")."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from descheduler.model.format import SECONDS, duration

_LONGEST = timedelta(days=36_500)  # dates so far ahead can still be counted
_DURATION = r"^(\d+(\.\d+)?[smhdw])+$"


def parse_duration(value: Any) -> timedelta:
    """ "1h30m" to a timedelta; a timedelta stays one. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not re.match(_DURATION, value):
        raise ValueError('must be a duration such as "30s", "5m", "1h30m" or "7d"')
    seconds = sum(float(n) * SECONDS[u] for n, u in re.findall(r"(\d+(?:\.\d+)?)([smhdw])", value))
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"must be at most {duration(_LONGEST)}")
    return timedelta(seconds=seconds)


def parse_fraction(value: Any) -> float:
    """0.75 or "75%" to 0.75. Raises ValueError."""
    if isinstance(value, str) and (match := re.match(r"^(\d+(\.\d+)?)%$", value)):
        return float(match[1]) / 100.0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError('must be a fraction such as 0.75 or "75%"')
    return float(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DURATION, "examples": ["30s", "5m", "1h30m", "7d"]}),
]
Fraction = Annotated[
    float,
    BeforeValidator(parse_fraction),
    Field(ge=0.0, le=1.0),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}]}
    ),
]
