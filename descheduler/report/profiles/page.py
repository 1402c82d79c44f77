"""The page of one profile: one file that loads nothing, in the look of the plan's page."""

from __future__ import annotations

from markupsafe import Markup

from descheduler.model import format as fmt
from descheduler.report.pages import asset, environment, source_hash
from descheduler.report.profiles import words
from descheduler.report.profiles.chart import fan
from descheduler.report.profiles.document import ProfileDocument

_DAY = 86400


def to_html(doc: ProfileDocument) -> str:
    """The page."""
    style = asset("page", "page.css") + asset("page_of_profile", "profile.css")
    race: dict[str, dict[float, float]] = {}
    for one in doc.race:
        race.setdefault(one.model, {})[one.quantile] = one.loss
    return (
        environment("page_of_profile")
        .get_template("profile.html.j2")
        .render(
            doc=doc,
            fmt=fmt,
            words=words,
            ours=words.ours(doc),
            race=race,
            week=fan(doc, 7 * _DAY),
            day=fan(doc, _DAY),
            style=Markup(style),
            style_hash=source_hash(style),
        )
    )
