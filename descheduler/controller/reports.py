"""The latest reports, bounded in number and kept compressed."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
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
    """The last `keep` reports by plan id; safe to share between threads."""

    def __init__(self, keep: int = 24) -> None:
        self._keep = keep
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
        kept = self._get(plan)
        return _unpacked(kept.plan) if kept else None

    def execution_json(self, plan: str) -> Iterator[bytes] | None:
        """What came of it, None when nothing was executed."""
        kept = self._get(plan)
        return _unpacked(kept.execution) if kept and kept.execution else None

    def execution(self, plan: str) -> ExecutionReport | None:
        """The same as a value."""
        kept = self._get(plan)
        packed = kept.execution if kept else b""
        return msgspec.json.decode(zlib.decompress(packed), type=ExecutionReport) if packed else None

    def plan(self, plan: str) -> PlanDocument | None:
        kept = self._get(plan)
        return msgspec.json.decode(zlib.decompress(kept.plan), type=PlanDocument) if kept else None

    def _get(self, plan: str) -> _Kept | None:
        with self._lock:
            return self._kept.get(plan)

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
