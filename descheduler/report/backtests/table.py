"""Replays in a terminal: contenders beside each other, and the trials of a tuning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from descheduler.model import format as fmt
from descheduler.report import words as plan_words
from descheduler.report.backtests import words
from descheduler.report.backtests.document import Backtest, Contestant, Replay, Tuning
from descheduler.report.cells import section
from descheduler.report.cells import table as _table

_ROWS = 10
_TRIALS = 30


def render(doc: Backtest, console: Console) -> None:
    """Print a backtest."""
    for part in _parts(doc):
        console.print(part)


def render_tuning(doc: Tuning, console: Console) -> None:
    """Print a tuning; the policy that it found last, so that it can be copied."""
    for part in _tuning_parts(doc):
        console.print(part)


def _parts(doc: Backtest) -> Iterable[RenderableType]:
    yield from _head("Backtest", doc.replay)
    yield Text(words.verdict(doc), style="bold")
    yield section("Contenders", _figures(doc.contenders, words.COLUMNS))
    if told := [one for one in doc.contenders if "plans" in one.figures]:
        yield section("Findings and forecasts", _figures(told, words.QUALITY))
    if any(one.restarts for one in doc.contenders):
        yield section("Restarts by workload", _restarts(doc))
    if any(one.refused for one in doc.contenders):
        yield section("Not moved", _refused(doc))
    yield _notes(doc.replay)


def _tuning_parts(doc: Tuning) -> Iterable[RenderableType]:
    yield from _head("Tuning", doc.replay)
    yield Text(words.effort(doc), style="dim")
    yield Text(words.tuned(doc), style="bold")
    yield section("Trials", _trials(doc))
    yield section("The best policy", Text(doc.best_policy.rstrip("\n"), no_wrap=True, overflow="ignore"))
    yield _notes(doc.replay)


def _head(what: str, replay: Replay) -> Iterable[Text]:
    line = Text.assemble((what, "bold"))
    line.append(f"  {replay.cluster or 'cluster'}, {fmt.instant(replay.begin)} to {fmt.instant(replay.end)}", "dim")
    yield line
    yield Text(words.head(replay), style="dim")
    yield Text(plan_words.sentence(words.hot_is(replay)), style="dim")
    yield Text()


def _figures(contenders: Sequence[Contestant], heads: Mapping[str, str]) -> Table:
    """A row for each figure that anybody has: contenders are few, figures many."""
    names = [one.name for one in contenders]
    table = _table("", *names, right=tuple(names))
    if heads is words.COLUMNS and any(one.landing for one in contenders):
        table.add_row(Text("landing", style="dim"), *(Text(one.landing, style="dim") for one in contenders))
    for key, head in words.shown(heads, (one.figures for one in contenders)).items():
        table.add_row(Text(head, style="dim"), *(words.figure(one.figures, key) for one in contenders))
    return table


def _restarts(doc: Backtest) -> RenderableType:
    acting = [one for one in doc.contenders if one.restarts]
    names = [one.name for one in acting]
    table = _table("workload", *names, right=tuple(names))
    for workload, counts in words.workloads(acting, _ROWS):
        table.add_row(workload, *map(fmt.number, counts))
    return _with_rest(table, len({row.workload for one in acting for row in one.restarts}), "workload")


def _refused(doc: Backtest) -> RenderableType:
    ours = [one for one in doc.contenders if one.refused]
    names = [one.name for one in ours]
    table = _table("reason", *names, "because", right=tuple(names))
    for reason, because, counts in words.reasons(ours, _ROWS):
        table.add_row(reason, *map(fmt.number, counts), Text(because, style="dim"))
    return _with_rest(table, len({row.reason for one in ours for row in one.refused}), "reason")


def _trials(doc: Tuning) -> RenderableType:
    paths = [one.path for one in doc.varied]
    heads = words.traded(doc)
    table = _table("", *paths, "cost", *heads.values(), "walked", right=(*heads.values(), "cost", "walked"))
    table.add_row("nobody", *("" for _ in paths), "", *(words.figure(doc.nobody, key) for key in heads), "")
    for trial in doc.trials[:_TRIALS]:
        style = "bold" if trial.id == doc.best else "" if trial.share >= 1 else "dim"
        mark = f"{trial.id} ←" if trial.id == doc.best else f"{trial.id} ●" if trial.front else trial.id
        values = [trial.values.get(path, "as it is") for path in paths]
        cells = [mark, *values, fmt.number(round(trial.cost, 1)), *(words.figure(trial.figures, key) for key in heads)]
        table.add_row(*(Text(cell, style=style) for cell in (*cells, fmt.percent(trial.share))))
    key = "← the best for this price; ● no other has fewer hot minutes and no more restarts, or the other way round"
    return Group(_with_rest(table, len(doc.trials) + 1, "trial"), Text(key, style="dim"))


def _with_rest(table: Table, count: int, one: str) -> RenderableType:
    left = count - table.row_count
    return Group(table, Text(f"and {fmt.plural(left, one)} more", style="dim")) if left > 0 else table


def _notes(replay: Replay) -> RenderableType:
    return section("Assumed", Group(*(Text(f"  {plan_words.sentence(note)}", style="dim") for note in replay.notes)))
