"""Ledgers of moves that were made by hand: pods of workloads, from n1 to where they landed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from builders import NOW
from descheduler.execution.outcomes import ActionOutcome, PodOutcome, Result
from descheduler.learning.ledger import Ledger
from descheduler.learning.verification import goals_of
from descheduler.model.plan import Action, FindingRow, NodeRow, NodeUse, PlanDocument, PodMove
from execution.plans import action, finding, move, plan

HOUR = 3600.0


def heat(node: str = "n1", value: float = 0.9, after: float = 0.6, **changes: object) -> FindingRow:
    """A hot node, as a plan finds it: with the curve of its forecast, which is flat."""
    row = finding(subject=f"node/{node}")
    curves = {"curve": (value,) * 24, "curve_after": (after,) * 24, "step_seconds": 300}
    return replace(row, value=value, after=after, **curves, **changes)  # type: ignore[arg-type]


def row(node: str, pool: str = "default") -> NodeRow:
    use = NodeUse(0.5, 0.5, 0.5, 0.5, 0.0, 10)
    return NodeRow(node, pool, 0, True, use, use)


def directed(pod: str, *towards: str, **where: str) -> PodMove:
    return replace(move(pod, destination=towards[0], **where), towards=towards, direction="c")


def done(
    ledger: Ledger,
    *moves: tuple[PodMove, str],
    at: float = NOW,
    found: FindingRow | None = None,
    name: str = "",
    pool: str = "default",
    of: Action | None = None,
    landing: str = "directed",
) -> Ledger:
    """The ledger after one action moved the pods; each with where its replacement landed, "" where it has none."""
    acted = of or action(*(one for one, _ in moves))
    document = plan(acted, findings=[found or heat()], name=name or f"p-{moves[0][0].pod}-{at}")
    document = replace(document, nodes=(row(moves[0][0].source, pool),), landing=landing)
    pods = tuple(
        PodOutcome(one, True, at=at, landed=landed, successor=f"s-{one.uid}", ready_seconds=5.0 if landed else None)
        for one, landed in moves
    )
    return ledger.record([ActionOutcome(acted, Result.DONE, pods)], document.id, goals_of(document))


def later(*findings: FindingRow, actions: Sequence[Action] = ()) -> PlanDocument:
    """What a plan says that is made when moves have settled."""
    return plan(*actions, findings=findings, name="later")


def verdicts(ledger: Ledger, *findings: FindingRow, at: float = NOW + HOUR) -> list[bool | None]:
    return [entry.resolved for entry in ledger.judge(later(*findings), at).entries]


def run(
    ledger: Ledger, hits: Iterable[bool], at: float = NOW, pool: str = "default", namespace: str = "default"
) -> Ledger:
    """Moves, an hour apart, of one workload each: a hit lands on n2, a miss is back on n1; all are judged."""
    for i, hit in enumerate(hits):
        when = at + i * HOUR
        one = move(f"{namespace}-{pool}-{when:.0f}-0", namespace=namespace)
        ledger = done(ledger, (one, "n2" if hit else "n1"), at=when, pool=pool)
        ledger = ledger.judge(later(), when + HOUR / 2)
    return ledger
