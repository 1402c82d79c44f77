"""Who may read the pages, where the API server says something else than yes and no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from descheduler.controller import access
from descheduler.controller.access import Gate, Verdict
from descheduler.kube.client.connection import connect
from execution.fakes import Time
from kube.scripted import Answer, ScriptedApi, status

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
USER = {"username": "ann", "uid": "1", "groups": ["system:authenticated"], "extra": {"a/b": ["c"]}}
KNOWN = Answer(201, {"status": {"authenticated": True, "user": USER}})
YES, NO = (Answer(201, {"status": {"allowed": allowed}}) for allowed in (True, False))


class Asking:
    def __init__(self, api: ScriptedApi, folder: Path) -> None:
        self.api = api
        self.time = Time()
        self.told: list[str] = []
        self.client = connect(api.kubeconfig(folder))
        self.gate = Gate(self.client, self.time.clock.steady, self.told.append)

    def asked(self, path: str) -> list[dict[str, object]]:
        return [json.loads(r.body)["spec"] for r in self.api.requests if r.path == path]


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    with ScriptedApi() as api:
        asking = Asking(api, tmp_path)
        yield asking
        asking.client.close()


def test_what_the_api_server_says_holds_for_seconds_and_for_one_path(asking: Asking) -> None:
    asking.api.on(TOKENS, KNOWN)
    asking.api.on(ACCESS, YES, NO)
    assert asking.gate.ask("Bearer abc", "/reports/") is Verdict.ALLOWED
    assert asking.gate.ask("bearer  abc ", "/reports/") is Verdict.ALLOWED
    assert asking.asked(TOKENS) == [{"token": "abc"}]
    review = {"nonResourceAttributes": {"path": "/reports/", "verb": "get"}, "user": "ann", "uid": "1"}
    assert asking.asked(ACCESS) == [{**review, "groups": USER["groups"], "extra": USER["extra"]}]
    assert asking.gate.ask("Bearer abc", "/metrics") is Verdict.FORBIDDEN
    asking.time.pass_(11)
    assert asking.gate.ask("Bearer abc", "/reports/") is Verdict.FORBIDDEN, "a right that was taken away"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "abc", "Token abc"])
def test_without_a_bearer_token_nobody_is_asked(asking: Asking, header: str) -> None:
    assert asking.gate.ask(header, "/") is Verdict.UNKNOWN
    assert asking.api.requests == []


@pytest.mark.parametrize(
    ("tokens", "access"),
    [
        (Answer(500, {}), YES),
        (status(403, 'cannot create resource "tokenreviews"'), YES),
        (Answer(body="no review"), YES),
        (KNOWN, status(503)),
        (KNOWN, Answer(body=[])),
        (status(401), YES),
        (status(429), YES),
    ],
)
def test_what_cannot_be_asked_is_refused_and_told_and_asked_again(
    asking: Asking, tokens: Answer, access: Answer
) -> None:
    asking.api.on(TOKENS, tokens)
    asking.api.on(ACCESS, access)
    assert asking.gate.ask("Bearer abc", "/") is Verdict.UNSURE
    assert asking.told[-1].startswith("nobody can be let in: ")
    assert "abc" not in asking.told[-1]
    before = len(asking.api.requests)
    assert asking.gate.ask("Bearer abc", "/") is Verdict.UNSURE
    assert len(asking.api.requests) > before


@pytest.mark.parametrize(
    "answer", [{}, {"status": None}, {"status": {}}, {"status": {"authenticated": False, "user": USER}}]
)
def test_a_token_that_is_not_accepted_is_nobodys(asking: Asking, answer: dict[str, object]) -> None:
    asking.api.on(TOKENS, Answer(201, answer))
    asking.api.on(ACCESS, YES)
    assert asking.gate.ask("Bearer abc", "/") is Verdict.UNKNOWN
    assert asking.asked(ACCESS) == []


def test_many_tokens_do_not_fill_the_memory(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_REMEMBERED", 10)
    asking.api.on(TOKENS, Answer(201, {"status": {"authenticated": False}}))
    for i in range(30):
        asking.gate.ask(f"Bearer {i}", "/")
    assert len(asking.gate._known) == 10
