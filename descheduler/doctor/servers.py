"""The API server and the history server: do they answer, and do their clocks agree with ours and with one another?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from descheduler.doctor.checks import Check, failure, ok, warning
from descheduler.doctor.given import Given
from descheduler.kube.client.connection import KubeClient
from descheduler.model.format import span
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.probe import hello

API, HISTORY = "API server", "history server"
_EXACT = 2.0  # seconds: a Date header has whole ones, and an answer takes time
_WORTH_KNOWING = 5.0


@dataclass(frozen=True, slots=True)
class ApiServer:
    """`skew`: how many seconds its clock is ahead of ours; None where its answers do not say."""

    version: str
    skew: float | None


def ask(client: KubeClient, now: Callable[[], float]) -> ApiServer:
    """What the API server says of itself. Raises ClusterError when there is no answer."""
    asked = now()
    said = client.version()
    try:
        there = parsedate_to_datetime(said.date).timestamp() + 0.5
    except (TypeError, ValueError):
        return ApiServer(said.name, None)
    return ApiServer(said.name, there - (asked + now()) / 2)


def api_server(client: KubeClient, found: ApiServer, given: Given) -> Iterator[Check]:
    """Where it is, and its clock."""
    yield ok(API, "connection", f"{client.server} answers, {found.version or 'of no known version'} ({client.name})")
    if found.skew is None:
        yield warning(API, "clock", "its answers do not say what time it is there")
        return
    yield _clock(API, "ours", found.skew, given.policy.freshness.max_age.total_seconds())


def history_server(client: HistoryClient, api: float | None, given: Given) -> Iterator[Check]:
    """The same of the history server, and its clock against that of the API server, which is `api` ahead of ours.

    Raises HistoryError when it does not answer, or refuses us.
    """
    hello(client, int(given.now()))
    step = given.policy.history.step.total_seconds()
    yield ok(HISTORY, "connection", f"{client.connection.name} answers")
    yield _clock(HISTORY, "ours", client.skew, step)
    if api is not None:  # pods start by the one clock, and samples are of the other
        yield _clock(HISTORY, "that of the API server", client.skew - api, step)


def _clock(area: str, against: str, skew: float, most: float) -> Check:
    """How far a clock is ahead of another one, in seconds; more than `most` cannot be relied on."""
    subject = f"clock against {against}"
    if abs(skew) <= _EXACT:
        return ok(area, subject, "they agree")
    text = f"it is {span(abs(skew))} {'ahead' if skew > 0 else 'behind'}"
    mend = "set the clocks right (NTP): here, on the API server and on the history server"
    if abs(skew) > most:
        return failure(area, subject, f"{text}: how old the data is, is not known", mend)
    return warning(area, subject, text, mend) if abs(skew) > _WORTH_KNOWING else ok(area, subject, text)
