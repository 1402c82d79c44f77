from __future__ import annotations

import base64
import random
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descheduler.model.errors import HistoryPartial, HistoryRefused, HistoryUnreachable
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.failures import TooMuch
from descheduler_profiling.history.prometheus.sessions import Connection
from history.certificates import authority
from history.proxy import Fault, FaultyProxy
from history.world import GOOD, client

GRID = Grid(300, 300, 3)


@pytest.fixture
def server() -> Iterator[FaultyProxy]:
    """A server of one answer; a test replaces `decide` where it wants another."""
    made = FaultyProxy("http://127.0.0.1:1")
    made.decide = lambda _: Fault("status", 200, GOOD)
    yield made
    made.close()


def failing(times: int, fault: Fault, then: str = GOOD) -> Any:
    """Fail so many times, then answer."""
    left = [fault] * times
    return lambda _: left.pop() if left else Fault("status", 200, then)


def test_queries_are_posted_as_forms_on_whole_seconds_with_a_time_limit(server: FaultyProxy) -> None:
    with client(server.url, timeout=17.4) as asking:
        asking.query_range("up", GRID)
        asking.query("up", 1234)
    ranged, instant = server.seen
    assert (ranged.method, ranged.path) == ("POST", "/api/v1/query_range")
    assert ranged.fields == {"query": "up", "start": "300", "end": "900", "step": "300", "timeout": "17s"}
    assert instant.fields == {"query": "up", "time": "1234", "timeout": "17s"}


@pytest.mark.parametrize(
    ("prefix", "kind", "expected"),
    [
        ("", "prometheus", {}),
        ("/prometheus/", "mimir", {}),
        ("/select/0/prometheus", "victoriametrics", {"nocache": "1"}),
        ("", "thanos", {"dedup": "true", "partial_response": "false"}),
    ],
)
def test_each_kind_of_server_gets_its_path_and_parameters(
    server: FaultyProxy, prefix: str, kind: Any, expected: dict[str, str]
) -> None:
    options: dict[str, Any] = {"kind": kind, "headers": {"X-Scope-OrgID": "team"}, "params": {"extra": "1"}}
    with client(server.url + prefix, method="GET", **options) as asking:
        asking.query("up", 1)
    (request,) = server.seen
    assert request.method == "GET"
    assert request.path == f"{prefix.rstrip('/')}/api/v1/query"
    assert request.headers["x-scope-orgid"] == "team"
    assert expected.items() | {("extra", "1")} <= request.fields.items()


def test_a_token_file_is_read_again_for_each_request(server: FaultyProxy, tmp_path: Path) -> None:
    token = tmp_path / "token"
    with client(server.url, bearer_token_file=token) as asking:
        for secret in ("one", "two"):
            token.write_text(f"{secret}\n")
            asking.query("up", 1)
        token.unlink()
        with pytest.raises(HistoryRefused, match=r"cannot read .*token"):
            asking.query("up", 1)
        token.write_text("\n")
        with pytest.raises(HistoryRefused, match="is empty"):
            asking.query("up", 1)
    assert [request.headers["authorization"] for request in server.seen] == ["Bearer one", "Bearer two"]


def test_a_user_authenticates_with_a_password_or_one_from_a_file(server: FaultyProxy, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pässword\n")
    for options in ({"password": "pässword"}, {"password_file": tmp_path / "password"}):
        with client(server.url, username="me", **options) as asking:
            asking.query("up", 1)
    expected = "Basic " + base64.b64encode("me:pässword".encode()).decode()
    assert [request.headers["authorization"] for request in server.seen] == [expected] * 2
    with client(server.url, bearer_token="fixed") as asking:
        asking.query("up", 1)
    assert server.seen[-1].headers["authorization"] == "Bearer fixed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "prometheus:9090"}, "not an http"),
        ({"url": "http://p", "ca_file": Path("/absent.pem")}, "no such file"),
        ({"url": "http://p", "key_file": Path(__file__)}, "needs a certificate"),
        ({"url": "http://p", "username": "me", "bearer_token": "t"}, "give one of"),
    ],
)
def test_a_connection_that_cannot_work_says_so_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(HistoryRefused, match=message):
        client(**options)


def test_secrets_are_not_shown() -> None:
    shown = repr(Connection("http://p", password="geheim", bearer_token="geheim", headers={"Cookie": "geheim"}))
    assert "geheim" not in shown
    assert Connection("https://me:geheim@p:9/x").name == "https://p:9/x"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("down"),
        Fault("status", 503, "overloaded"),
        Fault("status", 429, '{"status":"error","errorType":"too_many_requests","error":"slow down"}'),
        Fault("status", 502),
        Fault("status", 200, GOOD[:50]),
    ],
    ids=["down", "503", "429", "502", "cut"],
)
def test_passing_troubles_are_sat_out_with_growing_pauses(server: FaultyProxy, fault: Fault) -> None:
    naps: list[float] = []
    server.decide = failing(2, fault)
    with client(server.url, naps=naps) as asking:
        assert asking.query_range("up", GRID).samples == 1
    assert len(server.seen) == 3
    assert 0.2 < naps[0] < naps[1] < 2
    assert asking.usage.retries == 2


def test_the_server_says_how_long_to_wait(server: FaultyProxy) -> None:
    naps: list[float] = []
    server.decide = failing(1, Fault("status", 429, "", {"Retry-After": "7"}))
    with client(server.url, naps=naps) as asking:
        asking.query("up", 1)
    assert naps == [7.0]


def test_a_gateway_that_gave_up_is_asked_once_more_and_then_for_less(server: FaultyProxy) -> None:
    server.decide = failing(1, Fault("status", 504))
    with client(server.url) as asking:
        assert asking.query_range("up", GRID).samples == 1
        server.decide = lambda _: Fault("status", 504)
        with pytest.raises(TooMuch, match="504") as caught:
            asking.query_range("up", GRID)
    assert caught.value.slow
    assert len(server.seen) == 4


def test_every_attempt_is_a_sign_of_life(server: FaultyProxy) -> None:
    beats: list[int] = []
    server.decide = failing(2, Fault("down"))
    ours = HistoryClient(
        Connection(server.url), rng=random.Random(1), sleep=lambda _: None, beat=lambda: beats.append(len(server.seen))
    )
    with ours as asking:
        asking.query("up", 1)
    assert beats == [1, 2, 3]


def test_a_server_that_stays_away_is_unreachable_after_all_attempts(server: FaultyProxy) -> None:
    server.decide = lambda _: Fault("down")
    with client(server.url, attempts=3) as asking, pytest.raises(HistoryUnreachable, match="check the address"):
        asking.query("up", 1)
    assert len(server.seen) == 3
    with client("http://127.0.0.1:1", attempts=1) as asking, pytest.raises(HistoryUnreachable, match=r"127\.0\.0\.1:1"):
        asking.query("up", 1)


def test_an_answer_that_is_always_cut_is_partial(server: FaultyProxy) -> None:
    server.decide = lambda _: Fault("status", 200, GOOD[:50])
    with client(server.url) as asking, pytest.raises(HistoryPartial, match="cut short"):
        asking.query("up", 1)


def test_a_slow_server_is_given_up_on_in_time(server: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("descheduler_profiling.history.prometheus.client._GRACE", 0.0)
    server.decide = lambda _: Fault("slow")
    with client(server.url, timeout=0.2) as asking, pytest.raises(TooMuch, match=r"longer than 0\.2 s") as caught:
        asking.query("up", 1)
    assert caught.value.slow
    assert len(server.seen) == 1


def test_a_redirect_is_not_followed_and_its_target_is_named(server: FaultyProxy) -> None:
    server.decide = lambda _: Fault("status", 302, "", {"Location": "http://elsewhere/"})
    with client(server.url, bearer_token="t") as asking, pytest.raises(HistoryRefused, match="http://elsewhere/"):
        asking.query("up", 1)


def test_a_refusal_is_not_asked_again(server: FaultyProxy) -> None:
    server.decide = lambda _: Fault("status", 401)
    with client(server.url) as asking, pytest.raises(HistoryRefused):
        asking.query("up", 1)
    assert len(server.seen) == 1


def test_the_servers_clock_is_compared_with_ours(server: FaultyProxy) -> None:
    made = HistoryClient(Connection(server.url), rng=random.Random(1), clock=lambda: 0.0)
    with made as asking:
        asking.query("up", 1)
    assert asking.skew > 1_600_000_000


def test_certificates_are_checked_both_ways(server: FaultyProxy, tmp_path: Path) -> None:
    ca = authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca.server.certificate, ca.server.key)
    context.load_verify_locations(ca.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    url = server.serve_tls(context)
    ours: dict[str, Any] = {"cert_file": ca.client.certificate, "key_file": ca.client.key}
    with client(url, ca_file=ca.certificate, **ours) as asking:
        assert asking.query_range("up", GRID).samples == 1
    with client(url, **ours) as asking, pytest.raises(HistoryUnreachable, match="check the certificate authority"):
        asking.query("up", 1)
    with client(url, ca_file=ca.certificate, attempts=1) as asking, pytest.raises(HistoryUnreachable):
        asking.query("up", 1)


def test_requests_under_way_are_bounded(server: FaultyProxy) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with client(server.url, max_concurrency=2) as asking, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda at: asking.query("up", at), range(40)))
    assert len(answers) == 40
    assert server.most_at_once <= 2
