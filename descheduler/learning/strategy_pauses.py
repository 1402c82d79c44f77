"""Pauses of strategies: one whose moves miss their goal too often is paused, and starts anew afterwards.

Whether a move reaches its goal is in the hands of whoever owns the pod, too. So one namespace's misses are not enough,
unless nobody else's pods were moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JudgedAction:
    """`hit` when the finding was gone afterwards and nothing of it came back to where it was."""

    at: float
    hit: bool
    namespace: str = ""


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
    window: int,
    least: int,
    rate: float,
    seconds: float,
) -> dict[str, Pause]:
    """The pauses, with one more for each strategy that is not paused and hit less than `rate` of its last `window`
    actions, of at least `least`: in several namespaces, or in the only one."""
    result = dict(pauses)
    for strategy, every in actions.items():
        pause, judged = pauses.get(strategy), every[-window:]
        if len(judged) < least or (pause is not None and now < pause.until):
            continue
        hits = sum(v.hit for v in judged)
        if hits < rate * len(judged) and _widely(every, window, rate):
            result[strategy] = Pause(now + seconds, f"{hits} of its last {len(judged)} actions reached their goal")
    return result


def _widely(actions: Sequence[JudgedAction], window: int, rate: float) -> bool:
    """Whether more than one namespace's last actions miss, or there is but one."""
    of: dict[str, list[JudgedAction]] = {}
    for action in actions:
        of.setdefault(action.namespace, []).append(action)
    missing = sum(sum(v.hit for v in own[-window:]) < rate * len(own[-window:]) for own in of.values())
    return missing > 1 or len(of) == 1
