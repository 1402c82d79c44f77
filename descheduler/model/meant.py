"""What was meant by a name that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The name that is most like the word, whatever its case; empty when none is alike."""
    by_case = {_plain(name): name for name in known}
    near = difflib.get_close_matches(_plain(word), by_case, n=1, cutoff=cutoff)
    return by_case[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """` (did you mean X?)`, or the empty text when nothing is near."""
    near = nearest(word, known, cutoff)
    return f" (did you mean {near}?)" if near else ""


def hint_at(wrong: str, there: Iterable[str]) -> str:
    """What was meant, or else all that there is; goes behind a sentence that says what is wrong."""
    names = sorted(there)
    return did_you_mean(wrong, names) or f"; there are {', '.join(names) or 'none'}"


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
