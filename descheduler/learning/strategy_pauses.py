"""Pauses of strategies: one whose moves miss their goal too often is paused, and starts anew afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JudgedAction:
    """`hit` when the finding was gone afterwards and nothing of it came back to where it was."""

    at: float
    hit: bool


@dataclass(frozen=True, slots=True)
class Pause:
    """Unix seconds; kept after its end, because actions before it do not count any more."""

    until: float
    text: str


def reviewed(
    actions: Mapping[str, Sequence[JudgedAction]],
    pauses: Mapping[str, Pause],
    now: float,
    *,
    least: int,
    rate: float,
    seconds: float,
) -> dict[str, Pause]:
    """The pauses, with one more for each strategy that is not paused and hit less than `rate` of at least `least`."""
    result = dict(pauses)
    for strategy, judged in actions.items():
        pause = pauses.get(strategy)
        if len(judged) < least or (pause is not None and now < pause.until):
            continue
        hits = sum(v.hit for v in judged)
        if hits < rate * len(judged):
            result[strategy] = Pause(now + seconds, f"{hits} of its last {len(judged)} actions reached their goal")
    return result
