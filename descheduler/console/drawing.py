"""The timeline as a picture: a bar of hot minutes for each hour, and above it the evictions of that hour."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.archive.answers import Timeline
from descheduler.model.format import instant, number, plural

WIDTH, HEIGHT = 1000.0, 160.0
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Bar:
    """In units of the picture, from its upper left corner; `text` says what it stands for."""

    x: float
    y: float
    width: float
    height: float
    evicted: int
    text: str


def bars(timeline: Timeline) -> tuple[Bar, ...]:
    """One for each hour in which there was a plan."""
    if not timeline.hours:
        return ()
    first, last = timeline.hours[0].at, timeline.hours[-1].at + _HOUR
    most = max(hour.hot_minutes for hour in timeline.hours) or 1.0
    width = max(1.5, WIDTH * _HOUR / (last - first))
    drawn = []
    for hour in timeline.hours:
        height = max(1.0, (HEIGHT - 14.0) * hour.hot_minutes / most)
        x = (WIDTH - width) * (hour.at - first) / max(_HOUR, last - _HOUR - first)
        did = f"{number(round(hour.hot_minutes, 1))} hot node-minutes, {plural(hour.evicted, 'eviction')}"
        text = f"{instant(hour.at)}: {did}, {plural(hour.planned, 'planned move')}"
        drawn.append(Bar(round(x, 1), round(HEIGHT - height, 1), round(width, 1), round(height, 1), hour.evicted, text))
    return tuple(drawn)
