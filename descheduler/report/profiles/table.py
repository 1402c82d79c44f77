"""Profiles in a terminal: the explanation of one, and the list of many."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from descheduler.model import format as fmt
from descheduler.model.workloads import WorkloadKey
from descheduler.report.cells import section
from descheduler.report.profiles.document import ProfileDocument
from descheduler.report.profiles.plot import plot
from descheduler.report.profiles.words import against, level, ours, peaks, share, trust, unit_of, verdict, yesterday
from descheduler_profiling.export import ProfilesDocument, SignalDocument, WorkloadProfile


def render_explanation(doc: ProfileDocument, console: Console) -> None:
    """Print the explanation; with a plot when somebody watches."""
    console.print(_head(doc))
    for problem in doc.problems:
        console.print(Text(f"! {problem}", style="yellow"))
    if console.is_terminal and any(value is not None for value in doc.history):
        console.print(Text())
        for line in plot(doc, console.width):
            console.print(line, soft_wrap=True)
    if doc.known:
        console.print(section(f"Forecast of one replica{_in(doc.unit)}", Group(_forecast(doc), Text(peaks(doc)))))
    if doc.rules:
        console.print(section("Tried on its past, a day ahead", Group(_rules(doc), _note(doc))))
    if doc.race:
        console.print(section("Race of the models (pinball loss)", _race(doc)))


def render_profiles(doc: ProfilesDocument, console: Console, *, wide: bool = False) -> None:
    """Print the list of each signal."""
    for signal in doc.signals:
        count = fmt.plural(len(signal.workloads), "workload")
        console.print(Text(f"{signal.signal}{_in(signal.unit)}, {count}", style="bold"))
        for problem in signal.problems:
            console.print(Text(f"! {problem}", style="yellow"))
        console.print(_listed(signal, wide))


def _head(doc: ProfileDocument) -> RenderableType:
    line = Text()
    line.append(doc.workload, style="bold")
    line.append(f"  {doc.signal}, {doc.cluster or 'cluster'}, {fmt.instant(doc.origin)}", style="dim")
    trusted = Text(trust(doc), style="" if doc.known and doc.complete else "red")
    if not doc.known:
        return Group(line, trusted)
    return Group(line, trusted, *(Text(sentence) for sentence in (verdict(doc), yesterday(doc)) if sentence))


def _in(unit: str) -> str:
    return f", {unit_of(unit)}" if unit_of(unit) else ""


def _table(left: Iterable[str], right: Iterable[str], *, fold: bool = True) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for column in left:
        table.add_column(Text(column), overflow="fold", no_wrap=not fold)
    for column in right:
        table.add_column(Text(column), justify="right", no_wrap=True)
    return table


def _row(table: Table, *cells: str | Text, style: str = "") -> None:
    """Cells are plain text: a `[` in a name is no markup."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), style=style)


def _forecast(doc: ProfileDocument) -> Table:
    names = [fmt.horizon(h) for h in doc.horizons]
    tested = any(value is not None for line in doc.coverage for value in line)
    right = [*(f"in {name}" for name in names), *(f"covered {name}" for name in names if tested)]
    table = _table(["", "model"], right)
    for q, quantile in enumerate(doc.quantiles):
        numbers = [fmt.usage(value, doc.unit) for value in doc.usage[q]]
        covered = [share(value) for value in doc.coverage[q]] if tested else []
        _row(table, level(quantile), Text(doc.models[q], style="dim"), *numbers, *covered)
    return table


def _rules(doc: ProfileDocument) -> Table:
    columns = [f"{level(q)} {what}" for q in doc.quantiles for what in ("loss", "covered", "promised")]
    table = _table(["rule"], columns)
    mine = ours(doc)
    for rule in doc.rules:
        cells = []
        for q in range(len(doc.quantiles)):
            loss = fmt.usage(rule.day_loss[q], doc.unit) if rule.ours or mine is None else against(rule, mine, q)
            cells += [loss, share(rule.day_coverage[q]), fmt.usage(rule.day_promised[q], doc.unit)]
        _row(table, rule.rule, *cells, style="green" if rule.ours else "")
    return table


def _note(doc: ProfileDocument) -> Text:
    when = f"{fmt.instant(doc.tried_at[0])[:16]} to {fmt.instant(doc.tried_at[-1])[:16]}"
    return Text(
        f"At {len(doc.tried_at)} instants, {when}. Losses of others are multiples of ours; more than 1× is worse. "
        "Covered: the share of what came that was at or under the forecast. Promised: the mean forecast.",
        style="dim",
    )


def _race(doc: ProfileDocument) -> Table:
    table = _table(["model"], [level(q) for q in doc.quantiles])
    losses = {(one.model, one.quantile): one.loss for one in doc.race}
    for model in dict.fromkeys(one.model for one in doc.race):
        _row(table, model, *(fmt.usage(losses.get((model, q)), doc.unit) for q in doc.quantiles))
    return table


def _listed(signal: SignalDocument, wide: bool) -> Table:
    names = [fmt.horizon(h) for h in signal.horizons]
    shown = range(len(names)) if wide else sorted({min(1, len(names) - 1), len(names) - 1})
    right = [f"{level(q)} {names[b]}" for b in shown for q in signal.quantiles]
    right += ["peak 24h", "confidence"]
    table = _table(["workload"], right, fold=False)
    table.add_column(Text("model, remarks"), overflow="fold" if wide else "ellipsis", no_wrap=not wide)
    for one in signal.workloads:
        usage = [fmt.usage(_at(one.usage, q, b), signal.unit) for b in shown for q in range(len(signal.quantiles))]
        remarks = Text(_remarks(one), style="dim")
        _row(
            table,
            str(WorkloadKey(one.namespace, one.kind, one.name)),
            *usage,
            fmt.usage(one.peak_day, signal.unit),
            Text(f"{one.confidence:.2f}", style="" if one.confidence > 0 else "red"),
            remarks,
        )
    return table


def _at(table: list[list[float]] | None, q: int, bucket: int) -> float | None:
    return table[q][bucket] if table else None


def _remarks(one: WorkloadProfile) -> str:
    models = ", ".join(dict.fromkeys(one.models))
    return "; ".join(part for part in (models, one.why) if part)
