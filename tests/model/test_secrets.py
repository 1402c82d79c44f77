"""What is taken out of whatever is said, and what is left."""

from __future__ import annotations

import time

import pytest

from descheduler.model.errors import HistoryRefused
from descheduler.model.secrets import can_be_sent, hidden, remember

SECRET = "q7Secret-of.somebody_9"


@pytest.mark.parametrize(
    "text",
    [
        f"Invalid header value b'Bearer {SECRET}\\n'",
        f"authorization: Basic {SECRET}==",
        f"it says: BEARER {SECRET}, and more",
        f'{{"access_token": "{SECRET}"}}',
        f"GET /login?next=/&id_token={SECRET}&x=1",
        f"run with --token={SECRET}",
        f"no proxy at http://user:{SECRET}@proxy:3128/",
        f"http://{SECRET}@h: refused",
        f"'https://user:pa/{SECRET}@h'",
        f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n{SECRET}",
        "eyJhbGciOi.q7Secret-of_some.body_9",
    ],
)
def test_what_has_the_form_of_a_secret_is_not_said(text: str) -> None:
    assert "q7Secret" not in str(HistoryRefused(text))


def test_what_is_known_is_not_said_in_any_form() -> None:
    remember("opaque-value-1\nopaque-value-2")
    assert hidden("it is opaque-value-2, or opaque-value-1") == "it is …, or …"
    remember("is")
    assert hidden("this is short") == "this is short"


@pytest.mark.parametrize(
    "text",
    [
        "give one of bearer token, bearer token file, username, AWS signature",
        "must not hold credentials: use auth.basic or auth.bearerTokenFile",
        'pods "a" is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods"',
        "http://prometheus.monitoring:9090 does not know us (401): check token or password",
        'secrets "token-abc" not found',
    ],
)
def test_what_merely_speaks_of_secrets_stays(text: str) -> None:
    assert hidden(text) == text


@pytest.mark.parametrize(
    "piece", ["token", "Bearer ", "://", '"', "?token=", "-----BEGIN PRIVATE KEY-----", "eyJaaaaa."]
)
def test_no_text_takes_long(piece: str) -> None:
    begun = time.process_time()
    hidden(piece * (100_000 // len(piece)))
    hidden(f'"{piece * (100_000 // len(piece))}')
    assert time.process_time() - begun < 5


def test_only_what_a_header_carries_can_be_sent() -> None:
    assert can_be_sent("eyJ.a-b_c~+/=")
    assert not any(map(can_be_sent, ("", "a b", "a\nb", "a\r", "\0", "é", "a\x85")))
