"""Times as they are typed: RFC 3339, or so long before another time."""

from __future__ import annotations

import re
from datetime import datetime

from descheduler.contract.types import parse_duration
from descheduler.model.errors import UsageError


def seconds(text: str, option: str) -> float:
    """A duration such as `30s` in seconds; a bare number is of seconds, as kubectl has it; 0 for none.

    Raises:
        UsageError: it is neither.
    """
    try:
        return float(text) if text.isdecimal() else parse_duration(text).total_seconds() if text else 0.0
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text}: must be a duration such as 30s or 2m") from None


def moment(text: str, before: float, option: str) -> float:
    """`2026-10-29T06:00:00Z`, or `-6h` for so long before `before`, in unix seconds.

    Raises:
        UsageError: it is neither; `option` is what the message calls it.
    """
    try:
        if text.startswith("-"):
            return before - parse_duration(text[1:]).total_seconds()
        if re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", text):
            found = datetime.fromisoformat(text)
            if found.tzinfo is not None:
                return found.timestamp()
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"{option} {text}: must be a time such as 2026-10-29T06:00:00Z, or how long before, such as -6h")
