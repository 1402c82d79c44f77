"""One workload's profile held against its own past: what it would have said, and what the rules of others would have.

At several past instants the profile is built again from what was known then, and its forecast for the day after is
compared with what came. The rules of others (see `peers`) see the same values at the same instants, and promise one
number for the whole day. So the figures are honest for all, and the same as those of the forecast benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler_profiling.build import build
from descheduler_profiling.peers import (
    KOORDINATOR_CPU,
    KOORDINATOR_MEMORY,
    VPA_CPU,
    VPA_MEMORY,
    daily_peaks,
    flat_quantile,
    koordinator_peak,
    vpa_target,
)
from descheduler_profiling.profiles import Profile, SignalProfiles
from descheduler_profiling.series import History
from descheduler_profiling.settings import DAY, ProfileSettings

ORIGINS = 8
COMPANIONS = 64  # rows built together with the one that is explained: what they have in common is part of its profile
OURS = "this profile"
VPA, KOORDINATOR, FLAT = "VPA histogram", "Koordinator histogram", "flat percentile"
VPA_RULE, KOORDINATOR_RULE = "VPA target (p90 + 15 %)", "Koordinator peak (+ 10 %)"


@dataclass(frozen=True, slots=True)
class Backtest:
    """How one rule would have done, [Q, B] over quantiles and horizon buckets, NaN where nothing could be compared.

    `loss` is the mean pinball loss in the signal's unit, `coverage` the share of outcomes at or under the forecast,
    `promised` the mean forecast. A rule that names one number whatever the quantile is scored at each.
    """

    rule: str
    loss: Floats32
    coverage: Floats32
    promised: Floats32


@dataclass(frozen=True, slots=True)
class ProfileExplanation:
    """A profile with all that speaks for and against it.

    `history` [T] is the usage of one replica that it rests on; column t ends at `start + t * step`. `curves` [Q, H]
    are the quantiles at each step after `origin`, `yesterday` [Q, H] those that were forecast a day before it, of what
    was known then.
    `trials` are empty, and `untried` says why, where the history is too short to try anything on. What the profile
    covered is what it covered when it was tried, the same number wherever it stands.
    """

    profile: Profile
    start: int
    step: int
    history: Floats32
    origin: int
    curves: Floats32
    yesterday: Floats32
    trials: tuple[Backtest, ...]
    origins: tuple[int, ...]
    untried: str
    complete: bool
    problems: tuple[str, ...]


def explain(
    history: History,
    profiles: SignalProfiles,
    row: int,
    settings: ProfileSettings | None = None,
    origins: int = ORIGINS,
) -> ProfileExplanation:
    """Explain one row of profiles that were built from `history` with `settings`."""
    settings = settings or ProfileSettings(quantiles=profiles.quantiles)
    profile = profiles.profile(row)
    known = profile.confidence > 0
    blank = np.full(profile.table.shape, np.nan, np.float32)
    curves = np.stack([profiles.forecast(np.array([row]), q)[0] for q in profile.quantiles])
    when = _origins(history, row, origins) if known else np.empty(0, np.int64)
    trials: tuple[Backtest, ...] = ()
    yesterday = np.full_like(curves, np.nan)
    if when.size:
        trials, yesterday = _trials(history, row, when, settings, profiles)
        profile = replace(profile, coverage=trials[0].coverage)
    return ProfileExplanation(
        profile=profile if known else replace(profile, table=blank),
        start=history.start,
        step=history.step,
        history=history.values[row],
        origin=profiles.origin,
        curves=curves if known else np.full_like(curves, np.nan),
        yesterday=yesterday,
        trials=trials,
        origins=tuple(int(history.start + column * history.step) for column in when),
        untried="" if when.size else _untried(known),
        complete=profiles.complete,
        problems=profiles.problems,
    )


def _untried(known: bool) -> str:
    return "there are not two days to try it on" if known else "there is no profile to try"


def _origins(history: History, row: int, count: int) -> NDArray[np.int64]:
    """Columns [O] of the past instants: a day of history before each, a day of outcomes after, all times of the day.

    The last is a day before the end.
    """
    per_day = max(1, DAY // history.step)
    known = np.flatnonzero(np.isfinite(history.values[row]))
    if not known.size:
        return known
    first, last = int(known[0]) + per_day, history.values.shape[1] - 1 - per_day
    if last < first:
        return np.empty(0, np.int64)
    # The golden section keeps instants off a common time of the day.
    share = np.linspace(0.0, 1.0, min(count, 1 + (last - first) // max(1, per_day // 4)))
    stagger = (np.arange(share.size)[::-1] * 0.6180339887) % 1.0 * (per_day // 4)
    return np.unique(np.clip(np.round(first + share * (last - first) - stagger), first, last)).astype(np.int64)


def _trials(
    history: History, row: int, when: NDArray[np.int64], settings: ProfileSettings, profiles: SignalProfiles
) -> tuple[tuple[Backtest, ...], Floats32]:
    """Every rule over the past instants `when` (columns), ours first, and what ours said at the last [Q, H]."""
    rows, own = _companions(len(history.keys), row, settings.chunk)
    steps = profiles.layout.steps
    outcomes = np.stack([_after(history.values[row], column, steps) for column in when])
    buckets = profiles.layout.bucket_of_step
    forecasts: dict[str, list[Floats32]] = {}
    for column in when:
        seen = history.values[:, : column + 1]
        past = replace(
            history, keys=tuple(history.keys[i] for i in rows), values=seen[rows], replicas=history.replicas[rows]
        )
        made = build(past, settings)
        promised = np.stack([_fit(made.forecast(np.array([own]), q)[0], steps) for q in settings.quantiles])
        forecasts.setdefault(OURS, []).append(promised if made.confidence[own] > 0 else np.full_like(promised, np.nan))
        for name, rule in _rules(history.signal):
            levels = rule(seen[row : row + 1], history.step, settings.quantiles)
            forecasts.setdefault(name, []).append(np.broadcast_to(levels[:, None], promised.shape))
    trials = (
        _trial(name, np.stack(promises), outcomes, buckets, settings.quantiles) for name, promises in forecasts.items()
    )
    return tuple(trials), forecasts[OURS][-1]


def _companions(count: int, row: int, chunk: int) -> tuple[NDArray[np.int64], int]:
    """Rows that are built together with `row`, thinned out evenly, and its place among them."""
    first = row // chunk * chunk
    rows = np.arange(first, min(count, first + chunk))
    if rows.size > COMPANIONS:
        rows = np.union1d(rows[:: -(-rows.size // COMPANIONS)], [row])
    return rows, int(np.searchsorted(rows, row))


def _after(values: Floats32, column: int, steps: int) -> Floats32:
    """Outcomes [H] after a column, NaN beyond the end."""
    return _fit(values[column + 1 : column + 1 + steps], steps)


def _fit(values: Floats32, steps: int) -> Floats32:
    out = np.full(steps, np.nan, np.float32)
    out[: min(steps, values.size)] = values[:steps]
    return out


Rule = Callable[[Floats32, int, tuple[float, ...]], Floats32]


def _rules(signal: str) -> tuple[tuple[str, Rule], ...]:
    """The rules of others for a signal, each giving a level [Q] for a history [1, T]; of memory they take peaks."""
    memory = signal == "memory"

    def vpa(values: Floats32, step: int, levels: tuple[float, ...]) -> Floats32:
        seen = (daily_peaks(values, step), DAY) if memory else (values, step)
        return _first((VPA_MEMORY if memory else VPA_CPU).percentiles(*seen, levels))

    def koordinator(values: Floats32, step: int, levels: tuple[float, ...]) -> Floats32:
        return _first((KOORDINATOR_MEMORY if memory else KOORDINATOR_CPU).percentiles(values, step, levels))

    def flat(values: Floats32, step: int, levels: tuple[float, ...]) -> Floats32:
        return np.array([flat_quantile(values, step, q, 14 * DAY)[0] for q in levels], np.float32)

    def target(values: Floats32, step: int, levels: tuple[float, ...]) -> Floats32:
        return np.full(len(levels), vpa_target(values, step, memory)[0], np.float32)

    def peak(values: Floats32, step: int, levels: tuple[float, ...]) -> Floats32:
        return np.full(len(levels), koordinator_peak(values, step, memory)[0], np.float32)

    if signal not in ("cpu", "memory"):
        return ((FLAT, flat),)  # the histograms of others have buckets for cores and bytes alone
    return ((VPA, vpa), (KOORDINATOR, koordinator), (FLAT, flat), (VPA_RULE, target), (KOORDINATOR_RULE, peak))


def _first(levels: Floats32) -> Floats32:
    out: Floats32 = levels[0]
    return out


def _trial(
    name: str, promised: Floats32, outcomes: Floats32, buckets: NDArray[np.int64], quantiles: tuple[float, ...]
) -> Backtest:
    """Score forecasts [O, Q, H] against outcomes [O, H]."""
    levels = np.array(quantiles, np.float32)[None, :, None]
    known = np.isfinite(outcomes)[:, None, :] & np.isfinite(promised)
    short = outcomes[:, None, :] - promised
    loss = np.where(short > 0, levels * short, (levels - 1) * short)
    shape = (len(quantiles), int(buckets[-1]) + 1)
    out = [np.full(shape, np.nan, np.float32) for _ in range(3)]
    for bucket in range(shape[1]):
        here = known & (buckets == bucket)[None, None, :]
        count = here.sum(axis=(0, 2))
        for into, what in zip(out, (loss, short <= 0, promised), strict=True):
            total = np.where(here, what, 0).sum(axis=(0, 2), dtype=np.float64)
            into[:, bucket] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return Backtest(name, out[0], out[1], out[2])
