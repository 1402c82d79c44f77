"""The page of a comparison: one file that loads nothing, in the look of a plan's page."""

from __future__ import annotations

from markupsafe import Markup

from descheduler.model import format as fmt
from descheduler.report import words as plan_words
from descheduler.report.comparison import words
from descheduler.report.comparison.document import Comparison
from descheduler.report.pages import asset, environment, source_hash

_ROWS = 1000  # of a table; the JSON has them all


def to_html(doc: Comparison) -> str:
    """The page; rows that do not differ are counted."""
    style = asset("page", "page.css") + asset("page_of_comparison", "comparison.css")
    script = asset("page", "page.js")
    return (
        environment("page_of_comparison")
        .get_template("comparison.html.j2")
        .render(
            doc=doc,
            fmt=fmt,
            words=words,
            plan_words=plan_words,
            findings=[row for row in doc.findings if words.differs(row)],
            moves=[row for row in doc.moves if words.differs(row)],
            restarts=[row for row in doc.restarts if words.changed(row.counts)],
            refusals=[row for row in doc.refusals if words.changed(row.counts)],
            most=_ROWS,
            style=Markup(style),
            script=Markup(script),
            style_hash=source_hash(style),
            script_hash=source_hash(script),
        )
    )
