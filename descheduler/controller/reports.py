"""The latest reports, bounded in number and kept compressed; earlier ones come from the archive, where there is one."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from descheduler.execution.outcomes import ExecutionReport
from descheduler.learning.entry import LedgerEntry
from descheduler.model.plan import PlanDocument

_PART = 64 * 1024  # bytes: so much of a report is in memory for each reader, however slow


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the list of reports. `created` in unix seconds; `evicted` is None when nothing was executed."""

    id: str
    created: float
    moves: int
    findings: int
    refusals: int
    evicted: int | None


@dataclass(frozen=True, slots=True)
class _Kept:
    summary: Summary
    plan: bytes  # compressed JSON: a plan of a large cluster is megabytes otherwise
    execution: bytes


class Reports:
    """The last `keep` reports by plan id; safe to share between threads.

    `older` gives a report that is not among them, plan and execution compressed, None where there is none.
    """

    def __init__(self, keep: int = 24, older: Callable[[str], tuple[bytes, bytes] | None] = lambda _plan: None) -> None:
        self._keep = keep
        self._older = older
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._moves: tuple[LedgerEntry, ...] = ()

    def keep(self, number: int) -> None:
        """Change how many are kept."""
        with self._lock:
            self._keep = number
            self._drop()

    def add(self, plan: PlanDocument, execution: ExecutionReport | None = None) -> None:
        """Keep a plan, or what came of one that is kept already."""
        summary = Summary(
            id=plan.id,
            created=plan.created,
            moves=sum(len(action.pods) for action in plan.actions),
            findings=len(plan.findings),
            refusals=sum(row.count for row in plan.refusals),
            evicted=execution.evicted if execution else None,
        )
        kept = _Kept(summary, _pack(plan), _pack(execution) if execution else b"")
        with self._lock:
            self._kept[plan.id] = kept
            self._kept.move_to_end(plan.id)
            self._drop()

    def remember(self, moves: tuple[LedgerEntry, ...]) -> None:
        """What the ledger knows of past moves now."""
        self._moves = moves

    def moved(self, plan: str) -> tuple[LedgerEntry, ...]:
        """What is known of the moves for a plan."""
        return tuple(entry for entry in self._moves if entry.plan == plan)

    def list(self) -> tuple[Summary, ...]:
        """Newest first."""
        with self._lock:
            return tuple(kept.summary for kept in reversed(self._kept.values()))

    def json(self, plan: str) -> Iterator[bytes] | None:
        """The plan document of a report in parts, None when it is not kept (any more)."""
        found = self._get(plan)
        return _unpacked(found[0]) if found else None

    def execution_json(self, plan: str) -> Iterator[bytes] | None:
        """What came of it, None when nothing was executed."""
        found = self._get(plan)
        return _unpacked(found[1]) if found and found[1] else None

    def execution(self, plan: str) -> ExecutionReport | None:
        """The same as a value."""
        found = self._get(plan)
        return msgspec.json.decode(zlib.decompress(found[1]), type=ExecutionReport) if found and found[1] else None

    def plan(self, plan: str) -> PlanDocument | None:
        found = self._get(plan)
        return msgspec.json.decode(zlib.decompress(found[0]), type=PlanDocument) if found else None

    def _get(self, plan: str) -> tuple[bytes, bytes] | None:
        with self._lock:
            kept = self._kept.get(plan)
        return self._older(plan) if kept is None else (kept.plan, kept.execution)

    def _drop(self) -> None:
        while len(self._kept) > self._keep:
            self._kept.popitem(last=False)


def _pack(document: PlanDocument | ExecutionReport) -> bytes:
    return zlib.compress(msgspec.json.encode(document), 6)


def _unpacked(packed: bytes) -> Iterator[bytes]:
    """The text piece by piece: one of megabytes for each of many slow readers would fill the memory."""
    unpacking = zlib.decompressobj()
    while part := unpacking.decompress(packed, _PART):
        packed = unpacking.unconsumed_tail
        yield part
