"""Answers requests for pages and JSON; knows nothing of the server that brings them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from descheduler.archive.reading import Reader
from descheduler.archive.schema import ArchiveError
from descheduler.console import drawing
from descheduler.console.openapi import PLAN_SCHEMA, openapi, plan_schema
from descheduler.console.views import API, HISTORY, OPENAPI, VIEWS, Answer, Query
from descheduler.model import format as fmt
from descheduler.model.errors import UsageError
from descheduler.model.reasons import EXPLANATION
from descheduler.report.pages import asset, source_hash

_NOTHING = "Nothing is kept: the controller was started without --archive DIR."
_BECAUSE = {reason.value: text for reason, text in EXPLANATION.items()}
_HTML, _JSON = "text/html; charset=utf-8", "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """`policy` is the page's Content-Security-Policy, "" where the server's own is right."""

    code: int
    content_type: str
    body: bytes
    policy: str = ""


class Console:
    """`reader` None: nothing is kept, and every page says so. `state` tells in lines how the controller is."""

    def __init__(self, reader: Reader | None, state: Callable[[], str]) -> None:
        self._reader, self._state = reader, state
        self._templates = _templates()
        style = asset("page", "page.css") + _own("console.css")
        script = _own("console.js")
        self._globals = {"style": Markup(style), "script": Markup(script)}
        self._policy = (
            f"default-src 'none'; style-src '{source_hash(style)}'; script-src '{source_hash(script)}'; img-src data:; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )

    def answer(self, path: str, query: Query) -> Reply:
        """What a path below `/history` or `/api/v1` is answered; `/openapi.json` too."""
        if path == OPENAPI:
            return _json(200, openapi())
        if path == f"{API}{PLAN_SCHEMA}":
            return _json(200, plan_schema())
        if path.startswith(f"{API}/"):
            code, page, found = self._asked(path.removeprefix(API), query)
            return _json(code, found if page else {"problem": found})
        path = path.removeprefix(HISTORY)
        code, page, found = self._asked("/timeline" if path == "/" else path, query)
        return self._page(code, page, found)

    def _asked(self, path: str, query: Query) -> tuple[int, str, Answer | str]:
        """HTTP status, the page that shows it ("" for none), and what was found, or why nothing."""
        if self._reader is None:
            return 404, "", _NOTHING
        for view in VIEWS:
            value = view.matches(path)
            if value is None:
                continue
            try:
                found = view.ask(self._reader, value, query)
            except UsageError as error:
                return 400, "", str(error)
            except ArchiveError as error:
                return 503, "", str(error)
            return (200, view.page, found) if found is not None else (404, "", f"{value} is not kept (any more)")
        return 404, "", "no such page"

    def _page(self, code: int, page: str, found: Answer | str) -> Reply:
        values: dict[str, Any] = {
            "found": found,
            "state": self._state(),
            "fmt": fmt,
            "drawing": drawing,
            "because": _BECAUSE,
        }
        text = self._templates.get_template(page or "problem.html.j2").render(values | self._globals)
        return Reply(code, _HTML, text.encode(), self._policy)


def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("descheduler.console", "pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters["quoted"] = lambda text: quote(text, safe="/")
    return made


def _own(name: str) -> str:
    return files("descheduler.console").joinpath("pages", name).read_text(encoding="utf-8")


def _json(code: int, value: object) -> Reply:
    return Reply(code, _JSON, msgspec.json.encode(value))
