"""Reading the archive, question by question, while it is written."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from descheduler.archive.answers import (
    Cycle,
    Found,
    Hour,
    KeptFinding,
    Move,
    NodeHistory,
    PlanHistory,
    PolicyChange,
    PolicyHistory,
    RefusalDay,
    RefusalHistory,
    Timeline,
    WorkloadHistory,
)
from descheduler.archive.place import Place, Row, Session
from descheduler.archive.schema import ArchiveError
from descheduler.model.subjects import Subject, SubjectKind

_GAP = 3600.0  # seconds: for longer nobody looked, and nobody knows
_LISTED = 300  # rows of a kind in one answer
_FOUND = 50
_DAY = 86_400.0
_HOUR = 3600.0
_MOVE = (
    "SELECT c.plan, c.at, m.action, m.kind, m.strategy, m.executor, m.pod, m.workload, m.source, m.destination,"
    " m.result, m.reason, m.detail, m.landed, m.ready_seconds, m.helped"
    " FROM moves m JOIN cycles c ON c.number = m.cycle"
)
_FINDING = (
    "SELECT c.plan, c.at, f.strategy, f.subject, f.measure, f.resource, f.value, f.threshold, f.after, f.outcome,"
    " f.text FROM findings f JOIN cycles c ON c.number = f.cycle"
)
_CYCLE = (
    "SELECT number, plan, at, active, policy, hot_nodes, planned, evicted, problem,"
    " (SELECT min(n.at) FROM cycles n WHERE n.at > cycles.at) FROM cycles"
)


class Reader:
    """Each question opens the archive anew. Raises ArchiveError whatever stands in the way."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def timeline(self, days: float) -> Timeline:
        """The last so many days before the newest plan."""
        with self._open() as db:
            newest = db.execute("SELECT max(at) FROM cycles")[0][0] or 0.0
            since = newest - days * _DAY
            cycles = _cycles(db, "WHERE at >= ? ORDER BY at DESC", (since,))
        return Timeline(
            days=days,
            hot_minutes=sum(cycle.hot_minutes or 0.0 for cycle in cycles),
            evicted=sum(cycle.evicted or 0 for cycle in cycles),
            helped=sum(cycle.helped for cycle in cycles),
            missed=sum(cycle.missed for cycle in cycles),
            left_out=max(0, len(cycles) - _LISTED),
            hours=_hours(cycles),
            cycles=tuple(cycles[:_LISTED]),
        )

    def plan(self, plan: str) -> PlanHistory | None:
        """One plan; None when it is not kept (any more)."""
        with self._open() as db:
            cycles = _cycles(db, "WHERE plan = ?", (plan,))
            if not cycles:
                return None
            refusals = db.execute(
                "SELECT reason, count FROM refusals JOIN cycles ON number = cycle WHERE plan = ? ORDER BY count DESC",
                (plan,),
            )
            return PlanHistory(
                cycles[0],
                _findings(db, "c.plan = ?", plan),
                _moves(db, "c.plan = ?", plan),
                {str(reason): int(count) for reason, count in refusals},
            )

    def workload(self, workload: str) -> WorkloadHistory | None:
        """By `namespace/Kind/name`; None when no pod of it was ever planned to go."""
        with self._open() as db:
            moves = _moves(db, "m.workload = ?", workload)
        return WorkloadHistory(workload, moves) if moves else None

    def node(self, node: str) -> NodeHistory | None:
        """None when nothing was found about it, and nothing moved from it or to it."""
        with self._open() as db:
            findings = _findings(db, "f.subject = ?", str(Subject(SubjectKind.NODE, node)))
            moves = _moves(db, "? IN (m.source, CASE m.landed WHEN '' THEN m.destination ELSE m.landed END)", node)
        return NodeHistory(node, findings, moves) if findings or moves else None

    def refusals(self, days: float) -> RefusalHistory:
        """By day and reason."""
        with self._open() as db:
            rows = db.execute(
                f"SELECT {db.day} AS day, reason, count(*), avg(count), max(count) FROM refusals"
                " JOIN cycles ON number = cycle WHERE at >= (SELECT max(at) FROM cycles) - ?"
                " GROUP BY day, reason ORDER BY day DESC, avg(count) DESC, reason",
                (days * _DAY,),
            )
        return RefusalHistory(
            tuple(RefusalDay(day, reason, n, float(mean), most) for day, reason, n, mean, most in rows)
        )

    def policies(self) -> PolicyHistory:
        """The policies that came into force one after the other."""
        with self._open() as db:
            rows = db.execute("SELECT at, hash, text FROM policies ORDER BY at, rowid")
        before, changes = "", []
        for at, digest, text in rows:
            lines = difflib.unified_diff(before.splitlines(), text.splitlines(), "before", "after", lineterm="", n=2)
            changes.append(PolicyChange(at, digest, text, "\n".join(lines) if before else ""))
            before = text
        return PolicyHistory(tuple(reversed(changes)))

    def search(self, text: str) -> Found:
        """Whatever has this in its name, whatever its case; nothing for no text."""
        with self._open() as db:

            def named(query: str) -> tuple[str, ...]:
                like = f"%{_escaped(text)}%"
                rows = db.execute(f"{query} {db.like} ? ESCAPE '\\' ORDER BY 1 LIMIT {_FOUND}", (like,)) if text else ()
                return tuple(row[0] for row in rows)

            return Found(
                text,
                plans=named("SELECT plan FROM cycles WHERE plan"),
                workloads=named("SELECT DISTINCT workload FROM moves WHERE workload"),
                nodes=named(
                    "SELECT DISTINCT node FROM (SELECT source AS node FROM moves UNION SELECT landed FROM moves UNION"
                    " SELECT substr(subject, 6) FROM findings WHERE subject LIKE 'node/%') AS named"
                    " WHERE node != '' AND node"
                ),
                pods=named("SELECT DISTINCT pod FROM moves WHERE pod"),
            )

    def older(self, plan: str) -> tuple[bytes, bytes] | None:
        """A plan and what came of it, compressed JSON, the latter empty where nothing was carried out.

        None where it is not kept, or cannot be read now.
        """
        try:
            with self._open() as db:
                rows = db.execute("SELECT document, execution FROM cycles WHERE plan = ?", (plan,))
        except ArchiveError:
            return None
        return (rows[0][0], rows[0][1] or b"") if rows else None

    @contextmanager
    def _open(self) -> Iterator[Session]:
        session = self._place.open_to_read()
        try:
            yield session
        finally:
            session.close()


def _cycles(db: Session, where: str, arguments: Row) -> list[Cycle]:
    rows = db.execute(f"{_CYCLE} {where}", arguments)
    wanted = f"cycle IN (SELECT number FROM cycles {where})"
    outcomes: dict[int, dict[str, int]] = {}
    counts = f"SELECT cycle, outcome, count(*) FROM findings WHERE {wanted} GROUP BY cycle, outcome"
    for number, outcome, count in db.execute(counts, arguments):
        outcomes.setdefault(number, {})[outcome] = count
    verdicts: dict[int, list[int]] = {}
    judged = f"SELECT cycle, min(helped) FROM moves WHERE {wanted} AND helped IS NOT NULL GROUP BY cycle, action"
    for number, helped in db.execute(judged, arguments):
        verdicts.setdefault(number, []).append(helped)
    return [_cycle(row, outcomes.get(row[0], {}), verdicts.get(row[0], [])) for row in rows]


def _cycle(row: Row, findings: Mapping[str, int], verdicts: list[int]) -> Cycle:
    _, plan, at, active, policy, hot, planned, evicted, problem, then = row
    minutes = hot * min(then - at, _GAP) / 60.0 if hot is not None and then is not None else None
    helped = sum(verdicts)
    missed = len(verdicts) - helped
    return Cycle(plan, at, bool(active), policy, hot, minutes, planned, evicted, helped, missed, findings, problem)


def _hours(cycles: list[Cycle]) -> tuple[Hour, ...]:
    """Oldest first; hours without a plan are not there."""
    sums: dict[float, list[Cycle]] = {}
    for cycle in reversed(cycles):
        sums.setdefault(cycle.at // _HOUR * _HOUR, []).append(cycle)
    return tuple(
        Hour(
            at,
            sum(cycle.hot_minutes or 0.0 for cycle in own),
            sum(cycle.planned for cycle in own),
            sum(cycle.evicted or 0 for cycle in own),
        )
        for at, own in sums.items()
    )


def _moves(db: Session, where: str, value: str) -> tuple[Move, ...]:
    rows = db.execute(f"{_MOVE} WHERE {where} ORDER BY c.at DESC, m.rowid LIMIT {_LISTED}", (value,))
    return tuple(Move(*(*row, None if helped is None else bool(helped))) for *row, helped in rows)


def _findings(db: Session, where: str, value: str) -> tuple[KeptFinding, ...]:
    rows = db.execute(f"{_FINDING} WHERE {where} ORDER BY c.at DESC, f.rowid LIMIT {_LISTED}", (value,))
    return tuple(KeptFinding(*row) for row in rows)


def _escaped(text: str) -> str:
    for character in "\\%_":
        text = text.replace(character, f"\\{character}")
    return text
