"""A loopback API server that says exactly what a test tells it to, misbehaviour included."""

from __future__ import annotations

import json
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One answer: a body, or with `lines` a stream that is cut off in the middle, held open, or ended properly."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[Any, ...] | None = None
    cut: bool = False
    hold: threading.Event | None = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


def status(code: int, message: str = "", reason: str = "", **rest: Any) -> Answer:
    """An answer with a `Status` body."""
    return Answer(
        code, {"kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason, **rest}
    )


def listing(*items: Json, version: str = "10", token: str = "") -> Answer:
    metadata = {"resourceVersion": version, **({"continue": token} if token else {})}
    return Answer(body={"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": list(items)})


def watching(*events: tuple[str, Json] | str, cut: bool = False, hold: threading.Event | None = None) -> Answer:
    """A watch with these events ("ADDED", object); a text is sent as it is."""
    lines = tuple(e if isinstance(e, str) else {"type": e[0], "object": e[1]} for e in events)
    return Answer(lines=lines, cut=cut, hold=hold)


class ScriptedApi:
    """Answers are queued by path; the last one of a path is repeated. Paths without a script are empty lists.

    A request with `watch=true` is answered from the script of `path + "?watch"`, or held open.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._scripts: dict[str, deque[Answer]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                api._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.answer)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def secure(self, certificate: Path) -> tuple[str, int]:
        """Speak TLS from now on, with the certificate and key in that file; host and port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        return "127.0.0.1", self._server.server_address[1]

    def on(self, path: str, *answers: Answer) -> None:
        """Replace the script of a path."""
        with self._lock:
            self._scripts[path] = deque(answers)

    def seen(self, path: str, *, watch: bool | None = None) -> list[Request]:
        """The requests for a path so far."""
        with self._lock:
            return [r for r in self.requests if r.path == path and watch in (None, "watch" in r.query)]

    def kubeconfig(self, folder: Path, user: Mapping[str, Any] | None = None) -> Path:
        """A kubeconfig with the contexts `main`, of this server, and `elsewhere`, of no server at all."""
        path = folder / "kubeconfig"
        clusters = {"main": self.url, "elsewhere": "http://127.0.0.1:1"}
        config = {
            "clusters": [{"name": name, "cluster": {"server": url}} for name, url in clusters.items()],
            "users": [{"name": "me", "user": dict(user or {"token": "secret"})}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in clusters],
            "current-context": "main",
        }
        path.write_text(json.dumps(config))
        return path

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {key.lower(): value for key, value in handler.headers.items()}
        with self._lock:
            self.requests.append(Request(handler.command, url.path, query, headers, body))
            script = self._scripts[url.path + ("?watch" if "watch" in query else "")]
            answer = script.popleft() if len(script) > 1 else next(iter(script), None)
        if answer is None:
            answer = watching(hold=self._closing) if "watch" in query else listing()
        if answer.lines is None:
            self._send(handler, answer)
        else:
            self._stream(handler, answer)

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        handler.send_response(answer.status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **answer.headers,
        }.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _stream(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.send_response(answer.status)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for line in answer.lines or ():
            _chunk(handler, (line if isinstance(line, str) else json.dumps(line)).encode() + b"\n")
        while answer.hold is not None and not answer.hold.wait(0.02) and not self._closing.is_set():
            pass
        if answer.cut:
            handler.wfile.write(b"ff\r\nhalf a line")
            handler.close_connection = True
        else:
            handler.wfile.write(b"0\r\n\r\n")
        handler.wfile.flush()


def _chunk(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    handler.wfile.flush()


def aggregated(*kinds: tuple[str, str, str, str]) -> Answer:
    """Aggregated discovery of (group, version, kind, plural)."""
    groups: dict[str, dict[str, list[Json]]] = defaultdict(lambda: defaultdict(list))
    for group, version, kind, plural in kinds:
        resource = {
            "resource": plural,
            "responseKind": {"kind": kind},
            "scope": "Namespaced",
            "verbs": ["list", "watch"],
        }
        groups[group][version].append(resource)
    return Answer(
        body={"kind": "APIGroupDiscoveryList", "items": [_group(name, found) for name, found in groups.items()]}
    )


def _group(name: str, versions: Mapping[str, Iterable[Json]]) -> Json:
    return {
        "metadata": {"name": name},
        "versions": [{"version": version, "resources": list(found)} for version, found in versions.items()],
    }
