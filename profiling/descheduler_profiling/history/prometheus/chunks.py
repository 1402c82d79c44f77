"""A long range as many small queries: within the server's limits, halved when it says too much, open about gaps.

Limits: 11,000 points for each series of one range query (prometheus web/api/v1: not configurable);
`--query.max-samples` (50 million) and the time limit bind sooner in practice, and how soon depends on the query. So
the size starts from the number of series, follows what answers really weigh, and is halved where the server refuses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from descheduler.model.errors import HistoryError, HistoryRefused, HistoryUnreachable
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.failures import TooMuch
from descheduler_profiling.history.prometheus.wire import QueryAnswer

MAX_POINTS = 11_000
# A server that times out on an eighth of the range is ill, not overloaded by us; and one that still finds too many
# series in it does so because there are, not because of pods that came and went.
_FEW_SPLITS = 3
_GIVE_UP = 2  # failed chunks in a row after which the rest is not even tried

Sink = Callable[[Grid, QueryAnswer], None]


@dataclass(frozen=True, slots=True)
class Hole:
    """Columns that could not be read, and why."""

    grid: Grid
    error: HistoryError


@dataclass(frozen=True, slots=True)
class _Chunk:
    grid: Grid
    splits: int = 0  # of those that may be made a few times only


class RangeReader:
    """Reads ranges of one query. `series`: how many are expected; 0 if nobody knows."""

    def __init__(self, client: HistoryClient, promql: str, series: int) -> None:
        self._client = client
        self._promql = promql
        self._points = self._affordable(max(1, series))
        self._failed_in_a_row = 0
        self._stopped: HistoryError | None = None

    def read(self, wanted: Iterable[Grid], sink: Sink) -> list[Hole]:
        """Hand every answer to `sink`, in this thread; return what stayed missing after a second try."""
        holes = self._pass(list(wanted), sink)
        if holes and self._stopped is None:
            holes = self._pass([hole.grid for hole in holes], sink)
        return sorted(holes, key=lambda hole: hole.grid)

    def _pass(self, runs: list[Grid], sink: Sink) -> list[Hole]:
        workers = self._client.connection.max_concurrency
        left = deque(_Chunk(run) for run in runs if run.count)
        holes: list[Hole] = []
        self._failed_in_a_row, self._sent, self._failed_at = 0, 0, 0
        with ThreadPoolExecutor(workers, thread_name_prefix="history") as pool:
            active: dict[Future[QueryAnswer], tuple[_Chunk, int]] = {}
            while left or active:
                # A server that has just failed is asked one thing at a time, until it answers something asked since.
                while left and len(active) < (1 if self._failed_in_a_row else workers) and self._stopped is None:
                    chunk = self._cut(left)
                    self._sent += 1
                    active[pool.submit(self._client.query_range, self._promql, chunk.grid)] = chunk, self._sent
                if not active:  # stopped: the rest is known to be missing
                    assert self._stopped is not None
                    holes.extend(Hole(chunk.grid, self._stopped) for chunk in left)
                    break
                for finished in wait(active, return_when=FIRST_COMPLETED).done:
                    self._take(finished, *active.pop(finished), left, holes, sink)
        return holes

    def _take(
        self,
        finished: Future[QueryAnswer],
        chunk: _Chunk,
        sent: int,
        left: deque[_Chunk],
        holes: list[Hole],
        sink: Sink,
    ) -> None:
        try:
            answer = finished.result()
        except TooMuch as error:
            halves = self._halve(chunk, a_few_times=error.slow or error.series)
            left.extendleft(reversed(halves))
            if not halves:
                self._failed(chunk, error, holes)
        except HistoryError as error:
            self._failed(chunk, error, holes)
        else:
            if sent > self._failed_at:  # an answer to what was asked before says nothing of the server now
                self._failed_in_a_row = 0
            self._points = min(self._points, self._affordable(answer.samples / chunk.grid.count))
            sink(chunk.grid, answer)

    def _failed(self, chunk: _Chunk, error: HistoryError, holes: list[Hole]) -> None:
        holes.append(Hole(chunk.grid, error))
        self._failed_in_a_row += 1
        self._failed_at = self._sent
        hopeless = isinstance(error, HistoryUnreachable | TooMuch) and self._failed_in_a_row >= _GIVE_UP
        if hopeless or isinstance(error, HistoryRefused):
            self._stopped = error

    def _halve(self, chunk: _Chunk, *, a_few_times: bool) -> list[_Chunk]:
        grid = chunk.grid
        splits = chunk.splits + a_few_times
        if grid.count < 2 or splits > _FEW_SPLITS:
            return []
        half = (grid.count + 1) // 2
        self._points = min(self._points, half)
        return [_Chunk(grid.part(0, half), splits), _Chunk(grid.part(half, grid.count - half), splits)]

    def _cut(self, left: deque[_Chunk]) -> _Chunk:
        """The next chunk, ending on a multiple of its length, so that caches before the server see the same queries."""
        chunk = left.popleft()
        length = self._points
        first = length - chunk.grid.start // chunk.grid.step % length
        if chunk.grid.count <= first:
            return chunk
        rest = chunk.grid.part(first, chunk.grid.count - first)
        left.appendleft(_Chunk(rest, chunk.splits))
        return _Chunk(chunk.grid.part(0, first), chunk.splits)

    def _affordable(self, series: float) -> int:
        """Columns of so many series that one answer may hold."""
        return max(1, min(MAX_POINTS, int(self._client.connection.max_samples / max(1.0, series))))
