"""Single looks of the doctor: clocks, who leads, other deschedulers, and the fence around each."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from builders import cluster, node, pod, spec
from controlplane.prometheus import PrometheusServer
from descheduler.doctor import instances, servers
from descheduler.doctor.checks import Check, Verdict, failure, fenced, ok, trusted, warning
from descheduler.doctor.permissions import permissions
from descheduler.doctor.table import render, summary
from descheduler.kube.client.connection import KubeClient, connect
from descheduler.kube.client.discovery import Discovered
from descheduler.model.errors import BadAnswer, DeschedulerError, Forbidden, Unreachable
from descheduler.report.cells import plain
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.sessions import Connection
from doctor.given import given
from kube.scripted import Answer, ScriptedApi, status

LEASE = "/apis/coordination.k8s.io/v1/namespaces/descheduler/leases/descheduler"


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as running:
        running.on("/version", Answer(body={"gitVersion": "v1.36.3"}))
        yield running


@pytest.fixture
def client(api: ScriptedApi, tmp_path: Path) -> Iterator[KubeClient]:
    made = connect(api.kubeconfig(tmp_path))
    yield made
    made.close()


def verdicts(checks: Iterator[Check]) -> dict[str, Verdict]:
    return {check.subject: check.verdict for check in checks}


@pytest.mark.parametrize(
    ("off", "verdict"), [(0, Verdict.OK), (20, Verdict.WARNING), (-20, Verdict.WARNING), (-3600, Verdict.FAILURE)]
)
def test_the_clock_of_the_api_server_is_held_against_ours(client: KubeClient, off: float, verdict: Verdict) -> None:
    asked = given(now=lambda: time.time() + off)
    found = servers.ask(client, asked.now)
    assert found.version == "v1.36.3"
    assert found.skew == pytest.approx(-off, abs=3)
    checks = list(servers.api_server(client, found, asked))
    assert verdicts(iter(checks))["clock against ours"] is verdict
    assert "v1.36.3" in checks[0].text


def test_an_address_that_is_no_api_server_is_told(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/version", Answer(body="<html>"))
    with pytest.raises(BadAnswer, match="is this an API server"):
        client.version()


@pytest.mark.parametrize(("ours", "api_ahead", "wrong"), [(0, 0, set()), (-3600, 0, {"ours"}), (0, 3600, {"API"})])
def test_the_clock_of_the_history_server_is_held_against_both(
    prometheus_server: Callable[..., PrometheusServer], ours: float, api_ahead: float, wrong: set[str]
) -> None:
    asked = given(now=lambda: time.time() + ours)
    with HistoryClient(Connection(prometheus_server().url), rng=random.Random(1), clock=asked.now) as history:
        checks = list(servers.history_server(history, api_ahead - ours, asked))
    failed = {check.subject for check in checks if check.verdict is Verdict.FAILURE}
    named = {"ours": "clock against ours", "API": "clock against that of the API server"}
    assert failed == {named[one] for one in wrong}


def held(age: float, holder: str = "replica-1") -> Answer:
    renewed = datetime.fromtimestamp(time.time() - age, UTC).isoformat(timespec="microseconds")
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
    return Answer(body={"metadata": {"name": "descheduler", "resourceVersion": "1"}, "spec": spec})


@pytest.mark.parametrize(
    ("answer", "verdict", "text"),
    [
        (lambda: held(3), Verdict.OK, "replica-1 leads"),
        (lambda: held(3600), Verdict.WARNING, "no controller acts now"),
        (lambda: held(3, holder=""), Verdict.OK, "nobody holds the lease"),
        (lambda: status(404), Verdict.OK, "nobody holds the lease"),
        (lambda: status(403, "forbidden"), Verdict.WARNING, "who leads is not known: missing permission: get leases"),
    ],
)
def test_who_leads_is_told_and_is_no_failure(
    api: ScriptedApi, client: KubeClient, answer: Callable[[], Answer], verdict: Verdict, text: str
) -> None:
    api.on(LEASE, answer())
    (check,) = instances.lease(client, given())
    assert check.verdict is verdict
    assert text in check.text


def test_where_rights_cannot_even_be_asked_reading_will_show_them(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", status(403, "not you"))
    (check,) = permissions(client, given(active=True), Discovered())
    assert check.verdict is Verdict.WARNING
    assert check.text.startswith("what we may do cannot be asked: missing permission: create selfsubjectaccessreviews")


def test_publishing_and_steering_need_rights_of_their_own(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Answer(body={"status": {"allowed": False}}))
    policy = "acting: {landing: steered}\npublish: {recommendations: {enabled: true}}\n"
    found = verdicts(permissions(client, given(policy, active=True), Discovered()))
    assert found["patch nodes"] is found["create pods/eviction"] is Verdict.FAILURE
    assert found["update recommendations/status.analysis.koordinator.sh"] is Verdict.WARNING
    assert found["own state"] is Verdict.FAILURE
    resting = verdicts(permissions(client, given(), Discovered()))
    assert resting["own state"] is Verdict.WARNING
    assert "create pods/eviction" not in resting


@pytest.mark.parametrize(
    ("namespace", "image", "verdict"),
    [
        ("kube-system", "registry.k8s.io/descheduler/descheduler:v0.36.0", Verdict.WARNING),
        ("kube-system", "mirror:5000/descheduler@sha256:00", Verdict.WARNING),
        ("descheduler", "mirror/descheduler:0.1.0", Verdict.OK),
        ("kube-system", "registry.k8s.io/descheduler/exporter:1", Verdict.OK),
    ],
)
def test_another_descheduler_is_noticed(namespace: str, image: str, verdict: Verdict) -> None:
    one = pod("descheduler-1", namespace=namespace, node="n1", of=spec(images=(image,)))
    (check,) = instances.others(cluster([node("n1")], [one, pod("web-1", node="n1")]), given())
    assert check.verdict is verdict


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (Forbidden("list", "nodes", "missing permission: list nodes"), "Grant list on nodes"),
        (Unreachable("no answer"), "see the address"),
    ],
)
def test_what_goes_wrong_while_looking_is_a_finding_after_what_was_found_before(
    error: DeschedulerError, mend: str
) -> None:
    def look() -> Iterator[Check]:
        yield ok("area", "first", "is there")
        raise error

    first, second = fenced("area", "look", look, "see the address")
    assert (first.subject, second.subject, second.verdict) == ("first", "look", Verdict.FAILURE)
    assert second.text == str(error)
    assert mend in second.mend


def test_the_table_says_what_mends_what_is_wrong() -> None:
    checks = [
        ok("policy", "policy", "is valid"),
        warning("instances", "lease", "not known"),
        failure("history", "cpu [x]", "nothing answers", "history.url", ["0 series now: up{}"]),
    ]

    def drawn(*, wide: bool) -> str:
        return plain(lambda console: render(checks, console, wide=wide), wide=True)

    text = drawn(wide=False)
    for words in ("✓", "!", "✗", "cpu [x]", "→ history.url", "0 series now: up{}"):
        assert words in text
    assert text.endswith("No plan can be trusted yet: 1 failure, 1 warning.\n")
    assert not trusted(checks)
    assert summary(checks[:2]) == "A plan can be trusted: 0 failures, 1 warning."
    colours = Console(force_terminal=True, width=160)
    with colours.capture() as captured:
        render(checks, colours)
    assert "\x1b[" in captured.get()
