"""The circuit breaker: who is left in peace because evicted pods have no ready replacement, and until when.

A replacement may be late because the cluster is unwell, or because its own workload is: a bad probe, an image that
cannot be pulled. So what is late speaks for its workload first, for its namespace when several workloads of it fail,
and for everybody only when several namespaces fail and they are a share of those that were moved: no one tenant closes
the others' way. All of it follows from what the ledger keeps, so it outlives restarts and changes of the leader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from descheduler.learning.entry import LedgerEntry
from descheduler.model.format import instant, plural
from descheduler.model.reasons import Blocked, Reason
from descheduler.policy.acting import ActingPolicy

_WORKLOADS = 2  # of which a namespace is not well; with one it is that workload
_EXAMPLES = 3
_TOLD = 5


@dataclass(frozen=True, slots=True)
class CircuitRules:
    """When replacements are late, and for whom that counts. Times are in seconds.

    limit: so many late replacements make a namespace, or everybody, wait. Of a workload its last `limit` moves count,
        of a namespace the last 2 * `limit`, of everybody so many namespaces.
    after: a replacement that is not ready by then is late, until its eviction is `window` ago: then it is somebody
        else's problem.
    share: a workload or namespace fails when at least this share of its moves is late; everybody waits when at least
        this share of the namespaces fails.
    namespaces: but only if so many fail, or all that were moved when those are fewer.
    alone: where only one namespace was moved, so that nothing tells how others would fare, everybody waits no longer
        than this; then it is tried.
    """

    limit: int
    after: float
    share: float
    namespaces: int
    window: float = 6 * 3600.0
    alone: float = 3600.0

    @classmethod
    def of(cls, acting: ActingPolicy) -> Self:
        return cls(
            limit=acting.pending_limit,
            after=acting.pending_after.total_seconds(),
            share=acting.pending_share,
            namespaces=acting.pending_namespaces,
        )


class Scope(StrEnum):
    """Whom an open circuit holds."""

    ALL = "all"
    NAMESPACE = "namespace"
    WORKLOAD = "workload"


@dataclass(frozen=True, slots=True)
class Opening:
    """The circuit is open for `name` (empty: for everybody) until unix seconds `until`, or until what is late is ready.

    `late` of its last `known` moves are, the latest first.
    """

    scope: Scope
    name: str
    until: float
    known: int
    late: tuple[LedgerEntry, ...]

    @property
    def blocked(self) -> Blocked:
        """The refusal of whoever it holds."""
        pods = ", ".join(sorted(entry.pod for entry in self.late)[:_EXAMPLES])
        of = plural(self.known, "evicted pod")
        detail = f"{len(self.late)} of the last {of} have no ready replacement: {pods}; until {instant(self.until)}"
        by = f"{self.scope}/{self.name}" if self.name else "ledger"
        return Blocked(Reason.CIRCUIT_OPEN, by, f"{detail}, or till they have")


@dataclass(frozen=True, slots=True)
class Circuit:
    """Where acting is paused: for `everyone`, for namespaces and for workloads by their names."""

    everyone: Opening | None = None
    namespaces: Mapping[str, Opening] = field(default_factory=dict)
    workloads: Mapping[str, Opening] = field(default_factory=dict)

    def holding(self, namespace: str, workload: str) -> Opening | None:
        """What holds pods of that workload ("namespace/Kind/name"), whatever holds everybody."""
        return self.workloads.get(workload) or self.namespaces.get(namespace)

    def openings(self) -> Iterator[Opening]:
        """All that is open, the widest first."""
        if self.everyone is not None:
            yield self.everyone
        yield from self.namespaces.values()
        yield from self.workloads.values()


def told(found: Circuit) -> tuple[str, ...]:
    """Whom it holds, the widest first, for people; not more than they read."""
    lines = [str(opening.blocked) for opening in found.openings()]
    more = len(lines) - _TOLD
    return (*lines[:_TOLD], f"and {more} more") if more > 0 else tuple(lines)


def circuit(entries: Iterable[LedgerEntry], now: float, rules: CircuitRules) -> Circuit:
    """What is open at `now`; `entries` in the order of time."""
    recent = (e for e in entries if now - e.at < rules.window)
    known = [e for e in recent if e.ready_seconds is not None or is_late(e, now, rules)]
    if not any(e.waiting for e in known):
        return Circuit()
    workloads = _failing(_grouped(known, lambda e: e.workload, rules.limit), rules.share)
    return Circuit(
        everyone=_everyone(known, now, rules),
        namespaces=dict(_unwell(known, workloads, rules)),
        workloads={name: _opening(Scope.WORKLOAD, name, moves, rules.window) for name, moves in workloads.items()},
    )


def is_late(entry: LedgerEntry, now: float, rules: CircuitRules) -> bool:
    """Whether its replacement should be ready by now and is not."""
    return entry.waiting and rules.after < now - entry.at < rules.window


def _everyone(known: Sequence[LedgerEntry], now: float, rules: CircuitRules) -> Opening | None:
    """Judged by the namespaces that were moved last, and of each by what was moved together last: each counts once,
    however much of it is moved."""
    moved = _grouped(known, lambda e: e.namespace, len(known))
    newest = sorted(moved.values(), key=lambda moves: -moves[-1].at)[: 2 * rules.limit]
    last = {moves[-1].namespace: [e for e in moves if moves[-1].at - e.at <= rules.after] for moves in newest}
    failing = _failing(last, rules.share)
    enough = len(failing) >= max(min(rules.namespaces, len(moved)), rules.share * len(last))
    if not enough or sum(_late(moved[name]) for name in failing) < rules.limit:
        return None
    seconds = rules.window if len(moved) > 1 else rules.after + rules.alone
    opening = _opening(Scope.ALL, "", sorted((e for each in last.values() for e in each), key=lambda e: e.at), seconds)
    return opening if now < opening.until else None


def _unwell(
    known: Sequence[LedgerEntry], failing: Mapping[str, Sequence[LedgerEntry]], rules: CircuitRules
) -> Iterator[tuple[str, Opening]]:
    """Namespaces of which several workloads fail, and a share of those that were moved."""
    for name, moves in _failing(_grouped(known, lambda e: e.namespace, 2 * rules.limit), rules.share).items():
        workloads = {e.workload for e in moves}
        unwell = len(workloads & failing.keys())
        if _late(moves) >= rules.limit and unwell >= max(_WORKLOADS, rules.share * len(workloads)):
            yield name, _opening(Scope.NAMESPACE, name, moves, rules.window)


def _grouped(
    moves: Iterable[LedgerEntry], key: Callable[[LedgerEntry], str], most: int
) -> Mapping[str, Sequence[LedgerEntry]]:
    """The last moves of each workload or namespace, `most` at most."""
    groups: dict[str, list[LedgerEntry]] = {}
    for entry in moves:
        groups.setdefault(key(entry), []).append(entry)
    return {name: groups[name][-most:] for name in sorted(groups)}


def _failing(groups: Mapping[str, Sequence[LedgerEntry]], share: float) -> Mapping[str, Sequence[LedgerEntry]]:
    """Those of whose moves at least the share is late."""
    return {name: moves for name, moves in groups.items() if _late(moves) >= max(1.0, share * len(moves))}


def _late(moves: Iterable[LedgerEntry]) -> int:
    return sum(e.waiting for e in moves)  # what is known and still waits is late


def _opening(scope: Scope, name: str, moves: Sequence[LedgerEntry], seconds: float) -> Opening:
    late = tuple(e for e in reversed(moves) if e.waiting)
    return Opening(scope, name, late[0].at + seconds, len(moves), late)
