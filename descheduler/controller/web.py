"""Health, metrics and the latest reports over HTTP. Read-only: nothing here changes anything.

Probes are answered in the thread that reads connections. What takes time, a page that is drawn or a review of access,
is done beside it and keeps no probe waiting.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import unquote

from jinja2 import Environment, PackageLoader, StrictUndefined
from tornado.iostream import StreamClosedError
from tornado.web import Application, Finish, RequestHandler

from descheduler.console.answering import Console
from descheduler.console.views import API, HISTORY, OPENAPI
from descheduler.controller.access import Gate, Verdict
from descheduler.controller.listener import of_this_machine_only
from descheduler.controller.metrics import CONTENT_TYPE, Metrics
from descheduler.controller.reports import Reports
from descheduler.controller.standing import Standing
from descheduler.controller.status import Health, Status
from descheduler.model.plan import PlanDocument

Render = Callable[[PlanDocument], str]
"""A plan as one self-contained HTML page."""

HEADERS = {
    # Pages carry their styles, scripts and images within themselves and may load nothing.
    "Content-Security-Policy": (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_OVER_TLS = "max-age=31536000"  # a browser that came once comes by TLS again
_PLAIN, _HTML, _JSON = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"
_RENDERED = 3  # pages kept as HTML
_Answer = TypeVar("_Answer")


class Pages:
    """Reports as HTML, each rendered once, one at a time (drawing is slow and not safe to do in two threads)."""

    def __init__(self, reports: Reports, render: Render) -> None:
        self._reports = reports
        self._render = render
        self._lock = threading.Lock()
        self._done: OrderedDict[str, bytes] = OrderedDict()

    def html(self, plan: str) -> bytes | None:
        """The page of a report, None when it is not kept."""
        with self._lock:
            if plan not in self._done:
                document = self._reports.plan(plan)
                if document is None:
                    return None
                self._done[plan] = self._render(document).encode()
                while len(self._done) > _RENDERED:
                    self._done.popitem(last=False)
            return self._done[plan]


@dataclass(frozen=True, slots=True)
class _Site:
    """What the handlers answer from."""

    status: Status
    reports: Reports
    metrics: Metrics
    pages: Pages
    gate: Gate | None
    console: Console
    local_names: bool
    template: Environment
    standing: Standing
    drawing: asyncio.Semaphore  # one page is drawn at a time; who waits for it holds no thread


def create_app(
    status: Status,
    reports: Reports,
    metrics: Metrics,
    render: Render,
    gate: Gate | None = None,
    console: Console | None = None,
    *,
    local_names: bool = False,
    with_metrics: bool = True,
) -> Application:
    """The application; its only methods are GET and HEAD.

    With a gate, pages and metrics are for those whom it lets pass, and probes tell others no more than yes or no.
    With `local_names` a request must name this machine as its host: pages of other sites, whose names were pointed
    here, read nothing then.
    """
    template = Environment(loader=PackageLoader("descheduler.controller"), autoescape=True, undefined=StrictUndefined)
    template.filters["utc"] = _utc
    pages = Pages(reports, render)
    standing = Standing(status, reports, template, time.time)
    console = console or Console(None, lambda: status.ready.text)
    site = _Site(status, reports, metrics, pages, gate, console, local_names, template, standing, asyncio.Semaphore(1))
    routes = [
        ("/healthz", _Healthz),
        ("/readyz", _Readyz),
        *([("/metrics", _Metrics)] if with_metrics else []),
        ("/", _Latest),
        ("/reports/", _Listed),
        (r"/reports/([^/]+)\.json", _ReportJson),
        (r"/reports/([^/]+)/execution\.json", _ExecutionJson),
        (r"/reports/([^/]+)", _Report),
        (f"{HISTORY}/.*|{API}/.*|{OPENAPI}", _History),
    ]
    return Application(
        [(path, handler, {"site": site}) for path, handler in routes],
        default_handler_class=_Page,
        default_handler_args={"site": site},
        log_function=lambda _: None,
    )


class _Answering(RequestHandler):
    """What all answers have in common; HEAD is GET without the body."""

    SUPPORTED_METHODS = ("GET", "HEAD")

    def initialize(self, site: _Site) -> None:
        self.site = site

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)
        if self.request.protocol == "https":
            self.set_header("Strict-Transport-Security", _OVER_TLS)

    async def prepare(self) -> None:
        if self.site.local_names and not of_this_machine_only(self.request.host_name):
            self.refuse(421, "this address is for this machine alone: ask for localhost")

    async def head(self, *arguments: str) -> None:
        await self.get(*arguments)

    async def get(self, *_: str) -> None:
        self.refuse(404, "no such page")

    def compute_etag(self) -> None:
        """None: nothing is to be kept."""

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", _PLAIN)
        self.finish(f"{status_code} {self._reason}\n")

    def refuse(self, code: int, text: str) -> None:
        """Answer with an error, and end the request."""
        self.set_status(code)
        self.set_header("Content-Type", _PLAIN)
        self.finish(text + "\n")
        raise Finish

    async def aside(self, work: Callable[..., _Answer], *arguments: object) -> _Answer:
        """Do something that takes time in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)

    async def send(self, parts: Iterable[bytes] | None, content_type: str) -> None:
        """Answer part by part, no faster than they are taken; None: there is no such thing."""
        if parts is None:
            self.refuse(404, "no such report (any more)")
            return
        self.set_header("Content-Type", content_type)
        try:
            for part in parts:
                self.write(part)
                await self.flush()
        except StreamClosedError as gone:
            raise Finish from gone

    async def may_pass(self, path: str) -> Verdict:
        gate, header = self.site.gate, self.request.headers.get("Authorization", "")
        return Verdict.ALLOWED if gate is None else await self.aside(gate.ask, header, path)


class _Probe(_Answering):
    async def tell(self, health: Health, brief: str) -> None:
        """Whoever may not read the reports learns no more than the kubelet does."""
        told = self.site.gate is None or (
            "Authorization" in self.request.headers and await self.may_pass("/reports/") is Verdict.ALLOWED
        )
        self.set_status(200 if health.ok else 503)
        text = health.text if told else brief if health.ok else f"not {brief}"
        await self.send([text.encode() + b"\n"], _PLAIN)


class _Healthz(_Probe):
    async def get(self, *_: str) -> None:
        await self.tell(self.site.status.alive, "ok")


class _Readyz(_Probe):
    async def get(self, *_: str) -> None:
        await self.tell(self.site.status.ready, "ready")


class _Page(_Answering):
    """What not everybody may read."""

    async def prepare(self) -> None:
        await super().prepare()
        verdict = await self.may_pass(self.request.path)
        if verdict is not Verdict.ALLOWED:
            if verdict is Verdict.UNKNOWN:
                self.set_header("WWW-Authenticate", "Bearer")
            self.refuse(verdict.code, verdict.text)


class _Metrics(_Page):
    async def get(self, *_: str) -> None:
        await self.send([await self.aside(self.site.metrics.text)], CONTENT_TYPE)


class _Listed(_Page):
    async def get(self, *_: str) -> None:
        page = self.site.template.get_template("reports.html")
        values = {"reports": self.site.reports.list(), "status": self.site.status.ready.text}
        text = page.render(values, standing=self.site.standing.html())
        await self.send([text.encode()], _HTML)


class _Latest(_Listed):
    async def get(self, *_: str) -> None:
        kept = self.site.reports.list()
        if kept:
            self.redirect(f"/reports/{kept[0].id}")
            return
        await super().get()


class _Report(_Page):
    async def get(self, *arguments: str) -> None:
        async with self.site.drawing:
            page = await self.aside(self.site.pages.html, *arguments)
        live = None if page is None else await self.aside(self.site.standing.within, page, *arguments)
        await self.send(None if live is None else [live], _HTML)


class _ReportJson(_Page):
    async def get(self, *arguments: str) -> None:
        await self.send(await self.aside(self.site.reports.json, *arguments), _JSON)


class _ExecutionJson(_Page):
    async def get(self, *arguments: str) -> None:
        await self.send(await self.aside(self.site.reports.execution_json, *arguments), _JSON)


class _History(_Page):
    async def get(self, *_: str) -> None:
        query = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        answer = await self.aside(self.site.console.answer, unquote(self.request.path), query)
        self.set_status(answer.code)
        if answer.policy:
            self.set_header("Content-Security-Policy", answer.policy)
        await self.send([answer.body], answer.content_type)


def _utc(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
