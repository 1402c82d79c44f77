"""Where replacements came up, held against what the plan had said.

What was said depends on who decides. Where the plan chooses nodes (it directs replacements, or holds places for them),
the promise is one of these; where the scheduler decides, it is any node but those that were to be left. The pods of a
workload are alike: of those that left in one plan it does not matter which is where, unless each has a name that
lasts, and is directed by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from descheduler.learning.entry import LedgerEntry


class Landing(StrEnum):
    """Where the replacement of an evicted pod is."""

    UNKNOWN = "unknown"
    """Nowhere yet, or there will be none, or nothing was said."""
    KEPT = "kept"
    """Where the plan had said."""
    BACK = "back"
    """On a node that the plan wanted to be left."""
    ELSEWHERE = "elsewhere"
    """On a node that the plan had not chosen, though it chose."""


def landings(entries: Iterable[LedgerEntry]) -> Mapping[str, Landing]:
    """By uid of the evicted pods."""
    groups: dict[tuple[str, str], list[LedgerEntry]] = {}
    found: dict[str, Landing] = {}
    for entry in entries:
        if entry.removed:  # wherever it is made again
            found[entry.uid] = Landing.UNKNOWN
        else:
            groups.setdefault((entry.plan, entry.workload), []).append(entry)
    for alike in groups.values():
        chosen = {node for entry in alike for node in entry.towards}
        left = {node for entry in alike for node in entry.vacated} - chosen - {entry.predicted for entry in alike}
        found.update({e.uid: _landing(e, left, set(e.towards) if _is_named(e) else chosen) for e in alike})
    return found


def as_expected(entry: LedgerEntry, landing: Landing) -> bool:
    """Whether it came up on one of the very nodes that the plan had named, or is to come up nowhere."""
    if landing is Landing.UNKNOWN:
        return entry.closed
    return landing is Landing.KEPT and (bool(entry.towards) or entry.landed == entry.predicted)


def _is_named(entry: LedgerEntry) -> bool:
    """Whether its replacement has its name (`model/directing.py`)."""
    return entry.workload.split("/")[1:2] == ["StatefulSet"]


def _landing(entry: LedgerEntry, left: set[str], chosen: set[str]) -> Landing:
    if not entry.landed:
        return Landing.UNKNOWN
    if entry.landed in left:
        return Landing.BACK
    return Landing.KEPT if not entry.towards or entry.landed in chosen else Landing.ELSEWHERE
