"""Tokens and passwords, planted in every form that a file, a header or an address may have, are in nothing we say.

Commands run against a server that repeats all that it is sent, as API server and as Prometheus.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from descheduler.cli.main import app

KUBE, HISTORY, HEADER, PROXY = "Kx7secretOfKube1", "Hy8secretOfProm2", "Zz9secretOfHead3", "Pw6secretOfProxy"
ALL = (KUBE, HISTORY, HEADER, PROXY)


class Echo(BaseHTTPRequestHandler):
    """Refuses everybody, and repeats what it was asked."""

    def do_GET(self) -> None:
        sent = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        size = int(self.headers.get("Content-Length", 0))
        told = f"cannot accept {self.path}\n{sent}{self.rfile.read(size).decode(errors='replace')}"
        body = (
            told.encode()
            if self.server.plain
            else json.dumps({"message": told, "error": told, "status": "error"}).encode()
        )  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        if self.server.status == 302:  # type: ignore[attr-defined]
            self.send_header("Location", f"http://login/?token={self.headers.get('Authorization', '')[7:]}")
        self.send_header("Content-Type", "text/plain" if self.server.plain else "application/json")  # type: ignore[attr-defined]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  named by the library

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def echo() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.status, server.plain = 401, False  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def said(*arguments: str | Path, **environment: str) -> str:
    """All that a command says, with tracebacks."""
    clean = {name: None for name in os.environ if "proxy" in name.lower()}
    done = CliRunner().invoke(app, list(map(str, arguments)), env={**clean, "COLUMNS": "1000", **environment})
    return str(done.output) + str(done.stderr)


def tells_nothing(text: str) -> bool:
    squeezed = "".join(text.split())
    forms = [form for one in ALL for form in (one, base64.b64encode(one.encode()).decode().rstrip("=")[:-2])]
    return not any(form in squeezed for form in forms)


def kubeconfig(to: Path, server: str, user: dict[str, object]) -> Path:
    to.write_text(
        yaml.safe_dump(
            {
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    return to


def policy(to: Path, history: dict[str, object]) -> Path:
    head = {"apiVersion": "rebalance.descheduler.dev/v1alpha1", "kind": "DeschedulerPolicy"}
    to.write_text(yaml.safe_dump({**head, "history": history}))
    return to


FORMS = {
    "a token": "{}",
    "a line feed within": "{0}\n{0}",
    "a carriage return at its end": "{}\r\n",
    "blanks within": "a {0} {0}",
    "a zero byte": "\0{}",
    "beyond latin-1": "{}€",
    "of the controls of latin-1": "{}\x85\x9b",
    "a header": "Authorization: Bearer {}\nX-Other: {}",
    "JSON": '{{"token": "{}"}}',
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_tokens_of_every_form_are_in_nothing_that_is_said(tmp_path: Path, echo: ThreadingHTTPServer, form: str) -> None:
    (tmp_path / "token").write_bytes(form.format(HISTORY, HISTORY).encode())
    cluster = kubeconfig(tmp_path / "kubeconfig", url(echo), {"token": form.format(KUBE, KUBE)})
    headers = {"X-Api-Key": HEADER, "X-Scope-OrgID": "a"}
    auth = {"bearerTokenFile": str(tmp_path / "token")}
    read = policy(
        tmp_path / "policy.yaml", {"url": url(echo), "auth": auth, "headers": headers, "params": {"token": HEADER}}
    )
    text = said("doctor", "-vv", "-o", "wide", "--kubeconfig", cluster, "--policy", read)
    assert "history server" in text
    assert tells_nothing(text), text


@pytest.mark.parametrize(("status", "plain"), [(302, False), (400, False), (403, True), (500, True), (200, False)])
def test_nor_when_a_server_repeats_them(tmp_path: Path, echo: ThreadingHTTPServer, status: int, plain: bool) -> None:
    echo.status, echo.plain = status, plain  # type: ignore[attr-defined]
    (tmp_path / "token").write_text(HISTORY)
    cluster = kubeconfig(tmp_path / "kubeconfig", url(echo), {"username": "admin", "password": KUBE})
    auth = {"basic": {"username": "reader", "passwordFile": str(tmp_path / "token")}}
    read = policy(
        tmp_path / "policy.yaml", {"url": url(echo), "auth": auth, "headers": {"Cookie": f"session={HEADER}"}}
    )
    text = said("doctor", "-vv", "-o", "json", "--kubeconfig", cluster, "--policy", read)
    assert "history server" in text
    assert tells_nothing(text), text


@pytest.mark.parametrize(
    "server",
    [
        "http://u:{}@h:1",
        "http://{}@h",
        "u:{}@h:9090",
        "http://u:{}@[::1",
        "http://h:{}",
        "http://u:pa/{}@h",
        "http://h/?token={}",
        "h\n{}",
        "ftp://u:{}@h",
    ],
)
def test_addresses_with_credentials_are_refused_and_not_repeated(tmp_path: Path, server: str) -> None:
    told = server.format(PROXY)
    given = said(
        "plan", "-v", "--prometheus", told, "--kubeconfig", kubeconfig(tmp_path / "k", "http://127.0.0.1:1", {})
    )
    written = said("policy", "check", policy(tmp_path / "policy.yaml", {"url": told}))
    cluster = said(
        "plan", "-v", "--prometheus", "http://127.0.0.1:1", "--kubeconfig", kubeconfig(tmp_path / "k", told, {})
    )
    assert "--prometheus " in given
    assert "history.url: " in written
    assert all(map(tells_nothing, (given, written, cluster))), (given, written, cluster)
    if "[" not in server:  # where the client itself finds the file malformed
        assert f"the server's address {'holds credentials' if '@' in server else 'is no URL'}" in cluster


@pytest.mark.parametrize(
    "proxy", ["http://u:{}@127.0.0.1:1", "socks9://u:{}@h:1", "http://u:{}@h:port", "u:{}@127.0.0.1:1"]
)
def test_a_proxy_may_want_a_password_and_nobody_reads_it(tmp_path: Path, proxy: str) -> None:
    cluster = kubeconfig(tmp_path / "k", "http://api.invalid", {})
    through = {name: proxy.format(PROXY) for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")}
    text = said("doctor", "-vv", "--prometheus", "http://prometheus.invalid", "--kubeconfig", cluster, **through)
    assert "history server" in text
    assert tells_nothing(text), text


PLUGINS = {
    "fails": f"echo 'login failed for {KUBE}' >&2; exit 7",
    "prints no JSON": f"echo '{KUBE}'",
    "prints other JSON": f'echo \'{{"token": "{KUBE}"}}\'',
    "gives a token with a line feed": 'echo \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": '
    f'"ExecCredential", "status": {{"token": "a\\n{KUBE}"}}}}\'',
}


@pytest.mark.parametrize("script", PLUGINS.values(), ids=PLUGINS)
def test_what_an_exec_plugin_says_is_not_repeated(tmp_path: Path, echo: ThreadingHTTPServer, script: str) -> None:
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script]}
    cluster = kubeconfig(tmp_path / "k", url(echo), {"exec": {**run, "interactiveMode": "Never"}})
    text = said("plan", "-vv", "--prometheus", "http://127.0.0.1:1", "--kubeconfig", cluster)
    assert tells_nothing(text), text
    if "exit 7" in script:
        assert "exec: process returned 7; run it yourself to see why" in text


@pytest.mark.parametrize("broken", ["users: [{name: u, user: {token: %s", "- %s: %s: x\n\t", "users: %s", "%s"])
def test_a_kubeconfig_that_makes_no_sense_is_not_quoted(tmp_path: Path, broken: str) -> None:
    (tmp_path / "k").write_text(broken.replace("%s", KUBE))
    text = said("plan", "-vv", "--prometheus", "http://127.0.0.1:1", "--kubeconfig", tmp_path / "k")
    assert "kubeconfig" in text
    assert tells_nothing(text), text
