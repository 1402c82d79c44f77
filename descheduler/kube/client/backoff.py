"""Waiting longer after each failure, with jitter so that replicas do not come back in step."""

from __future__ import annotations

import random

_FIRST = 0.8  # seconds; client-go's reflector waits 0.8 to 30 s, doubling
_LONGEST = 30.0


class Backoff:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.failures = 0

    def success(self) -> None:
        self.failures = 0

    def failure(self, at_least: float = 0.0) -> float:
        """Seconds to wait after one more failure."""
        base = min(_LONGEST, _FIRST * 2.0 ** min(self.failures, 10))
        self.failures += 1
        return max(at_least, base * self._rng.uniform(0.75, 1.5))
