"""Regular expressions that others write, for names: those that Go matches in one pass and Python may not are refused.

Go's `regexp` never goes back in a text. Python's `re` tries one way after the other to match it, of which there may be
more than it can try in a lifetime: (a+)+ divides a name in 2^N ways.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]  # what patterns are made of has no other name
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from descheduler.model.fence import Unreadable, shortened

_LONGEST = 1000  # characters of a pattern, far beyond any that lists nodes by what their names have in common
_NAME = 253  # characters of a name in Kubernetes (RFC 1123 subdomain)
_MOST_WAYS = math.log(2e7)  # three of .* in a row, some seconds at the worst


@lru_cache(maxsize=512)
def pattern_of(text: str) -> re.Pattern[str]:
    """The pattern. Raises Unreadable for one that is no regular expression, or that may take too long."""
    if len(text) > _LONGEST:
        raise Unreadable("", f"the pattern {shortened(text)!r} is too long")
    try:
        ways = _ways(parser.parse(text))
        found = re.compile(text) if ways <= _MOST_WAYS else None
    except (re.error, OverflowError, RecursionError) as e:
        raise Unreadable("", f"the pattern {shortened(text)!r} is no regular expression") from e
    if found is None:
        raise Unreadable("", f"the pattern {shortened(text)!r} may take too long to match")
    return found


def _ways(tree: Any) -> float:
    """In how many ways a part of a pattern can match one name at the most, as a logarithm."""
    return sum((_ways_of(code, given) for code, given in tree), 0.0)


def _ways_of(code: Any, given: Any) -> float:
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, part = given
        times = min(int(most), _NAME)
        return math.log(max(1, times - min(int(least), times) + 1)) + times * _ways(part)
    if code is codes.BRANCH:
        return math.log(sum(math.exp(min(_ways(part), 100.0)) for part in given[1]))
    parts = given if isinstance(given, tuple) else (given,)
    return sum((_ways(part) for part in parts if isinstance(part, parser.SubPattern)), 0.0)
