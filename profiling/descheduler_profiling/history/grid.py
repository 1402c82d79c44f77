"""The clock of a history: evenly spaced columns on whole multiples of the step, the same for every query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LAG = 90.0  # seconds until a step's samples are there: a scrape interval, and what rules and remote writes take


@dataclass(frozen=True, slots=True, order=True)
class Grid:
    """Columns at `start`, `start + step`, ... (`count` of them), in Unix seconds; `start` is a multiple of `step`."""

    start: int
    step: int
    count: int

    @property
    def end(self) -> int:
        """The last column (`start - step` when there is none)."""
        return self.start + (self.count - 1) * self.step

    def part(self, first: int, count: int) -> Grid:
        """`count` columns from column `first` on."""
        return Grid(self.start + first * self.step, self.step, count)

    def column(self, time: int) -> int:
        """The index of a time on this clock; may lie outside."""
        return (time - self.start) // self.step

    def within(self, other: Grid) -> Grid:
        """The columns that both have."""
        start = max(self.start, other.start)
        end = min(self.end, other.end)
        return Grid(start, self.step, max(0, (end - start) // self.step + 1))


def window(now: float, window_seconds: int, step: int, lag: float) -> Grid:
    """The columns of the window that ends at the last step which is over for at least `lag` seconds."""
    end = int((now - lag) // step) * step
    count = max(1, window_seconds // step)
    return Grid(end - (count - 1) * step, step, count)


def runs(columns: Iterable[int], grid: Grid) -> list[Grid]:
    """Sorted column numbers as the fewest unbroken grids."""
    found: list[Grid] = []
    first = previous = -2
    for column in columns:
        if column != previous + 1:
            if previous >= 0:
                found.append(grid.part(first, previous - first + 1))
            first = column
        previous = column
    if previous >= 0:
        found.append(grid.part(first, previous - first + 1))
    return found
