"""An HTTP proxy between the program under test and a real API server, which fails when and how a test says."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_PASSED = ("authorization", "content-type", "accept", "user-agent")


@dataclass(frozen=True)
class Request:
    """One request as the server sees it."""

    method: str
    path: str
    query: Mapping[str, str]

    @property
    def watch(self) -> bool:
        return self.query.get("watch") == "true"

    @property
    def listing(self) -> bool:
        """A list of a whole kind."""
        return self.method == "GET" and not self.watch and self.path.rsplit("/", 1)[-1].isalpha()

    @property
    def evicting(self) -> bool:
        """An eviction in earnest."""
        return self.path.endswith("/eviction") and "dryRun" not in self.query

    def writes(self, resource: str) -> bool:
        return self.method in ("POST", "PUT") and f"/{resource}" in self.path


@dataclass(frozen=True)
class Answered:
    """Not forwarded; answered with a Status."""

    code: int
    message: str = "injected"
    cause: str = ""
    retry_after: int | None = None

    @property
    def body(self) -> bytes:
        details = {"causes": [{"reason": self.cause, "message": self.message}]} if self.cause else {}
        status = {"kind": "Status", "status": "Failure", "code": self.code, "message": self.message, "details": details}
        return json.dumps(status).encode()


@dataclass(frozen=True)
class Lost:
    """The connection ends without an answer, `effective`: after the server has done what was asked."""

    effective: bool
    after: float = 0.0


@dataclass(frozen=True)
class Old:
    """A list as it was when it was last `remembered`."""


@dataclass(frozen=True)
class Watched:
    """What becomes of the lines of a watch: each comes `late` seconds late and `times` times; after `cut_after` lines
    the connection breaks in the middle of the next.
    """

    late: float = 0.0
    times: int = 1
    cut_after: int | None = None


@dataclass(frozen=True)
class Expired:
    """A watch that begins with the event by which a server says that it is too old."""


Fault = Answered | Lost | Old | Watched | Expired
Decide = Callable[[Request], "Fault | None"]


@dataclass
class ApiProxy:
    """Forwards plain HTTP to `server` unless `decide` names a fault; counts what it injected."""

    server: str
    ca_file: Path
    decide: Decide = lambda _: None
    injected: int = 0
    _lists: dict[str, bytes] = field(default_factory=dict)
    _watched: dict[socket.socket, str] = field(default_factory=dict)
    _upstream: set[http.client.HTTPSConnection] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._tls = ssl.create_default_context(cafile=str(self.ca_file))
        self._listener = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), name="proxy", daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listener.server_address[1]}"

    def close(self) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join(5)
        self.break_watches()
        for connection in tuple(self._upstream):
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 10
        while self._upstream and time.monotonic() < deadline:
            time.sleep(0.02)

    @contextmanager
    def failing(self, decide: Decide, at_most: int, seconds: float) -> Iterator[None]:
        """Fail so for as long as the block lasts, `at_most` so many times and `seconds`."""
        with self._lock:
            self.injected, first, until = 0, self.decide, time.monotonic() + seconds

            def bounded(request: Request) -> Fault | None:
                return decide(request) if self.injected < at_most and time.monotonic() < until else None

            self.decide = bounded
        try:
            yield
        finally:
            self.decide = first

    def break_watches(self, path: str = "") -> None:
        """End the watches that go on, of everything or of one path, so that they are asked for anew."""
        with self._lock:
            chosen = [connection for connection, watched in self._watched.items() if path in ("", watched)]
            for connection in chosen:
                del self._watched[connection]
        for connection in chosen:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def watches(self, connection: socket.socket, path: str) -> None:
        with self._lock:
            self._watched[connection] = path

    def fault_of(self, request: Request) -> Fault | None:
        with self._lock:
            fault = self.decide(request)
            if isinstance(fault, Old) and self._key(request) not in self._lists:
                fault = None
            self.injected += fault is not None
        return fault

    def remember(self, request: Request, body: bytes) -> None:
        """Keep the first answer to a list, for `Old`."""
        self._lists.setdefault(self._key(request), body)

    def forget(self) -> None:
        self._lists.clear()

    def recall(self, request: Request) -> bytes:
        return self._lists[self._key(request)]

    @contextmanager
    def forwarded(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """The real server's answer, whose connection ends with the block."""
        connection = http.client.HTTPSConnection(urlsplit(self.server).netloc, context=self._tls, timeout=600)
        connection.request(method, target, body or None, {k: v for k, v in headers.items() if k.lower() in _PASSED})
        with self._lock:
            self._upstream.add(connection)
        try:
            with connection.getresponse() as answer:
                yield answer
        finally:
            connection.close()
            with self._lock:
                self._upstream.discard(connection)

    @staticmethod
    def _key(request: Request) -> str:
        return request.path


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what tests are about."""


def _handler(proxy: ApiProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = urlsplit(self.path)
            request = Request(self.command, parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()})
            match proxy.fault_of(request):
                case Answered() as answer:
                    retry = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
                    self._answer(answer.code, answer.body, retry)
                case Lost(effective, after):
                    if effective:
                        with self._forwarded(body) as answer:
                            answer.read()
                    time.sleep(after)
                    self.close_connection = True
                case Old():
                    self._answer(200, proxy.recall(request), {})
                case Expired():
                    gone = {"type": "ERROR", "object": json.loads(Answered(410, "too old").body)}
                    self._answer(200, json.dumps(gone).encode() + b"\n", {})
                case Watched() as how:
                    self._stream(body, how)
                case None if request.watch:
                    self._stream(body, Watched())
                case None:
                    self._pass_on(request, body)

        def _forwarded(self, body: bytes) -> AbstractContextManager[http.client.HTTPResponse]:
            return proxy.forwarded(self.command, self.path, body, dict(self.headers.items()))

        def _pass_on(self, request: Request, body: bytes) -> None:
            with self._forwarded(body) as answer:
                read = answer.read()
            if request.listing and answer.status == 200:
                proxy.remember(request, read)
            kept = {k: v for k, v in answer.headers.items() if k.lower() == "retry-after"}
            self._answer(answer.status, read, kept)

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, body: bytes, how: Watched) -> None:
            self.close_connection = True
            with self._forwarded(body) as answer, suppress(OSError, http.client.HTTPException, ValueError):
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.flush()
                proxy.watches(self.connection, urlsplit(self.path).path)
                for number, line in enumerate(iter(answer.readline, b"")):
                    time.sleep(how.late)
                    if how.cut_after is not None and number >= how.cut_after:
                        self._chunk(line[: len(line) // 2])
                        return
                    self._chunk(line * how.times)
                self.wfile.write(b"0\r\n\r\n")

        def _chunk(self, part: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    return Handler
