"""A small HTTP proxy between the client under test and a real Prometheus, which fails when and how a test says."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit

FaultKind = Literal["down", "slow", "truncated", "status", "warning", "partial"]


@dataclass(frozen=True)
class Fault:
    """What happens to a request: the connection is reset, or the answer never comes, ends early, or is another."""

    kind: FaultKind
    status: int = 503
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One request as the server sees it."""

    method: str
    path: str
    fields: dict[str, str]
    headers: dict[str, str]
    target: str = ""  # path and query as they came
    body: bytes = b""

    @property
    def is_range(self) -> bool:
        return self.path.endswith("/query_range")

    @property
    def columns(self) -> int:
        return (int(self.fields["end"]) - int(self.fields["start"])) // int(self.fields["step"]) + 1


Decide = Callable[[Request], Fault | None]


class FaultyProxy:
    """Forwards to `upstream` unless `decide` returns a fault; remembers every request."""

    def __init__(self, upstream: str) -> None:
        self.seen: list[Request] = []
        self.decide: Decide = lambda _: None
        self.most_at_once = 0
        self.release = threading.Event()  # ends slow answers
        self._now = 0
        self._lock = threading.Lock()
        self._upstream = urlsplit(upstream).netloc
        self._running: list[tuple[ThreadingHTTPServer, threading.Thread]] = []
        self.url = f"http://127.0.0.1:{self._serve(None)}"

    def serve_tls(self, context: ssl.SSLContext) -> str:
        """Serve the same on a second port, encrypted; its address."""
        return f"https://127.0.0.1:{self._serve(context)}"

    def _serve(self, context: ssl.SSLContext | None) -> int:
        server = _Server(("127.0.0.1", 0), _handler(self))
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        self._running.append((server, thread))
        return int(server.server_address[1])

    @property
    def ranges(self) -> list[Request]:
        return [request for request in self.seen if request.is_range]

    def close(self) -> None:
        self.release.set()
        for server, thread in self._running:
            server.shutdown()
            server.server_close()
            thread.join()

    @contextmanager
    def counted(self, request: Request) -> Iterator[Fault | None]:
        with self._lock:
            self.seen.append(request)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            fault = self.decide(request)
        try:
            yield fault
        finally:
            with self._lock:
                self._now -= 1

    def forward(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        kept = {k: v for k, v in headers.items() if k.lower() in ("content-type", "authorization")}
        connection.request(method, target, body, kept)
        answer = connection.getresponse()
        read = answer.read()
        connection.close()
        return answer.status, answer.headers.get("Content-Type", ""), read


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away, or refuse a certificate, are what tests are about."""


def _handler(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = urlsplit(self.path)
            fields = {k: v[0] for k, v in parse_qs(f"{parts.query}&{body.decode()}").items()}
            headers = {k.lower(): v for k, v in self.headers.items()}
            request = Request(self.command, parts.path, fields, headers, self.path, body)
            with proxy.counted(request) as fault:
                if fault is not None and fault.kind == "down":
                    linger = struct.pack("ii", 1, 0)  # a reset, as a killed server gives
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    self.connection.close()
                    return
                if fault is not None and fault.kind == "status":
                    self._answer(fault.status, "application/json", fault.body.encode(), fault.headers)
                    return
                if fault is not None and fault.kind == "slow":
                    proxy.release.wait(30)
                    self.close_connection = True
                    return
                status, kind, read = proxy.forward(self.command, self.path, body, dict(self.headers.items()))
                self._answer(
                    status, kind, _changed(read, fault), {}, cut=fault is not None and fault.kind == "truncated"
                )

        def _answer(self, status: int, kind: str, body: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection = cut

        do_GET = do_POST = _serve  # noqa: N815

    return Handler


def _changed(body: bytes, fault: Fault | None) -> bytes:
    if fault is None or fault.kind not in ("warning", "partial"):
        return body
    answer = json.loads(body)
    if fault.kind == "partial":
        answer["isPartial"] = True
    else:
        answer["warnings"] = [fault.body]
    return json.dumps(answer).encode()
