"""One thin client of an API server: the official client's configuration, TLS and credentials, but raw bytes.

The official client's models cost a millisecond and 146 kB a pod; here nothing is decoded (see `wire`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

import msgspec
import urllib3

from descheduler.kube.client.answers import error_of
from descheduler.kube.client.credentials import (
    AS_CONFIGURED,
    SERVICE_ACCOUNT,
    CredentialSource,
    Overrides,
    authorization,
    choose,
)
from descheduler.model.errors import BadAnswer, ClusterError, Unreachable

if TYPE_CHECKING:
    from kubernetes.client.configuration import Configuration

USER_AGENT = "descheduler"
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_CONNECTIONS = 64  # one long-lived watch per kind, and room for parallel writes
_READ_SIZE = 64 * 1024
# A request that was sent is never sent again here: the caller decides, knowing whether it was a write.
_RETRIES = urllib3.Retry(total=None, connect=2, read=0, redirect=0, status=0, other=0, backoff_factor=0.2)

Query = Mapping[str, str]


def connect(
    kubeconfig: Path | str | None = None,
    context: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    service_account: Path = SERVICE_ACCOUNT,
    overrides: Overrides = AS_CONFIGURED,
) -> KubeClient:
    """A client for the named kubeconfig and context, else KUBECONFIG, else ~/.kube/config, else the pod's own account.

    Raises:
        UsageError: there is no usable configuration.
        Unauthorized: an exec plug-in gave no credentials.
    """
    found = choose(kubeconfig, context, environ=environ, service_account=service_account)
    return KubeClient(overrides.of(found), user=overrides.user, timeout=overrides.timeout)


class _VersionInfo(msgspec.Struct, frozen=True, rename="camel"):
    git_version: str = ""


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """`name` as `v1.36.3`; `date` is its clock (an HTTP date, to the whole second), empty where it does not say."""

    name: str
    date: str


class Lines(Protocol):
    """Lines of a streamed answer; `close` may be called from another thread and ends the iteration."""

    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class KubeClient:
    """Raw requests to one API server; safe to share between threads.

    Every method raises one of `ClusterError`'s kinds: Unreachable, Unauthorized (after credentials were read anew
    once), Forbidden naming verb and resource, NotFound, Conflict, Gone, Throttled, or ClusterError itself with
    `status` and `body`.
    """

    def __init__(self, source: CredentialSource, *, user: str = "", timeout: float = 0.0) -> None:
        """`user` is impersonated; `timeout` bounds, in seconds, every answer but those that go on."""
        self._source = source
        self._timeout = timeout
        self._as = {"Impersonate-User": user} if user else {}
        self._lock = threading.Lock()
        self._configuration = source.load()
        self._pool = _pool(self._configuration)
        self._loads = 1

    @property
    def name(self) -> str:
        """The cluster's name for people: the context, or "in-cluster"."""
        return self._source.name

    @property
    def server(self) -> str:
        """Base URL of the API server."""
        return str(self._configuration.host).rstrip("/")

    def get(self, path: str, query: Query | None = None, *, accept: str = "application/json") -> bytes:
        """The body of a GET."""
        return self.request("GET", path, query=query, accept=accept)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Query | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: float = _READ_SECONDS,
    ) -> bytes:
        """Send one request and return the answer's body. Nothing is retried once sent, but for expired credentials."""
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        answer = self._send(method, path, query, headers, body, timeout, stream=False)
        return answer.data

    def version(self) -> ServerVersion:
        """Which version the server is, and what time it has."""
        answer = self._send("GET", "/version", None, {"Accept": "application/json"}, None, _READ_SECONDS, stream=False)
        try:
            said = msgspec.json.decode(answer.data, type=_VersionInfo).git_version
        except msgspec.MsgspecError as e:
            raise BadAnswer(f"/version: is this an API server? {e}") from e
        return ServerVersion(said, answer.headers.get("Date", ""))

    def stream(self, path: str, query: Query | None = None, *, timeout: float = 600.0) -> Lines:
        """The lines of a GET that goes on (a watch); `timeout` is the longest silence in seconds.

        Iterating raises Unreachable when the connection breaks; a last line without its end is dropped.
        """
        answer = self._send("GET", path, query, {"Accept": "application/json"}, None, timeout, stream=True)
        return _Lines(answer, path)

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()

    def _send(
        self,
        method: str,
        path: str,
        query: Query | None,
        headers: dict[str, str],
        body: bytes | None,
        timeout: float,
        stream: bool,
    ) -> urllib3.BaseHTTPResponse:
        url = f"{path}?{urlencode(query)}" if query else path
        loads = self._loads
        answer = self._once(method, url, headers, body, timeout, stream)
        if answer.status == 401:
            _drain(answer)
            self._reload(loads)
            answer = self._once(method, url, headers, body, timeout, stream)
        if 200 <= answer.status < 300:
            return answer
        raise error_of(
            answer.status, _drain(answer), method, path, query, retry_after=answer.headers.get("Retry-After", "")
        )

    def _once(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, timeout: float, stream: bool
    ) -> urllib3.BaseHTTPResponse:
        read = timeout if stream else self._at_most(timeout)
        with self._lock:
            server, pool, identity = self.server, self._pool, authorization(self._configuration)
        try:
            return pool.request(
                method,
                server + url,
                body=body,
                headers={"User-Agent": USER_AGENT, **headers, **identity, **self._as},
                timeout=urllib3.Timeout(connect=self._at_most(_CONNECT_SECONDS), read=read),
                retries=_RETRIES,
                preload_content=not stream,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as e:
            raise Unreachable(f"no answer from {server}: {_why(e)}") from e
        except (ValueError, UnicodeError) as e:
            raise ClusterError(f"cannot ask {server}: {e}") from e

    def _at_most(self, seconds: float) -> float:
        return min(seconds, self._timeout) if self._timeout else seconds

    def _reload(self, seen: int) -> None:
        """Read the credentials anew, once for all the threads that met the same refusal."""
        with self._lock:
            if self._loads == seen:
                self._configuration = self._source.load()
                self._pool = _pool(self._configuration)
                self._loads += 1


class _Lines:
    def __init__(self, answer: urllib3.BaseHTTPResponse, path: str) -> None:
        self._answer = answer
        self._path = path
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        try:
            for chunk in self._answer.stream(_READ_SIZE):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line for line in lines if line)
        except urllib3.exceptions.DecodeError as e:
            raise BadAnswer(f"{self._path}: {e}") from e
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as e:
            if not self._closed:
                raise Unreachable(f"{self._path}: the stream broke: {_why(e)}") from e
        finally:
            self._answer.close()

    def close(self) -> None:
        self._closed = True
        # Wakes a reader in another thread; closing the response under it would not.
        with suppress(OSError, ValueError, AttributeError, NotImplementedError):
            self._answer.shutdown()


def _pool(configuration: Configuration) -> urllib3.PoolManager:
    """The connection pool that the official client would use: its TLS, proxy and keep-alive settings."""
    from kubernetes.client.rest import RESTClientObject

    configuration.connection_pool_maxsize = _CONNECTIONS
    configuration.keep_alive = True
    try:
        pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager
    except (OSError, ValueError) as e:
        raise ClusterError(f"cannot set up TLS for {configuration.host}: {e}") from e
    return pool


def _drain(answer: urllib3.BaseHTTPResponse) -> bytes:
    try:
        return answer.data or b""
    except urllib3.exceptions.HTTPError:
        return b""
    finally:
        answer.release_conn()


def _why(error: Exception) -> str:
    """The innermost cause; urllib3 wraps it in sentences about pools and retries."""
    reason = getattr(error, "reason", None)
    return _why(reason) if isinstance(reason, Exception) else f"{error}"
