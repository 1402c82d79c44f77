"""Values as that format writes them: durations of Go, selectors in one text, numbers that are not negative."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from descheduler.policy.v1alpha2.label_text import node_selector

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
_LONGEST = 36_500 * 86_400.0  # seconds: dates so far ahead can still be counted


def go_duration(value: Any) -> timedelta:
    """`1h30m` or `500ms`, as time.ParseDuration of Go reads it. Raises ValueError."""
    text = value.lstrip("+") if isinstance(value, str) else ""
    if isinstance(value, timedelta):
        return value
    if text != "0" and not re.fullmatch(rf"(?:{_PART})+", text):
        raise ValueError('must be a duration such as "30s", "10m" or "1h30m"')
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, text))
    if seconds > _LONGEST:
        raise ValueError("must be at most 36500 days")
    return timedelta(seconds=seconds)


def _text(value: str) -> str:
    node_selector(value)
    return value


GoDuration = Annotated[timedelta, BeforeValidator(go_duration)]
NodeSelectorText = Annotated[str, AfterValidator(_text)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
