"""The page of one profile: one file that loads nothing, in the look of the plan's page."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from descheduler.model import format as fmt
from descheduler.report.profiles import words
from descheduler.report.profiles.chart import fan
from descheduler.report.profiles.document import ProfileDocument

_DAY = 86400


def to_html(doc: ProfileDocument) -> str:
    """The page."""
    style = _asset("page", "page.css") + _asset("page_of_profile", "profile.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    race: dict[str, dict[float, float]] = {}
    for one in doc.race:
        race.setdefault(one.model, {})[one.quantile] = one.loss
    return (
        _environment()
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
            style_hash=f"sha256-{digest}",
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("descheduler.report", "page_of_profile"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["svg"] = Markup
    return environment


def _asset(folder: str, name: str) -> str:
    return files("descheduler.report").joinpath(folder, name).read_text(encoding="utf-8")
