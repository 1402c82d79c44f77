"""What an HTTP answer that is not a result means: try again, ask for less, or stop and say what to check."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from descheduler.model.errors import HistoryError, HistoryPartial, HistoryRefused, HistoryUnreachable
from descheduler_profiling.history.prometheus.wire import decode_envelope
from descheduler_profiling.history.prometheus.wordings import Meaning, Understood, understood

_SHOWN = 300  # characters of a server's words in a message
_READ = 20_000  # and those in which its reason is looked for: it repeats the query first


class TooMuch(HistoryError):
    """The server found the query too large or too slow; a shorter range may do.

    `slow`: it only took too long. `series`: it selects too many series, so that a shorter range helps only a little.
    """

    def __init__(self, message: str, *, slow: bool = False, series: bool = False) -> None:
        self.slow = slow
        self.series = series
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt: the error to raise in the end, and whether another attempt may help.

    `wait`: seconds after which the server wants to be asked again; `quiet`: it wants that of all our requests.
    """

    error: HistoryError
    again: bool = False
    wait: float = 0.0
    quiet: bool = False


# The query and its times, which VictoriaMetrics repeats before it says what is wrong. Words of a query are not the
# server's, and the same problem of many ranges is one.
_ECHO: Final = re.compile(r'query="(?:\\.|[^"\\])*"( on the time range \([^)]*\))?')
# What a refusal of credentials means, by a piece of its text.
_HINTS: Final = (
    (
        # Amazon's answer to a request without a signature.
        r"Missing ?Authentication ?Token",
        "Amazon wants signed requests: set history.auth.sigV4 (pip install 'descheduler[sigv4]'), or give the address "
        "of a signing proxy",
    ),
    (r"SignatureDoesNotMatch|signature we calculated|Credential should be scoped", "check history.auth.sigV4.region"),
    (r"security token included in the request is (invalid|expired)|Signature expired", "check our AWS credentials"),
    (
        r"OAuth ?2 access token",
        "Google wants tokens: give the address of its prometheus-engine's frontend, or history.auth.bearerTokenFile",
    ),
    (r"not authorized to perform: aps:", "allow our role aps:QueryMetrics on the workspace"),
)


def failure_of(
    status: int, content_type: str, retry_after: str, body: bytes, where: str, *, told_at: float = math.inf
) -> Failure | None:
    """The failure that an answer stands for, or None for a result.

    `where`: the server's address, for the message; `told_at`: when it answered, in Unix seconds of its own clock.
    """
    text = _text(body, content_type)
    if status in (401, 403):
        which = "does not know us (401): check token or password" if status == 401 else "forbids the query (403)"
        hint = next((f": {hint}" for pattern, hint in _HINTS if re.search(pattern, text, re.IGNORECASE)), "")
        return Failure(HistoryRefused(f"{where} {which}{hint}; it says: {_shown(text)}"))
    if 300 <= status < 400:
        return Failure(
            HistoryRefused(f"{where} redirects ({status}): give the address that it redirects to, {_shown(text)}")
        )
    if status in (404, 405, 501):
        hint = "check the path prefix (Mimir /prometheus, VictoriaMetrics /select/0/prometheus)"
        hint = hint if status == 404 else "check the query method (GET or POST)"
        return Failure(HistoryRefused(f"{where} has no such query API ({status}): {hint}; it says: {_shown(text)}"))
    if status == 200 and content_type and "json" not in content_type and not body.lstrip().startswith(b"{"):
        return Failure(
            HistoryRefused(f"{where} answers {content_type}, not JSON: is it a login page or a user interface?")
        )
    if status == 200:
        return None
    found = understood(text, precisely=status == 400)
    return _of_meaning(
        _meaning(status, found), status, _shown(text, found), asked_wait(retry_after, told_at), where, found
    )


def asked_wait(retry_after: str, told_at: float) -> float:
    """Seconds of the header Retry-After, a number or a date (RFC 9110, 10.2.3); 0 if it makes no sense."""
    asked = retry_after.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", asked):
        return float(asked)
    until = http_time(asked)
    return 0.0 if until is None else max(0.0, until - told_at)


def http_time(date: str) -> float | None:
    """Unix seconds of a date as HTTP writes it; None if it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _meaning(status: int, found: Understood | None) -> Meaning:
    if status == 429:
        return "again"  # whatever limit its text speaks of: the server is asked too much, not too much of it
    if status == 413:
        return "much"
    if found is not None:
        return found.wording.meaning
    if status == 504:
        return "slow"
    return "again" if status in (408, 425) or status >= 500 else "refused"


def _of_meaning(meaning: Meaning, status: int, said: str, wait: float, where: str, found: Understood | None) -> Failure:
    match meaning:
        case "much":
            return Failure(TooMuch(f"{where} finds the query too large ({status}): {said}"))
        case "slow":
            # A gateway does not know how far the server was: it is asked once more.
            late = TooMuch(f"{where} took too long for the query ({status}): {said}", slow=True)
            return Failure(late, again=status == 504)
        case "series":
            knob = found.wording.knob if found is not None else "its limit of series"
            mend = f'raise {knob} there, or select fewer with history.match (cluster="…", namespace=~"…")'
            return Failure(
                TooMuch(f"{where}: the query selects too many series ({status}): {mend}; it says: {said}", series=True)
            )
        case "again":
            does = "asks us to wait" if status == 429 else "does not answer now"
            asked = f", {wait:g} s" if wait else ""
            error = HistoryUnreachable(f"{where} {does} ({status}{asked}): {said}")
            return Failure(error, again=True, wait=wait, quiet=status == 429 or wait > 0)
        case "refused":
            return Failure(HistoryRefused(f"{where} rejects the query ({status}): {said}"))


def _text(body: bytes, content_type: str) -> str:
    """The server's own words."""
    return _ECHO.sub("query=…", _words(body, content_type))


def _words(body: bytes, content_type: str) -> str:
    if "json" in content_type or body.lstrip().startswith(b"{"):
        try:
            envelope = decode_envelope(body)
        except HistoryPartial:
            pass
        else:
            return " ".join(f"{envelope.error_type}: {envelope.error}".split())[:_READ]
    return " ".join(body[:_READ].decode("utf-8", "replace").split()) or "nothing"


def _shown(text: str, found: Understood | None = None) -> str:
    """So much of the text as people read, with what was understood of it."""
    if len(text) <= _SHOWN:
        return text
    if found is None or found.begins < _SHOWN // 2:
        return text[:_SHOWN]
    begins = text.find(" ", found.begins - 40, found.begins) + 1 or found.begins
    return f"… {text[begins : begins + _SHOWN]}"
