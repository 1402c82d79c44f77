"""A server that stays up: one thread reads all connections, so that those which dribble hold nothing but a socket.

Tornado reads without a thread for each connection and has deadlines and limits for headers and bodies. What is added
here: a connection carries one request and ends after a time whatever its client does, and where there are too many the
oldest gives way, so that a probe always finds room.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback
from tornado.iostream import IOStream
from tornado.web import Application

from descheduler.controller.certificates import Serving
from descheduler.model.errors import UsageError

log = structlog.get_logger(__name__)

_HEADER_BYTES = 16 * 1024  # tokens are a few kilobytes at most
_BODY_BYTES = 4 * 1024  # nothing here takes one; what is small is read, for then its sender hears the answer
_BACKLOG = 512
_THREADS = 4
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Patience:
    """With clients. `connections` at once: with all watches far below the 1,024 open files that many systems allow.

    In seconds: `headers`, a TLS handshake among them; `body`; `whole`, from the first byte to the last.
    """

    connections: int = 256
    headers: float = 10.0
    body: float = 5.0
    whole: float = 60.0


def in_cluster() -> bool:
    """Whether this is a container of a cluster: what the kubelet tells every one of them."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


def listening(host: str | None, port: int) -> socket.socket:
    """A socket that listens. `host` None: every address in a cluster, where probes come from the node, else loopback.

    `""` is every address, of IPv6 and IPv4 where the machine has both. Raises UsageError when it cannot listen there.
    """
    name = ("" if in_cluster() else LOOPBACK) if host is None else host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    try:
        if name in ("", "::"):
            return _every_address(port)
        return socket.create_server((name, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot listen on {name}:{port}: {error}") from error


def _every_address(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:  # the kernel has IPv6, and it is switched off
                raise
    return socket.create_server(("", port), backlog=_BACKLOG)


def of_this_machine_only(address: str) -> bool:
    """Whether only this machine can reach it: an IP address, or `localhost`."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"


class _Server(HTTPServer):
    """Closes the oldest connection where there are too many, and each after its time."""

    def initialize(self, request_callback: Application, patience: Patience) -> None:  # type: ignore[override]
        super().initialize(
            request_callback,
            no_keep_alive=True,
            max_header_size=_HEADER_BYTES,
            idle_connection_timeout=patience.headers,
            max_body_size=_BODY_BYTES,
            body_timeout=patience.body,
        )
        self._patience = patience
        self._open: dict[IOStream, float] = {}  # since when, oldest first

    def handle_stream(self, stream: IOStream, address: tuple[object, ...]) -> None:
        self.sweep()
        if len(self._open) >= self._patience.connections:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.close()
        self._open[stream] = time.monotonic()
        super().handle_stream(stream, address)

    def sweep(self) -> None:
        """Forget what is closed, and close what has had its time."""
        now = time.monotonic()
        for stream, since in list(self._open.items()):
            if now - since > self._patience.whole:
                stream.close()
            if stream.closed():
                del self._open[stream]


class WebServer:
    """Serves an application in a thread named `web`; what takes time is done in a few others (`page_…`)."""

    def __init__(
        self,
        app: Application,
        host: str | None,
        port: int,
        certificates: Serving | None = None,
        *,
        patience: Patience = Patience(),
        renew_seconds: float = 10.0,
    ) -> None:
        """Over TLS with certificates, which are looked at again every so many seconds.

        Raises UsageError when it cannot listen there.
        """
        self._app = app
        self._socket = listening(host, port)
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        self._certificates = certificates
        self._patience = patience
        self._renew_seconds = renew_seconds
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="web", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()
        self._up.wait()
        log.info("serving", address=self._socket.getsockname()[0], port=self.port, tls=self._certificates is not None)

    def stop(self) -> None:
        """Close every connection and end the threads; once started, once."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(5.0)
        self._socket.close()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="page"))
        server = _Server(self._app, self._patience)
        self._renew(server)
        server.add_socket(self._socket)
        regular = (
            PeriodicCallback(server.sweep, 1000),
            PeriodicCallback(lambda: self._renew(server), self._renew_seconds * 1000),
        )
        for callback in regular:
            callback.start()
        self._up.set()
        await self._over.wait()
        for callback in regular:
            callback.stop()
        server.stop()
        await server.close_all_connections()

    def _renew(self, server: _Server) -> None:
        if self._certificates is not None:
            self._certificates.poll()
            server.ssl_options = self._certificates.context  # for connections from now on
