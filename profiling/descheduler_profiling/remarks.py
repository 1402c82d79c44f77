"""What an operator should know of a forecast beside its confidence: levels, growth, weekends, limits that stop it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descheduler.model.format import span, usage
from descheduler_profiling.profiles import Fitted
from descheduler_profiling.series import History
from descheduler_profiling.settings import HOUR, ProfileSettings


def with_remarks(history: History, why: tuple[str, ...], fitted: Fitted, settings: ProfileSettings) -> tuple[str, ...]:
    """What is said of each row, and what there is to remark."""
    out = list(why)
    for row, remark in _remarks(history, fitted, settings):
        out[row] = f"{out[row]}, {remark}" if out[row] else remark
    return tuple(out)


def _remarks(history: History, fitted: Fitted, settings: ProfileSettings) -> Iterator[tuple[int, str]]:
    for row in np.flatnonzero((fitted.restated.age > 0) & (fitted.growth.lasts == 0)).tolist():
        yield row, f"a new level for {span(float(fitted.restated.age[row]) * history.step)}"
    for row in np.flatnonzero(fitted.growth.lasts).tolist():
        yield row, _growth(row, history, fitted, settings)
    if not history.divided and not history.strain.throttled:
        return
    for row, key in enumerate(history.keys):
        if key in history.divided:
            yield row, history.divided[key]
        if key in history.strain.throttled:
            yield row, f"throttled in {history.strain.throttled[key]:.0%} of periods: a lower bound"


def _growth(row: int, history: History, fitted: Fitted, settings: ProfileSettings) -> str:
    """How fast it grows, and when it reaches its limit."""
    a_second = float(fitted.growth.rise[row]) / history.step
    lasts = span(float(fitted.growth.lasts[row]) * history.step)
    text = f"grows by {usage(a_second * HOUR, history.unit)} an hour for {lasts}"
    known = np.flatnonzero(np.isfinite(history.values[row]))
    limit = settings.limit_of(history.keys[row])
    if not known.size or not np.isfinite(limit):
        return text
    left = max(limit - float(history.values[row, known[-1]]), 0.0) / a_second
    return f"{text}: at its limit of {usage(limit, history.unit)} in {span(left)}"
