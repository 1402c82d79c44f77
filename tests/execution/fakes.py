"""Time that tests move, and a transport that answers by a script and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from descheduler.apiwrite.clock import Clock
from descheduler.kube.client.answers import error_of
from descheduler.model.errors import ClusterError, LeadershipLost

WALL = 1_760_000_000.0


class Time:
    """A clock that moves when somebody sleeps, or by `pass_`; `set_wall` jumps the wall clock alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 1000.0
        self._offset = WALL - self._now
        self.slept: list[float] = []

    def pass_(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds

    def set_wall(self, unix: float) -> None:
        self._offset = unix - self._now

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_(seconds)

    @property
    def clock(self) -> Clock:
        return Clock(wall=lambda: self._now + self._offset, steady=lambda: self._now, sleep=self._sleep)


class Fence:
    """Leadership that tests give and take."""

    def __init__(self, leading: bool = True) -> None:
        self.leading = leading

    def check(self) -> None:
        if not self.leading:
            raise LeadershipLost("deposed")


Answering = Callable[[str, str], "bytes | ClusterError"]


class Scripted:
    """Answers by a function of (method, path); an error that it returns is raised. `asked` has every request."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float = 60.0,
    ) -> bytes:
        with self._lock:
            self.asked.append((method, path, query or {}))
        answer = self._answer(method, path)
        if isinstance(answer, ClusterError):
            raise answer
        return answer


def refusal(status: int, body: bytes = b"", retry_after: str = "") -> ClusterError:
    """The error that the connection raises for such an answer to an eviction."""
    return error_of(status, body, "POST", "/api/v1/namespaces/default/pods/a/eviction", retry_after=retry_after)
