"""The sentences and cells of a comparison; the table and the page say the same in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from descheduler.model import format as fmt
from descheduler.report import words
from descheduler.report.comparison.document import (
    ALIKE,
    Change,
    ComparedFinding,
    ComparedMove,
    Comparison,
    FindingSide,
    MoveSide,
)

_CHANGES = {
    Change.SAME: "as in {first}",
    Change.ABSENT: "not there",
    Change.GONE: "only in {first}",
    Change.NEW: "only in {plan}",
    Change.OUTCOME: "another outcome",
    Change.VALUE: "other values",
    Change.SOURCE: "from another node",
    Change.DESTINATION: "to another node",
}


def differs(row: ComparedFinding | ComparedMove) -> bool:
    """Whether any plan has it otherwise than the first."""
    return not ALIKE.issuperset(row.changes)


def change(doc: Comparison, changes: Sequence[Change]) -> str:
    """What is otherwise than in the first plan: `only in b.yaml`; of several plans each that differs is named."""
    first, others = doc.plans[0].name, doc.plans[1:]
    if len(others) == 1:
        return _CHANGES[changes[0]].format(first=first, plan=others[0].name)
    told = []
    for plan, one in zip(others, changes, strict=True):
        if one not in ALIKE:
            text = {Change.GONE: "gone", Change.NEW: "new"}.get(one, _CHANGES[one])
            told.append(f"{plan.name}: {text}")
    return "; ".join(told)


def verdict(doc: Comparison) -> str:
    """The comparison in a sentence."""
    if doc.same:
        return "The plans find, move and refuse the same."
    told = [
        fmt.plural(sum(map(differs, rows)), one)
        for rows, one in ((doc.findings, "finding"), (doc.moves, "move"))
        if any(map(differs, rows))
    ]
    told += [
        fmt.plural(sum(len(set(counts)) > 1 for counts in rows), one, many)
        for rows, one, many in (
            ([row.counts for row in doc.refusals], "reason of refusals", "reasons of refusals"),
            ([row.counts for row in doc.restarts], "workload's restarts", "workloads' restarts"),
        )
        if any(len(set(counts)) > 1 for counts in rows)
    ]
    return f"The plans differ in {', '.join(told)}."


def label(number: str) -> str:
    """A total's name for people: `hot_nodes_after` as `Hot nodes, after`."""
    name = number.removesuffix("_after")
    known = words.LABELS.get(name) or words.OUTCOMES.get(name, name.replace("_", " "))
    text = f"{known[:1].upper()}{known[1:]}"
    return f"{text}, after" if name != number else text


def total(value: float | None, number: str) -> str:
    """A total as people read it."""
    if value is None:
        return fmt.UNKNOWN
    return fmt.compact(value) if number in ("worth", "cost") else fmt.number(value)


def changed(values: Iterable[float | None]) -> bool:
    """Whether totals differ."""
    return len(set(values)) > 1


def finding(row: ComparedFinding, side: FindingSide | None) -> str:
    """One side of a finding: `94% → 71%, cured, 3 moves`, with the limit where the plans do not agree on it."""
    if side is None:
        return fmt.UNKNOWN
    level = fmt.percent if "fraction" in row.measure else fmt.number
    told = [f"{level(side.value)} → {level(side.after)}", words.OUTCOMES.get(side.outcome, side.outcome)]
    told += [fmt.plural(side.moves, "move")] if side.moves else []
    told += [f"limit {level(side.threshold)}"] if len({x.threshold for x in row.sides if x is not None}) > 1 else []
    return ", ".join(told)


def move(row: ComparedMove, side: MoveSide | None) -> str:
    """One side of a move: `→ general-03, wave 1`, with where it comes from where the plans do not agree."""
    if side is None:
        return fmt.UNKNOWN
    way = f"{side.source} → {side.destination}" if source(row) == "" else f"→ {side.destination}"
    return f"{way}, wave {side.wave + 1}"


def source(row: ComparedMove) -> str:
    """The node that a pod leaves; empty where plans see it on several."""
    sources = {side.source for side in row.sides if side is not None}
    return sources.pop() if len(sources) == 1 else ""


def difference(counts: Sequence[int]) -> str:
    """Of two counts, how many more the second has: `+3`; empty for none or for several."""
    return f"{counts[1] - counts[0]:+d}" if len(counts) == 2 and counts[0] != counts[1] else ""
