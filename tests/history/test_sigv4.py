"""Requests to a server that checks their signatures as Amazon does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descheduler.model.errors import HistoryRefused, HistoryUnreachable
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.prometheus.sigv4 import SigV4
from history.proxy import Fault, FaultyProxy, Request
from history.signatures import refusal
from history.world import GOOD, client

GRID = Grid(300, 300, 3)
SECRETS = {"AKIDLASTING": "a lasting secret", "ASIAPASSING": "a passing secret"}
REGION = "eu-central-1"
WORKSPACE = "/workspaces/ws-1d2f/"


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FaultyProxy]:
    """A workspace in eu-central-1; nobody has credentials yet, not even by the files of whoever runs the tests."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    made = FaultyProxy("http://127.0.0.1:1")

    def decide(request: Request) -> Fault:
        refused = refusal(request, SECRETS, REGION)
        return Fault("status", 403, refused) if refused else Fault("status", 200, GOOD)

    made.decide = decide
    yield made
    made.close()


def lend(monkeypatch: pytest.MonkeyPatch, key: str, token: str = "") -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS[key])
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_queries_are_signed(amazon: FaultyProxy, monkeypatch: pytest.MonkeyPatch, method: Any) -> None:
    lend(monkeypatch, "AKIDLASTING")
    odd = 'sum by (pod) (rate(x{a=~"b|c d",e!="é"}[5m]))'
    with client(amazon.url + WORKSPACE, sigv4=SigV4(REGION), method=method, params={"a": "b c"}) as asking:
        assert asking.query_range(odd, GRID).samples == 1
        assert asking.query(odd, 1).samples == 1
    assert {request.fields["query"] for request in amazon.seen} == {odd}
    assert amazon.seen[0].path == "/workspaces/ws-1d2f/api/v1/query_range"


def test_a_session_token_is_sent_and_signed(amazon: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch, "ASIAPASSING", token="of a role")
    with client(amazon.url, sigv4=SigV4(REGION)) as asking:
        asking.query("up", 1)
    assert amazon.seen[0].headers["x-amz-security-token"] == "of a role"


def test_a_profile_of_the_configuration_is_used(amazon: FaultyProxy, tmp_path: Path) -> None:
    secret = SECRETS["AKIDLASTING"]
    (tmp_path / "credentials").write_text(f"[metrics]\naws_access_key_id=AKIDLASTING\naws_secret_access_key={secret}\n")
    (tmp_path / "config").write_text("")
    with client(amazon.url, sigv4=SigV4(REGION, profile="metrics")) as asking:
        asking.query("up", 1)


def test_every_attempt_has_its_own_signature(amazon: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch, "AKIDLASTING")
    checked, busy = amazon.decide, [Fault("status", 429, json.dumps({"message": "Rate exceeded"}))]
    amazon.decide = lambda request: busy.pop() if busy else checked(request)
    with client(amazon.url, sigv4=SigV4(REGION)) as asking:
        asking.query("up", 1)
    assert all(request.headers["authorization"].startswith("AWS4-HMAC-SHA256") for request in amazon.seen)
    assert len(amazon.seen) == 2


def test_without_a_signature_it_is_said_what_to_set(amazon: FaultyProxy) -> None:
    with client(amazon.url) as asking, pytest.raises(HistoryRefused, match=r"history\.auth\.sigV4"):
        asking.query("up", 1)


def test_a_wrong_region_is_named(amazon: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch, "AKIDLASTING")
    with client(amazon.url, sigv4=SigV4("us-east-1")) as asking, pytest.raises(HistoryRefused, match=r"sigV4\.region"):
        asking.query("up", 1)


def test_no_credentials_are_said(amazon: FaultyProxy) -> None:
    with (
        client(amazon.url, sigv4=SigV4(REGION)) as asking,
        pytest.raises(HistoryUnreachable, match="no credentials of AWS"),
    ):
        asking.query("up", 1)
    assert not amazon.seen


def test_what_signs_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "awscrt", None)
    with pytest.raises(HistoryRefused, match=r"pip install 'descheduler\[sigv4\]'"):
        client("http://p", sigv4=SigV4(REGION))


def test_one_way_of_authentication_at_a_time() -> None:
    with pytest.raises(HistoryRefused, match="give one of"):
        client("http://p", sigv4=SigV4(REGION), bearer_token="t")
