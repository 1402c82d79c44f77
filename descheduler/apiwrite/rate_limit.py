"""How fast to write: a token bucket whose rate gives way when the server sheds load, and recovers."""

from __future__ import annotations

import threading

from descheduler.apiwrite.clock import Clock

_SLOWEST = 0.2  # requests per second
_BACK_OFF = 0.5  # multiplicative decrease and additive increase, as TCP does (Chiu and Jain 1989)
_RECOVERY = 0.05  # of the full rate, per success


class RateLimit:
    """Shared by all threads that write; `rate` requests per second, at most `burst` at once."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._full = rate
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._rate = rate
        self._tokens = float(burst)
        self._filled = clock.steady()
        self._closed_until = self._filled
        self.throttled_count = 0

    @property
    def rate(self) -> float:
        """Requests per second at present."""
        return self._rate

    def take(self, tokens: float = 1.0) -> None:
        """Wait for so many tokens; with none, only until the server takes requests again."""
        while (wait := self._try(tokens)) > 0.0:
            self._clock.sleep(wait)

    def throttled(self, retry_after: float) -> None:
        """The server said 429: halve the rate, and let nobody write before `retry_after` seconds are over."""
        with self._lock:
            self.throttled_count += 1
            self._rate = max(_SLOWEST, self._rate * _BACK_OFF)
            self._tokens = 0.0
            self._closed_until = max(self._closed_until, self._clock.steady() + retry_after)

    def answered(self) -> None:
        """The server took a request: come closer to the full rate again."""
        with self._lock:
            self._rate = min(self._full, self._rate + _RECOVERY * self._full)

    def _try(self, tokens: float) -> float:
        """Take the tokens, or say how many seconds to wait before trying again."""
        with self._lock:
            now = self._clock.steady()
            self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            if now < self._closed_until:
                return self._closed_until - now
            if self._tokens < tokens:
                return (tokens - self._tokens) / self._rate
            self._tokens -= tokens
            return 0.0
