"""The pages of replays: one file each that loads nothing, in the look of a plan's page."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from descheduler.model import format as fmt
from descheduler.report import words as plan_words
from descheduler.report.backtests import chart, words
from descheduler.report.backtests.document import FIGURES, Backtest, Tuning
from descheduler.report.pages import asset, environment, source_hash

_ROWS = 200  # of a table; the JSON has them all


def to_html(doc: Backtest) -> str:
    """The page of a backtest, with the hot nodes of every contender over time."""
    acting = [one for one in doc.contenders if one.restarts]
    refusing = [one for one in doc.contenders if one.refused]
    told = [one for one in doc.contenders if "plans" in one.figures]
    return _page(
        "backtest.html.j2",
        doc=doc,
        verdict=words.verdict(doc),
        curves=chart.hot_over_time(doc),
        lines=doc.contenders[: chart.LINES],
        heads=words.shown(words.COLUMNS, (one.figures for one in doc.contenders)),
        told=told,
        quality=words.shown(words.QUALITY, (one.figures for one in told)),
        acting=acting,
        restarts=words.workloads(acting, _ROWS),
        refusing=refusing,
        reasons=words.reasons(refusing, _ROWS),
    )


def tuning_to_html(doc: Tuning) -> str:
    """The page of a tuning, with hot minutes against restarts."""
    return _page(
        "tuning.html.j2",
        doc=doc,
        verdict=words.tuned(doc),
        picture=chart.trade_off(doc),
        heads=words.traded(doc),
        trials=doc.trials[:_ROWS],
        left=max(0, len(doc.trials) - _ROWS),
    )


def _page(template: str, **values: Any) -> str:
    style = asset("page", "page.css") + asset("page_of_backtest", "backtest.css")
    script = asset("page", "page.js")
    return (
        environment("page_of_backtest")
        .get_template(template)
        .render(
            fmt=fmt,
            words=words,
            plan_words=plan_words,
            explained=FIGURES,
            style=Markup(style),
            script=Markup(script),
            style_hash=source_hash(style),
            script_hash=source_hash(script),
            **values,
        )
    )
