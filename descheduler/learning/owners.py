"""Workloads that are left alone, because their pods do not come up where plans say.

Where a replacement lands depends on its workload more than on the strategy that moved it: on preferences of its own,
on a controller that makes its pods in its own way, on nodes that take no others. So it is the workload that waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from descheduler.learning.entry import LedgerEntry
from descheduler.learning.landings import Landing, as_expected, landings
from descheduler.model.format import instant, plural
from descheduler.model.reasons import Blocked, Reason

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Hold:
    """A workload ("namespace/Kind/name") of whose moves the last `missed` missed, the latest first; `until` is unix
    seconds."""

    workload: str
    until: float
    missed: tuple[LedgerEntry, ...]

    @property
    def blocked(self) -> Blocked:
        """The refusal of its pods."""
        pods = ", ".join(f"{e.pod} on {e.landed}" for e in self.missed[:_EXAMPLES])
        detail = f"of its last {plural(len(self.missed), 'move')} none did: {pods}; until {instant(self.until)}"
        return Blocked(Reason.LANDS_ELSEWHERE, self.workload, detail)


def holds(entries: Iterable[LedgerEntry], least: int, seconds: float) -> Mapping[str, Hold]:
    """By workload, of which the moves of the last `least` plans missed without one that did not: held for `seconds`
    after the latest. With `least` 0 none is."""
    entries = tuple(entries)
    where = landings(entries)
    missed: dict[str, list[LedgerEntry]] = {}
    for entry in entries if least else ():
        if _missed(entry, where[entry.uid]):
            missed.setdefault(entry.workload, []).append(entry)
        elif where[entry.uid] is Landing.KEPT:
            missed.pop(entry.workload, None)
    return {
        workload: Hold(workload, own[-1].at + seconds, tuple(reversed(own)))
        for workload, own in missed.items()
        if len({entry.plan for entry in own}) >= least
    }


def _missed(entry: LedgerEntry, landing: Landing) -> bool:
    """Whether it came up where it was not to be, or did harm where nobody had expected it. What missed its goal though
    it is where it was to be is not the workload's doing."""
    if landing in (Landing.BACK, Landing.ELSEWHERE):
        return True
    goal = entry.goal
    by_place = goal is not None and (goal.load or goal.free_room)
    return by_place and entry.resolved is False and not entry.waiting and not as_expected(entry, landing)
