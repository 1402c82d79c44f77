"""When a request may go to a server: at most so many at once, and none while it asks to be left alone.

A server that says 429 does not mean one request but the client. So all of them wait, those in the queue too, and fewer
are under way afterwards: half as many, and one more for each round that is answered (as TCP does, RFC 5681).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from descheduler.model.errors import HistoryUnreachable

PATIENCE = 180.0
"""Seconds that a server may keep us waiting between two answers. Then the requests fail; a later cycle asks again."""
LONGEST_QUIET = 900.0
"""Seconds of quiet that are granted at the most: a date that was meant otherwise must not silence us for ever."""


class Turns:
    """Gives turns to the threads that ask one server. `clock` only goes forward; `sleep` passes its time."""

    def __init__(self, most: int, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._most = most
        self._clock = clock
        self._sleep = sleep
        self._changed = threading.Condition()
        self._under_way = 0
        self._allowed = float(most)
        self._until = -math.inf
        self._asked_since = math.inf
        self._said = ""

    @property
    def at_once(self) -> int:
        """How many may be under way now."""
        return int(self._allowed)

    @contextmanager
    def turn(self, waited_until: float = -math.inf) -> Iterator[None]:
        """One request. `waited_until`: a moment up to which the caller has already been quiet.

        Raises:
            HistoryUnreachable: the server asked for a longer quiet than there is patience for.
        """
        self._begin(waited_until)
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _begin(self, waited_until: float) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._under_way < self.at_once)
                until, now = self._until, self._clock()
                if until <= max(waited_until, now):
                    self._under_way += 1
                    return
                self._check_patience()
            self._sleep(until - now)
            waited_until = until

    def quiet(self, seconds: float, said: str) -> float:
        """The server asks to be left alone, in the words `said`: the moment until which.

        Raises:
            HistoryUnreachable: that is longer than there is patience for.
        """
        with self._changed:
            now = self._clock()
            old_story = now > self._until + PATIENCE
            self._asked_since = now if old_story else min(self._asked_since, now)
            self._allowed = max(1.0, self._allowed / 2)
            self._until = max(self._until, now + min(seconds, LONGEST_QUIET))
            self._said = said
            self._check_patience()
            return self._until

    def answered(self) -> None:
        """The server answered, and be it with a refusal."""
        with self._changed:
            self._allowed = min(float(self._most), self._allowed + 1.0 / self._allowed)
            self._asked_since = math.inf
            self._changed.notify_all()

    def _check_patience(self) -> None:
        if self._until - self._asked_since > PATIENCE:
            raise HistoryUnreachable(self._said)
