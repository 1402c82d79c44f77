"""Keeps the archive beside the loop: whatever becomes of the disk, no cycle waits for it or fails with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from queue import Full, Queue

import structlog

from descheduler.archive.place import Place
from descheduler.archive.schema import ArchiveError
from descheduler.archive.writing import Archive
from descheduler.execution.outcomes import ExecutionReport
from descheduler.learning.entry import LedgerEntry
from descheduler.learning.ledger import Ledger
from descheduler.model.plan import PlanDocument
from descheduler.policy import Policy

log = structlog.get_logger(__name__)
_WAITING = 16  # pieces that wait for the disk; a plan of a large cluster is tens of megabytes
_LAST = 10.0  # seconds, at the end, for what still waits

_Work = Callable[[Archive], None]


class Keeper:
    """Writes in a thread of its own, named `archive`, what the loop hands over.

    `told` hears after each piece why it is not kept, "" when it is. What cannot be written is lost, and counted so.
    """

    def __init__(self, place: Place, told: Callable[[str], None]) -> None:
        self._place, self._told = place, told
        self._waiting: Queue[_Work | None] = Queue(_WAITING)
        self._known: frozenset[LedgerEntry] = frozenset()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
        self._thread.start()

    def planned(self, plan: PlanDocument, policy: Policy, *, active: bool) -> None:
        """A plan, before it is carried out."""
        self._hand(partial(Archive.planned, plan=plan, policy=policy, active=active))

    def executed(self, report: ExecutionReport) -> None:
        """What came of it."""
        self._hand(partial(Archive.executed, report=report))

    def learned(self, ledger: Ledger) -> None:
        """What is known by now of earlier moves; only what is news is written."""
        entries = frozenset(ledger.entries)
        news = entries - self._known
        if news and self._hand(partial(Archive.learned, entries=tuple(news))):
            self._known = entries

    def stop(self) -> None:
        """Write what waits, for a while, and end."""
        try:
            self._waiting.put(None, timeout=_LAST)
        except Full:
            return
        self._thread.join(_LAST)

    def _hand(self, work: _Work) -> bool:
        try:
            self._waiting.put_nowait(work)
        except Full:
            self._told(f"{self._place.name} takes nothing any more: {_WAITING} pieces wait to be written")
            return False
        return True

    def _run(self) -> None:
        archive: Archive | None = None
        while (work := self._waiting.get()) is not None:
            try:
                archive = archive or Archive(self._place)
                work(archive)
            except ArchiveError as error:
                log.error("history is not kept", path=self._place.name, error=str(error))
                self._told(f"{self._place.name}: {error}")
                if archive is not None:
                    archive.close()
                archive = None
            else:
                self._told("")
        if archive is not None:
            archive.close()
