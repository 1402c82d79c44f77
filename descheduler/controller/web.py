"""Health, metrics and the latest reports over HTTP. Read-only: nothing here changes anything."""

from __future__ import annotations

import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import structlog
from flask import Flask, Response, abort, redirect, render_template, url_for
from waitress import wasyncore
from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher
from werkzeug.wrappers import Response as AnyResponse

from descheduler.controller.metrics import CONTENT_TYPE, Metrics
from descheduler.controller.reports import Reports
from descheduler.controller.status import Health, Status
from descheduler.model.errors import UsageError
from descheduler.model.plan import PlanDocument

log = structlog.get_logger(__name__)

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
_THREADS = 4
_RENDERED = 3  # pages kept as HTML


class Pages:
    """Reports as HTML, each rendered once, one at a time (drawing is slow and not safe to do in two threads)."""

    def __init__(self, reports: Reports, render: Render) -> None:
        self._reports = reports
        self._render = render
        self._lock = threading.Lock()
        self._done: OrderedDict[str, str] = OrderedDict()

    def html(self, plan: str) -> str | None:
        """The page of a report, None when it is not kept."""
        with self._lock:
            if plan not in self._done:
                document = self._reports.plan(plan)
                if document is None:
                    return None
                self._done[plan] = self._render(document)
                while len(self._done) > _RENDERED:
                    self._done.popitem(last=False)
            return self._done[plan]


def create_app(status: Status, reports: Reports, metrics: Metrics, render: Render) -> Flask:
    """The application; its only methods are GET and HEAD."""
    app = Flask("descheduler.controller", static_folder=None)
    pages = Pages(reports, render)

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    @app.get("/healthz")
    def healthz() -> Response:
        return _plain(status.alive)

    @app.get("/readyz")
    def readyz() -> Response:
        return _plain(status.ready)

    @app.get("/metrics")
    def metrics_() -> Response:
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    @app.get("/")
    def latest() -> AnyResponse | str:
        kept = reports.list()
        if not kept:
            return render_template("reports.html", reports=(), status=status.ready.text)
        return redirect(url_for("report", plan=kept[0].id))

    @app.get("/reports/")
    def listed() -> str:
        return render_template("reports.html", reports=reports.list(), status=status.ready.text)

    @app.get("/reports/<plan>")
    def report(plan: str) -> str:
        return pages.html(plan) or abort(404)

    @app.get("/reports/<plan>.json")
    def report_json(plan: str) -> Response:
        return _json(reports.json(plan))

    @app.get("/reports/<plan>/execution.json")
    def execution_json(plan: str) -> Response:
        return _json(reports.execution_json(plan))

    app.add_template_filter(_utc, "utc")
    return app


class _Trigger(Protocol):
    def pull_trigger(self, thunk: Callable[[], None]) -> None: ...


class _Server(Protocol):
    """What is used of waitress' server, which has no types."""

    trigger: _Trigger

    def run(self) -> None: ...


class WebServer:
    """Serves an application in a thread named `web`."""

    def __init__(self, app: Flask, host: str, port: int) -> None:
        """Raises UsageError when it cannot listen there."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family)
        except (OSError, OverflowError) as error:
            raise UsageError(f"cannot listen on {host}:{port}: {error}") from error
        self.port = int(self._socket.getsockname()[1])
        self._map: dict[int, object] = {}
        self._workers = ThreadedTaskDispatcher()
        self._workers.set_thread_count(_THREADS)
        self._server: _Server = create_server(
            app, map=self._map, _dispatcher=self._workers, sockets=[self._socket], ident=None
        )
        self._thread = threading.Thread(target=self._server.run, name="web", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()
        log.info("serving", port=self.port)

    def stop(self) -> None:
        """Close every connection and end the threads; once started, once."""
        # In the server's own thread: its loop selects on these very sockets.
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._map, ignore_all=True))
        self._thread.join(5.0)
        self._workers.shutdown(timeout=2)
        self._socket.close()


def _plain(health: Health) -> Response:
    return Response(health.text + "\n", 200 if health.ok else 503, content_type="text/plain; charset=utf-8")


def _json(body: bytes | None) -> Response:
    return abort(404) if body is None else Response(body, content_type="application/json")


def _utc(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
