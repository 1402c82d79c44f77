"""Rows of a programme, collected term by term where they do not come as arrays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from descheduler.packing.programme import Programme

Terms = list[tuple[int, float]]
"""(column, value)"""


class Rows:
    """Rows collected as lists of (column, value), put into a programme together."""

    def __init__(self) -> None:
        self._row: list[int] = []
        self._column: list[int] = []
        self._value: list[float] = []
        self._lower: list[float] = []
        self._upper: list[float] = []

    def add(self, terms: Iterable[tuple[int, float]], *, lower: float = -np.inf, upper: float = np.inf) -> None:
        at = len(self._lower)
        for column, value in terms:
            self._row.append(at)
            self._column.append(column)
            self._value.append(value)
        self._lower.append(lower)
        self._upper.append(upper)

    def put(self, programme: Programme) -> None:
        if self._lower:
            programme.constrain(
                len(self._lower), self._row, self._column, self._value, lower=self._lower, upper=self._upper
            )
