"""How to reach a server: address, credentials, certificates, headers, and the habits of its kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from descheduler.model.errors import HistoryRefused
from descheduler.model.secrets import can_be_sent, remember
from descheduler_profiling.history.defaults import MAX_CONCURRENCY, MAX_SAMPLES, TIMEOUT
from descheduler_profiling.history.prometheus.sigv4 import Signer, SigV4

ServerKind = Literal["prometheus", "thanos", "mimir", "victoriametrics"]

# Thanos would answer from the stores it can reach and call it a success; VictoriaMetrics would shift start and end
# for its cache.
_PARAMS: Mapping[ServerKind, Mapping[str, str]] = {
    "prometheus": {},
    "thanos": {"dedup": "true", "partial_response": "false"},
    "mimir": {},
    "victoriametrics": {"nocache": "1"},
}

_SECRET = re.compile("auth|token|key|secret|cookie|passw", re.IGNORECASE)  # names of headers and parameters


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything that is needed to talk to one server; `url` includes a path prefix, if any.

    Prefixes: Mimir `/prometheus`, VictoriaMetrics cluster `/select/0/prometheus`. Files of tokens and passwords are
    read again for each request, because bound service-account tokens rotate. `max_concurrency` bounds the queries
    under way at once, and `max_samples` those that one range query may return.
    """

    url: str
    kind: ServerKind = "prometheus"
    bearer_token: str = field(default="", repr=False)
    bearer_token_file: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    password_file: Path | None = None
    sigv4: SigV4 | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure_skip_verify: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: Literal["GET", "POST"] = "POST"
    timeout: float = TIMEOUT
    attempts: int = 4
    max_concurrency: int = MAX_CONCURRENCY
    max_samples: int = MAX_SAMPLES
    compress: bool = True

    @property
    def base(self) -> str:
        return self.url.rstrip("/")

    @property
    def name(self) -> str:
        """The address without credentials, for messages."""
        parts = urlsplit(self.base)
        return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"

    @property
    def extra_params(self) -> dict[str, str]:
        return {**_PARAMS[self.kind], **self.params}


class FileCredentials(AuthBase):
    """Sends a bearer token, or a user with a password, that is read from a file for each request."""

    def __init__(self, path: Path, username: str = "") -> None:
        self._path = path
        self._username = username

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            secret = self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise HistoryRefused(f"credentials for the history server: cannot read {self._path}: {error}") from error
        if not secret:
            raise HistoryRefused(f"credentials for the history server: {self._path} is empty")
        remember(secret)
        if self._username:
            HTTPBasicAuth(self._username.encode(), secret.encode())(request)
            return request
        _authorize(request, secret, f"the token in {self._path}")
        return request


class _Token(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        remember(self._token)
        _authorize(request, self._token, "the token")
        return request


def _authorize(request: requests.PreparedRequest, token: str, what: str) -> None:
    if not can_be_sent(token):
        raise HistoryRefused(f"credentials for the history server: {what} has blanks or characters that none has")
    request.headers["Authorization"] = f"Bearer {token}"


def credentials(connection: Connection) -> AuthBase | None:
    """What signs the requests; None for a server that asks for nothing.

    Raises:
        HistoryRefused: two ways are given at once, or what signs for AWS is not installed.
    """
    ways = [
        bool(connection.bearer_token),
        connection.bearer_token_file is not None,
        bool(connection.username),
        connection.sigv4 is not None,
    ]
    if sum(ways) > 1:
        raise HistoryRefused("history server: give one of bearer token, bearer token file, username, AWS signature")
    if connection.bearer_token:
        return _Token(connection.bearer_token)
    if connection.bearer_token_file is not None:
        return FileCredentials(connection.bearer_token_file)
    if connection.username and connection.password_file is not None:
        return FileCredentials(connection.password_file, connection.username)
    if connection.username:
        return HTTPBasicAuth(connection.username.encode(), connection.password.encode())
    if connection.sigv4 is not None:
        return Signer(connection.sigv4)
    return None


def make_session(connection: Connection) -> requests.Session:
    """A session with the certificates and headers of the connection.

    Raises:
        HistoryRefused: the URL or a file of the connection cannot be used.
    """
    if urlsplit(connection.url).scheme not in ("http", "https") or not urlsplit(connection.url).hostname:
        raise HistoryRefused("history server: its address is not an http(s) URL")
    for path in (connection.ca_file, connection.cert_file, connection.key_file):
        if path is not None and not path.is_file():
            raise HistoryRefused(f"history server: {path}: no such file")
    if connection.key_file is not None and connection.cert_file is None:
        raise HistoryRefused("history server: a key file needs a certificate file")
    for name, value in (*connection.headers.items(), *connection.params.items()):
        if _SECRET.search(name):
            remember(value)
    session = requests.Session()
    session.verify = False if connection.insecure_skip_verify else str(connection.ca_file or "") or True
    if connection.cert_file is not None:
        key = connection.key_file
        session.cert = str(connection.cert_file) if key is None else (str(connection.cert_file), str(key))
    session.headers["User-Agent"] = "descheduler"
    if not connection.compress:
        session.headers["Accept-Encoding"] = "identity"
    session.headers.update(connection.headers)
    return session
