"""Who we say we are, and what the API server's refusals become."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from descheduler.kube.client.answers import parse_status, rule
from descheduler.kube.client.connection import KubeClient, connect
from descheduler.kube.client.credentials import Overrides
from descheduler.model.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    Throttled,
    Unauthorized,
    Unreachable,
    UsageError,
)
from kube.scripted import Answer, ScriptedApi, listing, status, watching

PODS = "/api/v1/pods"


def sent(api: ScriptedApi) -> list[str | None]:
    return [request.headers.get("authorization") for request in api.requests]


# Credentials


def test_a_kubeconfig_token_and_its_context(api: ScriptedApi, client: KubeClient) -> None:
    client.get(PODS)
    assert client.name == "main"
    assert client.server == api.url
    assert sent(api) == ["Bearer secret"]


def test_another_context_is_another_server(api: ScriptedApi, tmp_path: Path) -> None:
    elsewhere = connect(api.kubeconfig(tmp_path), "elsewhere")
    assert elsewhere.name == "elsewhere"
    with pytest.raises(Unreachable, match=r"no answer from http://127.0.0.1:1"):
        elsewhere.get(PODS)


def test_a_server_that_is_named_stays_the_one_that_is_asked(api: ScriptedApi, tmp_path: Path) -> None:
    named = connect(api.kubeconfig(tmp_path), "elsewhere", overrides=Overrides(server=api.url))
    for _ in range(3):
        named.get(PODS)
    assert (named.server, len(api.requests)) == (api.url, 3)


def test_who_may_not_impersonate_is_told_so_and_not_what_rights_are_missing(api: ScriptedApi, tmp_path: Path) -> None:
    api.on(
        PODS, status(403, 'users "jane" is forbidden: User "joe" cannot impersonate resource "users" in API group ""')
    )
    with pytest.raises(Unauthorized, match=r"we may not act as another user \(--as\).*jane"):
        connect(api.kubeconfig(tmp_path), overrides=Overrides(user="jane")).get(PODS)


def test_an_unknown_context_says_so(api: ScriptedApi, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        connect(api.kubeconfig(tmp_path), "nowhere")


@pytest.mark.parametrize("text", ["clusters: [", "just a text", "{}", ""])
def test_a_broken_kubeconfig_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken"
    path.write_text(text)
    with pytest.raises(UsageError, match="broken"):
        connect(path)


def test_no_configuration_at_all_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UsageError, match="--kubeconfig"):
        connect(environ={})
    with pytest.raises(UsageError, match="no such kubeconfig"):
        connect(tmp_path / "missing")


def test_the_environment_names_the_kubeconfig(api: ScriptedApi, tmp_path: Path) -> None:
    connect(environ={"KUBECONFIG": str(api.kubeconfig(tmp_path))}).get(PODS)
    assert sent(api) == ["Bearer secret"]


EXEC_PLUGIN = """
import json, pathlib, sys
counter = pathlib.Path(sys.argv[1])
n = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(n))
made = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
print(json.dumps(made | {"status": {"token": f"token-{n}"}}))
"""


def exec_user(folder: Path, script: str) -> dict[str, object]:
    plugin = folder / "plugin.py"
    plugin.write_text(script)
    command = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(plugin), str(folder / "counter")],
        "interactiveMode": "Never",
    }
    return {"exec": command}


def test_an_exec_plugin_is_run_and_run_again_when_its_token_is_refused(api: ScriptedApi, tmp_path: Path) -> None:
    client = connect(api.kubeconfig(tmp_path, exec_user(tmp_path, EXEC_PLUGIN)))
    api.on(PODS, listing(), status(401), listing())
    client.get(PODS)
    client.get(PODS)
    assert sent(api) == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_an_exec_plugin_that_fails_is_an_error_not_an_anonymous_request(api: ScriptedApi, tmp_path: Path) -> None:
    user = exec_user(tmp_path, "import sys; sys.exit('please log in')")
    with pytest.raises(Unauthorized, match="no credentials"):
        connect(api.kubeconfig(tmp_path, user))
    assert api.requests == []


def test_credentials_that_stay_refused_are_tried_twice_and_reported(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, status(401, "token expired"))
    with pytest.raises(Unauthorized, match="token expired"):
        client.get(PODS)
    assert len(api.requests) == 2


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    path = tmp_path / "server.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            *subject,
            "-out",
            path,
            "-keyout",
            path,
        ],
        capture_output=True,
    )
    assert made.returncode == 0, made.stderr
    return path


def test_in_cluster_the_service_account_is_sent_and_a_rotated_token_is_read_again(
    tmp_path: Path, certificate: Path
) -> None:
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "ca.crt").write_text(certificate.read_text())
    (account / "token").write_text("first\n")
    with ScriptedApi() as api:
        host, port = api.secure(certificate)
        environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port), "HOME": str(tmp_path)}
        client = connect(environ=environ, service_account=account)
        assert client.name == "in-cluster"
        client.get(PODS)
        (account / "token").write_text("second")
        api.on(PODS, status(401), listing())
        client.get(PODS)
        client.close()
        assert sent(api) == ["Bearer first", "Bearer first", "Bearer second"]


def test_a_server_with_another_certificate_is_not_spoken_to(tmp_path: Path, certificate: Path) -> None:
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "ca.crt").write_text(_other(tmp_path))
    (account / "token").write_text("secret")
    with ScriptedApi() as api:
        host, port = api.secure(certificate)
        environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port), "HOME": str(tmp_path)}
        with pytest.raises(Unreachable, match="certificate"):
            connect(environ=environ, service_account=account).get(PODS)
        assert api.requests == []


def _other(folder: Path) -> str:
    path = folder / "other.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=other",
            "-out",
            path,
            "-keyout",
            path,
        ],
        capture_output=True,
        check=True,
    )
    return path.read_text()


def test_nothing_heavy_is_imported_before_a_connection_is_made() -> None:
    heavy = "print('kubernetes' in sys.modules)"
    code = f"import sys, descheduler.kube.client.read_cluster, descheduler.kube.client.cache; {heavy}"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


# Refusals


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (status(403), Forbidden),
        (status(404), NotFound),
        (status(409), Conflict),
        (status(410), Gone),
        (status(429), Throttled),
        (status(500), ClusterError),
        (Answer(502, b"<html>bad gateway</html>"), ClusterError),
        (Answer(302, b"", {"Location": "https://login.example.com"}), ClusterError),
    ],
)
def test_each_refusal_is_its_own_error_with_the_answer_in_it(
    api: ScriptedApi, client: KubeClient, answer: Answer, kind: type[ClusterError]
) -> None:
    api.on(PODS, answer)
    with pytest.raises(kind) as caught:
        client.get(PODS)
    assert caught.value.status == answer.status
    assert len(api.requests) == 1


def test_a_missing_permission_names_verb_and_resource(api: ScriptedApi, client: KubeClient) -> None:
    path = "/apis/policy/v1/poddisruptionbudgets"
    api.on(path, status(403, "no"))
    with pytest.raises(Forbidden, match=r"list poddisruptionbudgets\.policy") as caught:
        client.get(path)
    assert (caught.value.verb, caught.value.resource) == ("list", "poddisruptionbudgets.policy")


@pytest.mark.parametrize(
    ("request_line", "query", "expected"),
    [
        ("GET /api/v1/pods", {}, ("list", "pods")),
        ("GET /api/v1/pods", {"watch": "true"}, ("watch", "pods")),
        ("GET /api/v1/namespaces", {}, ("list", "namespaces")),
        ("GET /api/v1/namespaces/a", {}, ("get", "namespaces")),
        ("GET /api/v1/namespaces/a/pods", {}, ("list", "pods")),
        ("POST /api/v1/namespaces/a/pods/b/eviction", {}, ("create", "pods/eviction")),
        ("PATCH /apis/apps/v1/namespaces/a/deployments/b/scale", {}, ("patch", "deployments/scale.apps")),
        ("PUT /apis/coordination.k8s.io/v1/namespaces/a/leases/b", {}, ("update", "leases.coordination.k8s.io")),
        ("GET /apis", {}, ("get", "/apis")),
        ("GET /apis/policy/v1", {}, ("get", "/apis/policy/v1")),
    ],
)
def test_the_rule_that_a_request_needs(request_line: str, query: dict[str, str], expected: tuple[str, str]) -> None:
    method, path = request_line.split(" ")
    assert rule(method, path, query) == expected


def test_an_eviction_that_a_budget_refuses_is_not_throttling(api: ScriptedApi, client: KubeClient) -> None:
    path = "/api/v1/namespaces/a/pods/b/eviction"
    details = {"causes": [{"reason": "DisruptionBudget", "message": "The budget web needs 2 healthy pods"}]}
    api.on(path, status(429, "Cannot evict", "TooManyRequests", details=details))
    with pytest.raises(ClusterError) as caught:
        client.request("POST", path, b"{}")
    assert not isinstance(caught.value, Throttled)
    answer = parse_status(caught.value.body)
    assert answer.over_budget
    assert answer.causes[0].message == "The budget web needs 2 healthy pods"


def test_throttling_says_how_long_to_wait(api: ScriptedApi, client: KubeClient) -> None:
    api.on(
        PODS,
        Answer(429, {"details": {"retryAfterSeconds": 3}}, {"Retry-After": "7"}),
        status(429, details={"retryAfterSeconds": 3}),
    )
    for seconds in (7.0, 3.0):
        with pytest.raises(Throttled) as caught:
            client.get(PODS)
        assert caught.value.retry_after == seconds


def test_a_write_is_sent_once_with_its_content_type(api: ScriptedApi, client: KubeClient) -> None:
    path = "/api/v1/namespaces/a/pods/b"
    api.on(path, status(500))
    with pytest.raises(ClusterError):
        client.request("PATCH", path, b'{"a":1}', content_type="application/merge-patch+json", query={"dryRun": "All"})
    (seen,) = api.seen(path)
    assert (seen.method, seen.body, seen.query) == ("PATCH", b'{"a":1}', {"dryRun": "All"})
    assert seen.headers["content-type"] == "application/merge-patch+json"


# Streams


def test_a_stream_gives_whole_lines_and_says_when_it_breaks(api: ScriptedApi, client: KubeClient) -> None:
    api.on(f"{PODS}?watch", watching("one", "two", cut=True))
    lines = iter(client.stream(PODS, {"watch": "true"}))
    assert next(lines) == b"one"
    assert next(lines) == b"two"
    with pytest.raises(Unreachable, match="the stream broke"):
        next(lines)


def test_a_stream_that_ends_properly_just_ends(api: ScriptedApi, client: KubeClient) -> None:
    api.on(f"{PODS}?watch", watching("one"))
    assert list(client.stream(PODS, {"watch": "true"})) == [b"one"]


def test_closing_a_stream_from_another_thread_wakes_its_reader(api: ScriptedApi, client: KubeClient) -> None:
    lines = client.stream(PODS, {"watch": "true"})
    seen: list[bytes] = []
    reader = threading.Thread(target=lambda: seen.extend(lines))
    reader.start()
    lines.close()
    reader.join(10)
    assert not reader.is_alive()
    assert seen == []


def test_a_silent_stream_is_given_up(api: ScriptedApi, client: KubeClient) -> None:
    with pytest.raises(Unreachable):
        list(client.stream(PODS, {"watch": "true"}, timeout=0.2))
