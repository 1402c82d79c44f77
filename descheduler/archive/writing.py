"""Writing the archive: a cycle is one transaction, and what is too old or too much goes, the oldest first."""

from __future__ import annotations

import collections
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from descheduler.archive.place import Place
from descheduler.execution.outcomes import ActionOutcome, ExecutionReport, PodOutcome
from descheduler.learning.entry import LedgerEntry
from descheduler.model.plan import PlanDocument
from descheduler.model.secrets import hidden
from descheduler.policy import Policy, policy_hash
from descheduler.policy.writing import policy_yaml

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept: seconds back from the newest plan, and bytes of the file."""

    seconds: float
    size: int

    @classmethod
    def of(cls, policy: Policy) -> Bounds:
        """As the policy has them."""
        return cls(policy.report.archive_days * _DAY, policy.report.archive_mib << 20)


class Archive:
    """The archive, opened to write. Every method raises ArchiveError; nothing is half written then."""

    def __init__(self, place: Place) -> None:
        self._db = place.open_to_write()

    def close(self) -> None:
        """No more is written."""
        self._db.close()

    def planned(self, plan: PlanDocument, policy: Policy, *, active: bool) -> None:
        """Keep a plan, before anything of it is carried out, and the policy where it is another than before."""
        with self._db.transaction():
            self._policy(plan.created, policy)
            self._db.execute("DELETE FROM cycles WHERE plan = ?", (plan.id,))
            number = self._cycle(plan, active)
            self._db.executemany(
                "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        number,
                        f.strategy,
                        f.subject,
                        f.measure,
                        f.resource,
                        f.value,
                        f.threshold,
                        f.after,
                        f.outcome,
                        f.text,
                    )
                    for f in plan.findings
                ),
            )
            counts: collections.Counter[str] = collections.Counter()
            for row in plan.refusals:
                counts[row.reason] += row.count
            self._db.executemany(
                "INSERT INTO refusals VALUES (?, ?, ?)", ((number, reason, count) for reason, count in counts.items())
            )
            self._moves(number, plan)
        self._bound(Bounds.of(policy))

    def executed(self, report: ExecutionReport) -> None:
        """Keep what came of a plan that is kept."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE cycles SET evicted = ?, execution = ? WHERE plan = ?",
                (report.evicted, packed(report), report.plan),
            )
            self._db.executemany(
                "UPDATE moves SET result = ?, reason = ?, detail = ?, landed = ?, ready_seconds = ?"
                " WHERE cycle = (SELECT number FROM cycles WHERE plan = ?) AND action = ? AND uid = ?",
                (
                    (*_told(outcome, pod), pod.landed, pod.ready_seconds, report.plan, outcome.action.id, pod.move.uid)
                    for outcome in report.actions
                    for pod in outcome.pods
                ),
            )

    def learned(self, entries: Iterable[LedgerEntry]) -> None:
        """Keep what the ledger knows by now of pods that were evicted: where they came up, whether it helped."""
        with self._db.transaction():
            self._db.executemany(
                "UPDATE moves SET result = 'evicted', landed = ?, ready_seconds = ?, helped = ?"
                " WHERE uid = ? AND action = ? AND cycle = (SELECT number FROM cycles WHERE plan = ?)",
                ((e.landed, e.ready_seconds, _number(e.resolved), e.uid, e.action, e.plan) for e in entries),
            )

    def _policy(self, at: float, policy: Policy) -> None:
        digest = policy_hash(policy)
        last = self._db.execute("SELECT hash FROM policies ORDER BY at DESC, rowid DESC LIMIT 1")
        if not last or last[0][0] != digest:
            self._db.execute("INSERT INTO policies VALUES (?, ?, ?)", (at, digest, hidden(policy_yaml(policy))))

    def _cycle(self, plan: PlanDocument, active: bool) -> int:
        planned = sum(len(action.pods) for action in plan.actions)
        rows = self._db.execute(
            "INSERT INTO cycles (plan, at, active, policy, hot_nodes, planned, problem, document)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (
                plan.id,
                plan.created,
                int(active),
                plan.policy_hash,
                plan.summary.get("hot_nodes_before"),
                planned,
                plan.acting_blocked or "; ".join(plan.problems),
                packed(plan),
            ),
        )
        return int(rows[0][0])

    def _moves(self, number: int, plan: PlanDocument) -> None:
        self._db.executemany(
            "INSERT INTO moves (cycle, action, kind, strategy, executor, pod, uid, workload, source, destination)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    number,
                    action.id,
                    action.kind.value,
                    action.strategy,
                    action.executor,
                    f"{move.namespace}/{move.pod}",
                    move.uid,
                    move.workload,
                    move.source,
                    move.destination,
                )
                for action in plan.actions
                for move in action.pods
            ),
        )

    def _bound(self, bounds: Bounds) -> None:
        with self._db.transaction():
            newest = self._db.execute("SELECT max(at) FROM cycles")[0][0]
            self._db.execute("DELETE FROM cycles WHERE at < ?", (newest - bounds.seconds,))
            while self._db.used() > bounds.size and self._shed():
                pass
            # The policy that was in force when the oldest cycle was planned is still of interest, others are not.
            self._db.execute(
                "DELETE FROM policies WHERE at < (SELECT max(at) FROM policies"
                " WHERE at <= (SELECT min(at) FROM cycles))"
            )
        self._db.give_back()

    def _shed(self) -> bool:
        """Forget the oldest tenth of the cycles; False when only the newest is left."""
        cycles = self._db.execute("SELECT count(*) FROM cycles")[0][0]
        if cycles <= 1:
            return False
        self._db.execute(
            "DELETE FROM cycles WHERE number IN (SELECT number FROM cycles ORDER BY at LIMIT ?)",
            (min(cycles - 1, cycles // 10 + 1),),
        )
        return True


def packed(document: PlanDocument | ExecutionReport) -> bytes:
    """Compressed JSON: a plan of a large cluster is megabytes otherwise."""
    return zlib.compress(msgspec.json.encode(document), 6)


def _number(verdict: bool | None) -> int | None:
    return None if verdict is None else int(verdict)


def _told(outcome: ActionOutcome, pod: PodOutcome) -> tuple[str, str, str]:
    """What became of a pod, and why, where it was left."""
    if pod.evicted:
        return "evicted", "", ""
    blocked = pod.blocked or outcome.blocked
    return ("refused", blocked.reason.value, str(blocked)) if blocked else (outcome.result.value, "", "")
