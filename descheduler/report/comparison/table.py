"""A comparison in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from descheduler.model import format as fmt
from descheduler.report import words as plan_words
from descheduler.report.cells import section
from descheduler.report.cells import table as _table
from descheduler.report.comparison import words
from descheduler.report.comparison.document import Comparison


def render(doc: Comparison, console: Console) -> None:
    """Print what differs; what does not is counted."""
    for part in _parts(doc):
        console.print(part)


def _parts(doc: Comparison) -> Iterable[RenderableType]:
    yield from _head(doc)
    yield section("Totals", _totals(doc))
    if doc.findings:
        yield section("Findings", _findings(doc))
    if doc.moves:
        yield section("Moves", _moves(doc))
    if doc.restarts:
        yield section("Restarts", _restarts(doc))
    if doc.refusals:
        yield section("Not moved", _refusals(doc))


def _head(doc: Comparison) -> Iterable[Text]:
    for plan in doc.plans:
        line = Text.assemble((plan.name, "bold"), f"  plan {plan.id}")
        line.append(f", policy {plan.policy_hash}, {plan.cluster or 'cluster'}, {fmt.instant(plan.created)}", "dim")
        yield line
        for remark in plan.remarks:
            yield Text(f"  {plan_words.sentence(remark)}", style="dim")
        if plan.acting_blocked:
            yield Text(f"  Nothing may be executed: {plan.acting_blocked}", style="bold red")
        for problem in plan.problems:
            yield Text(f"  ! {problem}", style="yellow")
    yield Text()
    yield Text(words.verdict(doc), style="bold")
    for note in doc.notes:
        yield Text(plan_words.sentence(note), style="dim")


def _names(doc: Comparison) -> list[str]:
    return [plan.name for plan in doc.plans]


def _totals(doc: Comparison) -> Table:
    names = _names(doc)
    table = _table("", *names, right=tuple(names))
    for key, values in doc.numbers.items():
        style = "bold" if words.changed(values) else "dim"
        cells = [Text(words.total(value, key), style=style) for value in values]
        table.add_row(Text(words.label(key), style=style), *cells)
    return table


def _findings(doc: Comparison) -> RenderableType:
    table = _table("what", "strategy", *_names(doc), "difference")
    for row in filter(words.differs, doc.findings):
        what = Text(f"{plan_words.subject(row.subject)}: {row.measure.removesuffix(', fraction of allocatable')}")
        sides = [words.finding(row, side) for side in row.sides]
        table.add_row(what, Text(row.strategy, style="dim"), *sides, words.change(doc, row.changes))
    return _with_rest(table, len(doc.findings), "finding", "findings")


def _moves(doc: Comparison) -> RenderableType:
    table = _table("pod", "from", *_names(doc), "difference")
    for row in filter(words.differs, doc.moves):
        sides = [words.move(row, side) for side in row.sides]
        table.add_row(f"{row.namespace}/{row.pod}", words.source(row), *sides, words.change(doc, row.changes))
    return _with_rest(table, len(doc.moves), "move", "moves")


def _restarts(doc: Comparison) -> RenderableType:
    table = _table("workload", *_names(doc), "", right=(*_names(doc), ""))
    for row in doc.restarts:
        if words.changed(row.counts):
            table.add_row(row.workload, *map(fmt.number, row.counts), words.difference(row.counts))
    return _with_rest(table, len(doc.restarts), "workload", "workloads")


def _refusals(doc: Comparison) -> RenderableType:
    table = _table("reason", *_names(doc), "", "because", right=(*_names(doc), ""))
    for row in doc.refusals:
        if words.changed(row.counts):
            counts = (*map(fmt.number, row.counts), words.difference(row.counts))
            table.add_row(row.reason, *counts, Text(row.explanation, style="dim"))
    return _with_rest(table, len(doc.refusals), "reason", "reasons")


def _with_rest(table: Table, count: int, one: str, many: str) -> RenderableType:
    """The rows that differ, and how many do not."""
    rest = count - table.row_count
    if not rest:
        return table
    text = Text(f"{fmt.plural(rest, one, many)} {'is' if rest == 1 else 'are'} the same.", style="dim")
    return Group(table, text) if table.row_count else text
