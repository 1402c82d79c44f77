"""Which of a signal's queries the server can answer, found out by asking it: one number each, not the series.

The query itself is counted, not the metric's name, so that labels, joins and rights are tried too. A recording rule
that was added yesterday does not push out the raw metric that reaches back a week: of the queries that answer now,
the first that also answers at the start wins. Pods that it does not measure are asked for by the others (`joining`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from descheduler.model.errors import HistoryPartial, HistoryRefused, HistoryUnreachable
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.failures import TooMuch
from descheduler_profiling.history.prometheus.joining import added_by, joined, joins, parts
from descheduler_profiling.history.prometheus.wire import Series
from descheduler_profiling.history.signals import Query, Signal, render

_UNOWNED = 0.02  # share of pods without a known owner above which the server's own roll-up loses too much

# Samples of single pods (35 bytes each) from which their transfer costs more than the server's join. Measured: 1,000
# pods of 5 replicas over a week cost the server 6.7 s and us 0.4 s pod by pod, 11.4 s and 0.1 s by workload.
_ROLL_UP_FROM = 20_000_000

Wanted = Callable[[str, str], bool]
"""Whether a pod, (namespace, name), should be measured."""


class NoSeries(HistoryRefused):
    """The server was asked in good order, and has nothing of a signal."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The query that answers for single pods (or for workloads, if so written), and how many series it has."""

    query: Query
    text: str
    series: int


@dataclass(frozen=True, slots=True)
class Bulk:
    """The query for the long past, rolled up on the server if it can."""

    query: Query
    text: str
    series: int


@dataclass(frozen=True, slots=True)
class Tried:
    """One query of a signal: its text, how many series it has `now` and had `then`, or why it was refused."""

    text: str
    now: int = 0
    then: int = 0
    refusal: str = ""


class Prober:
    """Asks one server about one window. `match`: matchers that every selector gets.

    `most`: what no pod can exceed.
    """

    def __init__(
        self, client: HistoryClient, grid: Grid, window_seconds: int, match: str, most: float = math.inf
    ) -> None:
        self._client = client
        self._grid = grid
        self._window = window_seconds
        self._match = match
        self._most = most

    def choose(self, signal: Signal) -> Choice:
        """The best query.

        Raises:
            NoSeries: the server has nothing for any of the queries.
            HistoryRefused: none of the queries returns anything, and some were refused; says what was tried.
            HistoryUnreachable: the server does not answer at all.
        """
        first: Choice | None = None
        refusals: list[str] = []
        for query in signal.queries:
            text = query.render(self._window, self._match)
            try:
                series = self.answering(query, self._grid.end)
                if not series:
                    continue
                reaches_back = self.answering(query, self._grid.start) > 0
            except (HistoryRefused, TooMuch, HistoryPartial) as error:
                refusals.append(str(error))
                continue
            choice = Choice(query, text, series)
            if reaches_back:
                return choice
            first = first or choice
        if first is not None:
            return first
        what = f"none of the {len(signal.queries)} queries of signal {signal.name} answers"
        if not refusals:
            raise NoSeries(f"{what}: the server has no such series now")
        raise HistoryRefused(f"{what}: {'; '.join(dict.fromkeys(refusals))}")

    def tried(self, signal: Signal) -> tuple[Tried, ...]:
        """Every query of the signal, asked for the end and, where it answers, for the start of the window.

        Raises:
            HistoryUnreachable: the server does not answer at all.
        """
        return tuple(map(self._tried, signal.queries))

    def _tried(self, query: Query) -> Tried:
        text = query.render(self._window, self._match)
        try:
            now = self.answering(query, self._grid.end)
            return Tried(text, now, self.answering(query, self._grid.start) if now else 0)
        except (HistoryRefused, TooMuch, HistoryPartial) as error:
            return Tried(text, refusal=str(error))

    def wider(self, signal: Signal, choice: Choice, wanted: Wanted, least: int) -> Choice:
        """The choice with those further queries that measure `least` or more wanted pods which it does not."""
        made = list(parts(signal, choice.text, self._window, self._match))
        series = choice.series
        for query in signal.queries if made and all(map(joins, made)) else ():
            if query in made or not joins(query):
                continue
            current = joined(made).render(self._window, self._match)
            try:
                found = self._whole(added_by(query.render(self._window, self._match), current), self._grid.end)
            except (HistoryRefused, TooMuch, HistoryPartial):
                continue
            if sum(wanted(one.labels.get("namespace", ""), one.labels.get("pod", "")) for one in found) >= least:
                made.append(query)
                series += len(found)
        if not made or joined(made) == choice.query:
            return choice
        return Choice(joined(made), joined(made).render(self._window, self._match), series)

    def bulk(self, signal: Signal, choice: Choice, columns: int) -> Bulk:
        """The query for a range of so many columns: rolled up by the server if the signal wants it or it saves much.

        Only where the server knows nearly every pod's owner, then and now.
        """
        if signal.roll_up_on_server == "auto" and choice.series * columns < _ROLL_UP_FROM:
            return Bulk(choice.query, choice.text, choice.series)
        for query, owners in zip(signal.rolled_up(choice.query, self._most), signal.owners, strict=False):
            text = query.render(self._window, self._match)
            owner_text = render(owners, self._window, self._match)
            try:
                if all(self._owned(choice.text, owner_text, at) for at in (self._grid.end, self._grid.start)):
                    series = self.count(text, self._grid.end)
                    if series:
                        return Bulk(query, text, series)
            except (HistoryRefused, HistoryPartial, TooMuch):
                continue  # e.g. two owners of one pod: the join is refused, single pods are not
        return Bulk(choice.query, choice.text, choice.series)

    def answering(self, query: Query, at: int) -> int:
        """How many series a query has at one time; 0 where one of its parts has none."""
        if not query.parts:
            return self.count(query.render(self._window, self._match), at)
        total = 0
        for part in query.parts:
            found = self.count(render(part, self._window, self._match), at)
            if not found:
                return 0
            total += found
        return total

    def count(self, text: str, at: int) -> int:
        """How many series a query has at one time."""
        found = self._whole(f"count({text})", at)
        return int(found[0].values[0]) if found else 0

    def _whole(self, text: str, at: int) -> tuple[Series, ...]:
        answer = self._client.query(text, at)
        if answer.partial:
            raise HistoryPartial(f"{self._client.connection.name} answers in part only: {'; '.join(answer.partial)}")
        return answer.series

    def _owned(self, pods: str, owners: str, at: int) -> bool:
        all_pods = self.count(pods, at)
        if not all_pods:
            return True
        return self.count(f"({pods}) unless on (namespace, pod) ({owners})", at) <= _UNOWNED * all_pods


def hello(client: HistoryClient, at: int) -> None:
    """Ask for nothing much, to learn whether the server answers us at all and what its clock says.

    Raises:
        HistoryUnreachable, HistoryRefused: as `HistoryClient.query` does.
    """
    try:
        client.query("vector(1)", at)
    except (TooMuch, HistoryPartial) as error:
        raise HistoryUnreachable(str(error)) from error
