"""Clients that dribble, send too much, or never read: probes are answered all the while, and nobody is let stay."""

from __future__ import annotations

import os
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from descheduler.controller.listener import Patience, WebServer
from descheduler.controller.metrics import Metrics
from descheduler.controller.reports import Reports
from descheduler.controller.status import Status
from descheduler.controller.web import create_app
from execution.plans import action, move, plan

CLIENTS = 500


class Site:
    """A server whose page of report `slow` takes until `drawn` is set."""

    def __init__(self, reports: Reports) -> None:
        self.status = Status(time.monotonic)
        self.status.go_on()
        self.drawn = threading.Event()
        reports = Reports()
        for name in ("slow", "large"):
            reports.add(
                plan(*(action(move(f"{name}-{i}")) for i in range(20_000 if name == "large" else 1)), name=name)
            )
        app = create_app(self.status, reports, Metrics(), lambda _: str(self.drawn.wait(30)))
        patience = Patience(connections=100, headers=2.0, body=2.0, whole=4.0)
        self.server = WebServer(app, "127.0.0.1", 0, patience=patience)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=10)

    def answers(self, path: str = "/readyz") -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}{path}", timeout=5) as answer:
            return bool(answer.status == 200)


@pytest.fixture(scope="module")
def reports() -> Reports:
    reports = Reports()
    reports.add(plan(name="slow"))
    reports.add(plan(*(action(move(f"web-{i}")) for i in range(20_000)), name="large"))  # 12 MB
    return reports


@pytest.fixture
def site(reports: Reports) -> Iterator[Site]:
    site = Site(reports)
    site.server.start()
    yield site
    site.drawn.set()
    site.server.stop()


HEADERS = b"GET /reports/ HTTP/1.1\r\nHost: localhost\r\nX-A: "
BODY = b"POST /reports/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n"


@contextmanager
def dribbling(site: Site, begin: bytes, more: bytes) -> Iterator[list[socket.socket]]:
    """Clients that have begun a request and go on with it byte by byte."""
    with ExitStack() as stack:
        clients = [stack.enter_context(site.connect()) for _ in range(CLIENTS)]
        over = threading.Event()

        def dribble() -> None:
            for client in clients:
                with suppress(OSError):
                    client.sendall(begin)
            while not over.wait(0.1):
                for client in clients:
                    with suppress(OSError):
                        client.sendall(more)

        thread = threading.Thread(target=dribble)
        thread.start()
        stack.callback(thread.join)
        stack.callback(over.set)
        yield clients


@pytest.mark.parametrize(
    ("begin", "more"), [(HEADERS, b"a"), (BODY, b"a"), (b"", b""), (b"\x16\x03\x01", b"\x01")],
    ids=["headers", "body", "nothing", "a handshake"],
)  # fmt: skip
def test_probes_answer_while_500_connections_dribble(site: Site, begin: bytes, more: bytes) -> None:
    before = open_files()
    with dribbling(site, begin, more) as clients:
        for _ in range(20):
            assert site.answers("/healthz")
            assert site.answers()
            assert site.answers("/metrics")
            assert open_files() - before < CLIENTS + 200  # theirs, which are in this process too, and a bounded number
        assert all(closed(client) for client in clients), "nobody is let stay"
    assert site.answers("/reports/")


def test_probes_answer_while_a_page_is_drawn_and_others_wait_for_it(site: Site) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(site.connect())
            client.sendall(b"GET /reports/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(20):
            assert site.answers("/healthz")
            assert site.answers("/metrics")


def test_clients_that_never_read_are_closed(site: Site) -> None:
    before = open_files()
    with ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(site.connect())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET /reports/large.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert site.answers()
        given_up = time.monotonic() + 20
        while open_files() - before > 60 and time.monotonic() < given_up:  # 50 of them are theirs
            time.sleep(0.1)
        assert open_files() - before <= 60
    assert site.answers("/reports/large.json")  # who reads gets all of it


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n" + b"a" * 100_000,
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n" + b"a" * 0xFFFF,
        b"GET /" + b"a" * 100_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"\r\n" * 50_000,
        b"\x00" * 100_000,
    ],
    ids=["header", "body", "chunks", "path", "negative length", "empty lines", "zeros"],
)
def test_what_is_too_large_or_no_request_is_refused_at_once(site: Site, request_: bytes) -> None:
    with site.connect() as client:
        with suppress(OSError):  # it may close before all is sent
            client.sendall(request_)
        assert closed(client)
    assert site.answers()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_refused_by_name(site: Site, method: str) -> None:
    with site.connect() as client:
        client.sendall(f"{method} /readyz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 405 ")


def test_a_head_is_a_get_without_its_body(site: Site) -> None:
    with site.connect() as client:
        client.sendall(b"HEAD /reports/large.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = everything(client)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")


def test_a_server_stops_with_clients_hanging_on_it(reports: Reports) -> None:
    site = Site(reports)
    site.server.start()
    with dribbling(site, HEADERS, b"a"):
        site.server.stop()
    assert not [t for t in threading.enumerate() if t.name == "web" or t.name.startswith("page")]


def closed(client: socket.socket) -> bool:
    """Whether the server closes the connection, within the time-out of its socket."""
    try:
        everything(client)
    except TimeoutError:
        return False
    except OSError:
        pass  # reset
    return True


def everything(client: socket.socket) -> bytes:
    read: Callable[[], bytes] = lambda: client.recv(65536)  # noqa: E731
    return b"".join(iter(read, b""))


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208
