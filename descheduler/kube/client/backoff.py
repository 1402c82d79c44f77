"""Waiting longer after each failure, with jitter so that those who wait do not come back in step."""

from __future__ import annotations

import random


class Backoff:
    """Seconds from `first` to `longest`, `growth` times longer after each failure, times a random part of `jitter`.

    The defaults are those of client-go's reflector.
    """

    def __init__(
        self,
        rng: random.Random,
        *,
        first: float = 0.8,
        longest: float = 30.0,
        growth: float = 2.0,
        jitter: tuple[float, float] = (0.75, 1.5),
    ) -> None:
        self._rng = rng
        self._first, self._longest, self._growth, self._jitter = first, longest, growth, jitter
        self.failures = 0

    def success(self) -> None:
        self.failures = 0

    def failure(self, at_least: float = 0.0) -> float:
        """Seconds to wait after one more failure."""
        base = min(self._longest, self._first * self._growth ** min(self.failures, 20))
        self.failures += 1
        return max(at_least, base * self._rng.uniform(*self._jitter))
