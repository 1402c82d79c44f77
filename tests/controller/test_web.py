"""Probes, metrics and reports over HTTP, through a real server."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import Message
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from descheduler.controller.listener import WebServer, listening
from descheduler.controller.metrics import Metrics
from descheduler.controller.reports import Reports
from descheduler.controller.run import RunOptions, assembled
from descheduler.controller.status import Status
from descheduler.controller.web import HEADERS, create_app
from descheduler.execution.outcomes import ExecutionReport
from descheduler.model.errors import UsageError
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Blocked, Reason
from execution.fakes import Time
from execution.plans import action, move, plan


class Site:
    def __init__(self) -> None:
        self.time = Time()
        self.status = Status(self.time.clock.steady)
        self.reports = Reports(keep=3)
        self.metrics = Metrics()
        self.rendered: list[str] = []
        self.server = WebServer(create_app(self.status, self.reports, self.metrics, self._render), "127.0.0.1", 0)

    def _render(self, document: PlanDocument) -> str:
        self.rendered.append(document.id)
        return f"<!doctype html><title>{document.id}</title>"

    def get(self, path: str, method: str = "GET") -> tuple[int, str, Message]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.server.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode(), refused.headers


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    site.server.start()
    yield site
    site.server.stop()


def test_readiness_says_why_not(site: Site) -> None:
    assert site.get("/readyz")[:2] == (503, "not ready: starting\n")
    site.status.pause(Blocked(Reason.DATA_MISSING, "API server", "still reading pods"))
    code, text, _ = site.get("/readyz")
    assert code == 503
    assert "still reading pods (API server)" in text
    site.status.go_on()
    site.status.note("policy", "rejected")
    assert site.get("/readyz")[:2] == (200, "ready: starting\npolicy: rejected\n")


def test_health_is_about_the_loop_alone(site: Site) -> None:
    site.status.pause(Blocked(Reason.DATA_MISSING))
    assert site.get("/healthz")[0] == 200
    site.time.pass_(601)
    assert site.get("/healthz")[0] == 503


def test_metrics_are_in_the_exposition_format(site: Site) -> None:
    site.metrics.cycles.labels("planned").inc()
    code, text, headers = site.get("/metrics")
    assert code == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert families["descheduler_cycles"].samples[0].value == 1
    assert families["descheduler_build_info"].samples[0].labels["version"]
    assert "process_resident_memory_bytes" in families
    ours = [f for f in families.values() if f.name.startswith("descheduler_")]
    assert all(f.documentation for f in ours)


def test_the_first_page_is_the_latest_report(site: Site) -> None:
    assert "No report yet" in site.get("/")[1]
    for i in range(4):
        site.reports.add(plan(action(move("web-1")), name=f"plan-{i}", created=1_760_000_000.0 + i))
    code, text, _ = site.get("/")
    assert (code, text) == (200, "<!doctype html><title>plan-3</title>")
    site.get("/reports/plan-3")
    assert site.rendered == ["plan-3"]

    listed = site.get("/reports/")[1]
    assert "2025-10-09 08:53:23 UTC" in listed
    assert "/reports/plan-1" in listed
    assert "/reports/plan-0" not in listed  # only three are kept
    assert site.get("/reports/plan-0")[0] == 404


def test_reports_are_data_too(site: Site) -> None:
    made = plan(action(move("web-1")))
    site.reports.add(made)
    assert json.loads(site.get("/reports/plan-1.json")[1])["actions"][0]["pods"][0]["pod"] == "web-1"
    assert site.get("/reports/plan-1/execution.json")[0] == 404
    site.reports.add(made, ExecutionReport("plan-1", 1.0, 2.0, 1, ()))
    assert json.loads(site.get("/reports/plan-1/execution.json")[1])["waves"] == 1


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/reports/", "/reports/none", "/nothing"])
def test_every_answer_is_hardened_and_nothing_can_be_written(site: Site, path: str) -> None:
    headers = site.get(path)[2]
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "Server" not in headers
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert site.get(path, method)[0] in (404, 405)


def test_what_a_cluster_says_is_escaped(site: Site) -> None:
    site.status.pause(Blocked(Reason.DATA_MISSING, "<script>alert(1)</script>"))
    text = site.get("/")[1]
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return False
    return True


def test_on_a_laptop_nobody_else_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with listening(None, 0) as found:
        port = found.getsockname()[1]
        assert answers("127.0.0.1", port)
        assert not answers("127.0.0.2", port), "another address of this machine"


@pytest.mark.parametrize("host", [None, "", "::", "[::]"])
def test_in_a_cluster_every_address_is_served_of_both_kinds(monkeypatch: pytest.MonkeyPatch, host: str | None) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with listening(host, 0) as found:
        port = found.getsockname()[1]
        assert answers("127.0.0.1", port)
        assert answers("127.0.0.2", port)
        assert answers("::1", port) == socket.has_dualstack_ipv6()


def test_an_address_that_is_given_is_the_one_that_is_served() -> None:
    with listening("127.0.0.2", 0) as found:
        port = found.getsockname()[1]
        assert answers("127.0.0.2", port)
        assert not answers("127.0.0.1", port)
    with pytest.raises(UsageError, match="cannot listen on nowhere"):
        listening("nowhere.invalid", 0)


@pytest.mark.parametrize(
    ("host", "code"),
    [("localhost", 200), ("localhost:8080", 200), ("127.0.0.1:80", 200), ("[::1]:80", 200), ("evil.example", 421)],
)
def test_on_a_laptop_names_that_were_pointed_here_read_nothing(site: Site, host: str, code: int) -> None:
    app = create_app(site.status, site.reports, site.metrics, site._render, local_names=True)
    server = WebServer(app, "127.0.0.1", 0)
    server.start()
    try:
        for path in ("/reports/", "/metrics", "/healthz"):
            request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers={"Host": host})
            assert status_of(request) == code
    finally:
        server.stop()
    elsewhere = urllib.request.Request(f"http://127.0.0.1:{site.server.port}/reports/", headers={"Host": host})
    assert status_of(elsewhere) == 200, "in a cluster a proxy may call it as it likes"


def status_of(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_a_certificate_without_its_key_is_wrong_usage(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    clusters = '[{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}]'
    contexts = '[{"name": "a", "context": {"cluster": "a", "user": ""}}]'
    kubeconfig.write_text(f'{{"clusters": {clusters}, "contexts": {contexts}, "users": [], "current-context": "a"}}')
    with ExitStack() as stack, pytest.raises(UsageError, match="--tls-private-key-file are given together"):
        assembled(RunOptions(kubeconfig=kubeconfig, port=0, certificate=tmp_path / "tls.crt"), stack)


def test_a_port_that_is_taken_is_one_clear_error(site: Site) -> None:
    with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{site.server.port}"):
        WebServer(create_app(site.status, site.reports, site.metrics, site._render), "127.0.0.1", site.server.port)
