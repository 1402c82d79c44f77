"""One query to a Prometheus-compatible server: bounded, timed, tried again, and told apart when it fails.

`prometheus-api-client` keeps session, address and authentication. Its own query calls return the bare result:
warnings, by which servers say that data is missing, are dropped, POST parameters go into the address (414 for long
queries), nothing but GET is retried. So the request is made through its session, and the raw answer is read here.
"""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.util.retry import Retry

from descheduler.model.errors import HistoryError, HistoryPartial, HistoryRefused, HistoryUnreachable
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.prometheus.failures import Failure, TooMuch, failure_of, http_time
from descheduler_profiling.history.prometheus.sessions import Connection, credentials, make_session
from descheduler_profiling.history.prometheus.turns import Turns
from descheduler_profiling.history.prometheus.wire import QueryAnswer, decode_answer

_CONNECT_TIMEOUT = 10.0
_GRACE = 5.0  # the server is told the time limit and should give up first: its answer says why
_BLOCK = 1 << 16
_MAX_BYTES = 512 << 20
_BACKOFF = 0.5
_BACKOFF_MAX = 20.0


@dataclass(slots=True)
class Usage:
    """What a client has cost so far. `server_seconds` is waiting and transfer, summed over concurrent queries."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    server_seconds: float = 0.0
    decode_seconds: float = 0.0


class HistoryClient:
    """Asks one server. May be used by several threads; at most `connection.max_concurrency` queries are under way.

    `rng` spreads retries, `sleep` and `clock` (Unix seconds) are the world's unless a test says otherwise. `beat` is
    called after every attempt, so that long readings show that they go on.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        rng: random.Random,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.perf_counter,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.connection = connection
        self.usage = Usage()
        self.skew = 0.0
        self._rng = rng
        self._sleep = sleep
        self._clock = clock
        self.stopwatch = stopwatch
        self._beat = beat
        self._turns = Turns(connection.max_concurrency, stopwatch, sleep)
        self._lock = threading.Lock()
        self._session = make_session(connection)
        self._connect = PrometheusConnect(
            connection.base,
            session=self._session,
            auth=credentials(connection),
            method=connection.method,
            retry=Retry(0, raise_on_status=False),  # ours, which knows POST, limits and the server's wishes
        )

    def close(self) -> None:
        self._connect.close()

    def __enter__(self) -> HistoryClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def query(self, promql: str, at: int) -> QueryAnswer:
        """One value of each series at `at`, in Unix seconds. Raises as `query_range` does."""
        return self._ask("query", {"query": promql, "time": str(at)})

    def query_range(self, promql: str, grid: Grid) -> QueryAnswer:
        """The series of a query on the columns of a grid.

        Raises:
            HistoryUnreachable: no answer, after all attempts.
            HistoryRefused: credentials or the query are not accepted.
            HistoryPartial: the answer is cut short, after all attempts.
            TooMuch: the server finds it too large or too slow; ask for less.
        """
        times = {"start": str(grid.start), "end": str(grid.end), "step": str(grid.step)}
        return self._ask("query_range", {"query": promql, **times})

    def _ask(self, path: str, fields: dict[str, str]) -> QueryAnswer:
        whole = {**fields, "timeout": f"{max(1, round(self.connection.timeout))}s", **self.connection.extra_params}
        waited_until = -math.inf
        for attempt in itertools.count(1):
            with self._turns.turn(waited_until):
                outcome = self._once(path, whole)
            if isinstance(outcome, QueryAnswer):
                self._turns.answered()
                return outcome
            pause = self._pause(outcome, attempt)
            if outcome.quiet:
                waited_until = self._turns.quiet(pause, str(outcome.error))
            elif not outcome.again:
                self._turns.answered()
            if not outcome.again or attempt >= self._attempts(outcome):
                raise outcome.error
            with self._lock:
                self.usage.retries += 1
            self._sleep(pause)
        raise AssertionError("unreachable")

    def _attempts(self, failure: Failure) -> int:
        """How often to try: a server that only has to be waited for longer, for quotas are often counted by the minute.

        What may only have been slow is tried once more, and then asked for less.
        """
        most = self.connection.attempts
        if isinstance(failure.error, TooMuch):
            return min(2, most)
        return 2 * most if failure.quiet else most

    def _pause(self, failure: Failure, attempt: int) -> float:
        """Seconds before the next attempt: growing, spread, and as long as the server wishes."""
        with self._lock:
            spread = self._rng.uniform(0.5, 1.5)
        return max(failure.wait, min(_BACKOFF_MAX, _BACKOFF * 2.0 ** (attempt - 1)) * spread)

    def _once(self, path: str, fields: Mapping[str, str]) -> QueryAnswer | Failure:
        where = self.connection.name
        begun = self.stopwatch()
        try:
            with self._send(path, fields) as response:
                body = self._body(response, begun)
        except requests.exceptions.ReadTimeout as error:
            return _failure(TooMuch(f"{where} took longer than {self.connection.timeout:g} s", slow=True), error)
        except requests.exceptions.SSLError as error:
            check = "check the certificate authority (ca_file) and our certificate"
            return _failure(HistoryUnreachable(f"{where}: TLS failed: {check}: {_short(error)}"), error)
        except (requests.exceptions.InvalidHeader, UnicodeError) as error:
            return _failure(HistoryRefused(f"{where}: a header cannot be sent: check history.headers"), error)
        except requests.exceptions.RequestException as error:
            message = f"{where} cannot be reached: check the address and that the server is up: {_short(error)}"
            return _failure(HistoryUnreachable(message), error, again=True)
        except ValueError as error:  # of http.client, and of what reads addresses of proxies
            return _failure(HistoryRefused(f"{where} cannot be asked: check headers and proxies: {error}"), error)
        except HistoryError as error:  # credentials that cannot be read; an answer that never ends
            return Failure(error)
        finally:
            with self._lock:
                self.usage.requests += 1
                self.usage.server_seconds += self.stopwatch() - begun
            self._beat()
        return self._understand(response, body)

    def _send(self, path: str, fields: Mapping[str, str]) -> requests.Response:
        """A query call of the library, with its address, headers and credentials, but the whole response for us."""
        post = self.connection.method == "POST"
        return self._session.request(
            method=self.connection.method,
            url=f"{self._connect.url}/api/v1/{path}",
            params=None if post else fields,
            data=fields if post else None,
            headers=self._connect.headers,
            auth=self._connect.auth,
            verify=self._session.verify,
            cert=self._session.cert,
            timeout=(_CONNECT_TIMEOUT, self.connection.timeout + _GRACE),
            allow_redirects=False,  # a redirected POST loses its body, and credentials do not belong elsewhere
            stream=True,
        )

    def _body(self, response: requests.Response, begun: float) -> bytes:
        """The whole body, within the time limit: a read time-out alone lets a trickle go on for ever."""
        blocks: list[bytes] = []
        size = 0
        for block in response.iter_content(_BLOCK):
            blocks.append(block)
            size += len(block)
            if self.stopwatch() - begun > self.connection.timeout + _GRACE:
                raise TooMuch(f"{self.connection.name} took longer than {self.connection.timeout:g} s", slow=True)
            if size > _MAX_BYTES:
                raise TooMuch(f"{self.connection.name} answers with more than {_MAX_BYTES >> 20} MiB")
        return b"".join(blocks)

    def _understand(self, response: requests.Response, body: bytes) -> QueryAnswer | Failure:
        headers = response.headers
        begun = self.stopwatch()
        told_at = http_time(headers.get("Date", ""))
        failure = failure_of(
            response.status_code,
            headers.get("Content-Type", ""),
            headers.get("Retry-After", ""),
            body,
            self.connection.name,
            told_at=self._clock() if told_at is None else told_at,
        )
        if failure is not None:
            if "Location" in headers:
                failure.error.args = (f"{failure.error} Location: {headers['Location'].partition('?')[0]}",)
            return failure
        if told_at is not None:
            self.skew = told_at - self._clock()  # how far the server's clock is ahead of ours; negative: behind
        try:
            return decode_answer(body)
        except HistoryPartial as error:
            return Failure(error, again=True)
        except HistoryError as error:
            return Failure(error)
        finally:
            with self._lock:
                self.usage.bytes += len(body)
                self.usage.decode_seconds += self.stopwatch() - begun


def _failure(error: HistoryError, cause: BaseException, *, again: bool = False) -> Failure:
    error.__cause__ = cause
    return Failure(error, again=again)


def _short(error: BaseException) -> str:
    """The innermost reason: requests and urllib3 wrap it three times."""
    inner: BaseException = error
    while inner.args and isinstance(inner.args[0], BaseException):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None)
    return str(reason if isinstance(reason, BaseException) else inner)[:300]
