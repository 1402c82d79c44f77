"""What an HTTP answer that is not a result means: try again, ask for less, or stop and say what to check."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from descheduler.model.errors import HistoryError, HistoryPartial, HistoryRefused, HistoryUnreachable
from descheduler_profiling.history.prometheus.wire import decode_envelope


class TooMuch(HistoryError):
    """The server found the query too large or too slow; a shorter range may do. `slow`: it only took too long."""

    def __init__(self, message: str, *, slow: bool = False) -> None:
        self.slow = slow
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt: the error to raise in the end, and whether another attempt may help."""

    error: HistoryError
    again: bool = False
    wait: float = 0.0


# Prometheus: "query processing would load too many samples", "exceeded maximum resolution of 11,000 points", "query
# timed out"; Mimir: err-mimir-max-*; Thanos: "exceeded samples limit"; VictoriaMetrics: "cannot select more than",
# "-search.max...".
_LIMIT = re.compile(
    r"too many (samples|points|series|chunks)|maximum resolution|exceeded? .*(limit|maximum)|"
    r"limit.*exceeded|err-mimir-max|"
    r"query.*too (large|long|big)|cannot select more than|-search\.max|response.*too large|maximum.*(allowed|size)",
    re.IGNORECASE,
)
_SLOW = re.compile(r"timed? ?out|timeout|deadline exceeded|canceled", re.IGNORECASE)

Meaning = Literal["refused", "again", "much", "slow"]


def failure_of(status: int, content_type: str, retry_after: str, body: bytes, where: str) -> Failure | None:
    """The failure that an answer stands for, or None for a result. `where`: the address, for the message."""
    text = _text(body, content_type)
    if status in (401, 403):
        which = "does not know us (401): check token or password" if status == 401 else "forbids the query (403)"
        return Failure(HistoryRefused(f"{where} {which}; it says: {text}"))
    if 300 <= status < 400:
        return Failure(HistoryRefused(f"{where} redirects ({status}): give the address that it redirects to, {text}"))
    if status in (404, 405, 501):
        hint = "check the path prefix (Mimir /prometheus, VictoriaMetrics /select/0/prometheus)"
        hint = hint if status == 404 else "check the query method (GET or POST)"
        return Failure(HistoryRefused(f"{where} has no such query API ({status}): {hint}; it says: {text}"))
    if status == 200 and content_type and "json" not in content_type and not body.lstrip().startswith(b"{"):
        return Failure(
            HistoryRefused(f"{where} answers {content_type}, not JSON: is it a login page or a user interface?")
        )
    if status == 200:
        return None
    return _of_meaning(_meaning(status, text), status, text, retry_after, where)


def _meaning(status: int, text: str) -> Meaning:
    if _LIMIT.search(text) or status == 413:
        return "much"
    if status in (422, 500, 503, 504) and _SLOW.search(text):
        return "slow"
    if status == 504:
        return "slow"
    if status in (408, 425, 429) or status >= 500:
        return "again"
    return "refused"


def _of_meaning(meaning: Meaning, status: int, text: str, retry_after: str, where: str) -> Failure:
    if meaning in ("much", "slow"):
        return Failure(TooMuch(f"{where} finds the query too large ({status}): {text}", slow=meaning == "slow"))
    if meaning == "again":
        wait = min(float(retry_after), 120.0) if retry_after.isdigit() else 0.0
        return Failure(HistoryUnreachable(f"{where} does not answer now ({status}): {text}"), again=True, wait=wait)
    return Failure(HistoryRefused(f"{where} rejects the query ({status}): {text}"))


def _text(body: bytes, content_type: str) -> str:
    """The server's own words, short."""
    if "json" in content_type or body.lstrip().startswith(b"{"):
        try:
            envelope = decode_envelope(body)
        except HistoryPartial:
            pass
        else:
            return " ".join(f"{envelope.error_type}: {envelope.error}".split())[:300]
    return " ".join(body[:300].decode("utf-8", "replace").split()) or "nothing"
