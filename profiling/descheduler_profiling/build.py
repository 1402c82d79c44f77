"""From history to profiles: chunk by chunk, on any executor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Ints
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.clean import clean
from descheduler_profiling.coldstart import borrowed
from descheduler_profiling.confidence import confidence_of
from descheduler_profiling.executors import ChunkRunner, InProcess
from descheduler_profiling.features import NAMES, columns_of, latest, seasons_of
from descheduler_profiling.growth import Growth
from descheduler_profiling.layout import Layout, layout
from descheduler_profiling.levels import Restated
from descheduler_profiling.peaks import PEAK_LEVELS, peaks
from descheduler_profiling.points import vectors
from descheduler_profiling.present import Present, bounded, in_the_present, reachable, roof
from descheduler_profiling.profiles import Fitted, SignalProfiles, packed
from descheduler_profiling.quantiles import highest, hottest
from descheduler_profiling.race import MODELS
from descheduler_profiling.remarks import with_remarks
from descheduler_profiling.rhythm import LAGS
from descheduler_profiling.seasons import Seasons, kept
from descheduler_profiling.selection import select
from descheduler_profiling.series import History
from descheduler_profiling.settings import DAY, HOUR, ProfileSettings
from descheduler_profiling.sizes import in_units, sizes_of

NO_NUMBER = "its forecast is no finite number"
CACHED = 64  # rows that are worked on at once, so that the arrays of the race stay in the cache


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a history, and all that a worker needs to know; it ends at `end` (unix seconds), and `before`
    [S, Q, M] are earlier weights."""

    values: Floats32
    bounds: Floats32  # [S]
    step: int
    end: int
    plan: Layout
    settings: ProfileSettings
    before: Floats32 | None


Rows = dict[str, NDArray[Any]]
"""Columns of some rows by name: those of SignalProfiles, and `coefficients`, `season`, `gain` of its fit."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a worker returns for its rows."""

    rows: Rows
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fits:
    """When rows were fitted, with confidences of their `own`, and how far forecasts missed since (as in Fitted)."""

    at: Ints
    own: Floats32
    missed: Floats32


def finite(made: Built) -> Built:
    """The same, changed in place, without a number that is none: such a row has confidence 0 and says so."""
    wrong = np.zeros(len(made.why), np.bool_)
    for name in ("vectors", "levels", "peaks", "scales", "shapes", "coefficients", "season"):
        part = made.rows[name]
        wrong |= ~np.isfinite(part).all(axis=tuple(range(1, part.ndim)))
    for name, part in made.rows.items():
        part[wrong] = np.nan if name in ("losses", "coverage") else 0
    silent = made.rows["confidence"] == 0
    for name in ("vectors", "peaks", "scales"):
        made.rows[name][silent] = 0
    return Built(made.rows, tuple(NO_NUMBER if bad else why for why, bad in zip(made.why, wrong.tolist(), strict=True)))


def build(
    history: History,
    settings: ProfileSettings | None = None,
    executor: ChunkRunner | None = None,
    previous: SignalProfiles | None = None,
) -> SignalProfiles:
    """Profiles of every workload of a history.

    Deterministic, whatever the executor (by default this process). Never raises for what the values are: rows that
    cannot be used have confidence 0 and a reason.
    `previous` profiles of the same signal hold the choice of models steady.
    """
    settings = settings or ProfileSettings()
    plan = layout(history.step, settings.horizons, history.values.shape[1], history.end)
    made = built(history, plan, settings, executor or InProcess(), previous)
    count = len(history.keys)
    fits = Fits(np.full(count, history.end, np.int64), made.rows["confidence"], np.zeros(count, np.float32))
    return assembled(history, made, plan, settings, fits)


def built(
    history: History, plan: Layout, settings: ProfileSettings, runner: ChunkRunner, previous: SignalProfiles | None
) -> Built:
    """What can be said of each row by itself."""
    joined = _room(len(history.keys), history.values.shape[1], plan, settings)
    why: list[str] = []
    for part in runner.map(build_chunk, _chunks(history, plan, settings, previous)):
        for name, whole in joined.items():
            whole[len(why) : len(why) + len(part.why)] = part.rows[name]
        why.extend(part.why)
    return Built(joined, tuple(why))


def assembled(history: History, made: Built, plan: Layout, settings: ProfileSettings, fits: Fits) -> SignalProfiles:
    """Profiles of rows that were fitted so."""
    rows = dict(made.rows)
    seasons = Seasons(rows.pop("season"), rows.pop("gain"), rows.pop("lags"), plan.steps)
    restated = Restated(rows.pop("age"), rows.pop("slope"), rows.pop("offset"))
    growth = Growth(rows.pop("rise"), rows.pop("lasts"))
    borrowers = np.zeros(len(fits.at), np.bool_)
    coefficients = rows.pop("coefficients")
    fitted = Fitted(fits.at, fits.own, fits.missed, borrowers, coefficients, seasons, restated, growth)
    profiles = SignalProfiles(
        signal=history.signal,
        unit=history.unit,
        keys=history.keys,
        origin=history.end,
        step=history.step,
        layout=plan,
        why=with_remarks(history, made.why, fitted, settings),
        fitted=fitted,
        quantiles=settings.quantiles,
        pod_level=_plausible(history.pod_level, settings.absurd),
        complete=history.complete,
        problems=(*history.problems, *_no_numbers(history, made.why)),
        standing_still=history.standing_still,
        absent=history.absent,
        promise=None,
        strain=history.strain,
        divided=history.divided,
        **rows,
    )
    return borrowed(profiles, settings)


def _plausible(levels: Mapping[tuple[str, str], float], most: float) -> Mapping[tuple[str, str], float]:
    if all(level <= most for level in levels.values()):
        return levels
    return {pod: level for pod, level in levels.items() if level <= most}


def _no_numbers(history: History, why: tuple[str, ...]) -> Iterator[str]:
    return (
        f"{history.signal} of {key}: {NO_NUMBER}" for key, of in zip(history.keys, why, strict=True) if of == NO_NUMBER
    )


def build_chunk(chunk: Chunk) -> Built:
    """What can be said of the rows of a chunk."""
    parts = [_build_rows(chunk, at, at + CACHED) for at in range(0, len(chunk.values), CACHED)]
    joined = {name: np.concatenate([part.rows[name] for part in parts]) for name in parts[0].rows}
    return Built(joined, tuple(reason for part in parts for reason in part.why))


def _build_rows(chunk: Chunk, start: int, stop: int) -> Built:
    settings, plan = chunk.settings, chunk.plan
    cleaned = clean(chunk.values[start:stop], settings.absurd)
    confidence, why = confidence_of(cleaned, chunk.step, settings.min_history)
    if cleaned.values.shape[1] == 0:
        return Built(_room(len(confidence), 0, plan, settings), why)
    sizes = sizes_of(cleaned.values)
    rows = in_units(_fitted(chunk, start, stop, cleaned.values / sizes[:, None], sizes), sizes, plan)
    return finite(Built(rows | {"confidence": confidence}, why))


def _fitted(chunk: Chunk, start: int, stop: int, values: Floats32, sizes: Floats32) -> Rows:
    """All columns but the confidence, of cleaned values [S, T] in units of the rows' sizes [S]."""
    settings, plan = chunk.settings, chunk.plan
    present = in_the_present(values, chunk.step, settings.half_life, chunk.end)
    whole = present.whole(values)  # a peak may be as short as a glitch
    values, made = present.values, present.features
    seasons = seasons_of(made, settings.half_life)
    now = latest(made.filled, seasons, chunk.step)
    added, coefficients = vectors(values, made, now, plan, max(1, DAY // chunk.step))
    limit = reachable(chunk.bounds[start:stop] / sizes, whole, settings.most / sizes)
    bounded(added[:, : plan.points], roof(made.filled), present.growth.ahead(plan.point_leads), limit)
    tops = np.stack([hottest(plan, added, q, HOUR) for q in PEAK_LEVELS])
    peak = peaks(whole, tops, chunk.step)
    bounded(peak, None, present.growth.ahead(_peak_leads(plan)), limit)
    for index, seconds in enumerate((float(HOUR), float(DAY))):
        missed = np.maximum(peak[:, index] - highest(plan, added, 0.95, seconds), np.float32(0))
        added[:, plan.excess + index] = missed**2
    rows = _unraced(len(values), plan, settings) | {
        "vectors": added,
        "levels": now.hour,
        "peaks": peak,
        "coefficients": coefficients,
        "season": seasons.forecast,
        "gain": seasons.gain,
        "lags": seasons.lags,
        "age": present.restated.age,
        "slope": present.restated.slope,
        "offset": present.restated.offset,
        "rise": present.growth.rise,
        "lasts": present.growth.lasts,
    }
    if settings.select:
        rows |= _raced(whole, present, plan, settings, _before(chunk, start, stop), limit, tops)
    return rows


def _raced(
    whole: Floats32,
    present: Present,
    plan: Layout,
    settings: ProfileSettings,
    before: Floats32 | None,
    limit: Floats32,
    tops: Floats32,
) -> Rows:
    """What the race says of single workloads, peaks of the `whole` [S, T] included; `limit` [S] clips it, `tops` [2, S]
    is how high their vectors reach."""
    levels, asked = _levels(settings), len(settings.quantiles)
    selected = select(present.values, present.features, plan, levels, before)
    hour = columns_of(HOUR, plan.step)
    raced = np.stack([selected.curves[levels.index(q), :, :hour].max(axis=1) for q in PEAK_LEVELS])
    curves = selected.curves[:asked]
    for lower, higher in pairwise(sorted(range(asked), key=settings.quantiles.__getitem__)):
        np.maximum(curves[higher], curves[lower], out=curves[higher])  # a higher quantile is never below a lower one
    curves = curves.transpose(1, 0, 2)
    roofs, ahead = roof(present.features.filled), present.growth.ahead(np.arange(1, plan.steps + 1))
    for at in range(asked):
        bounded(curves[:, at], roofs, ahead, limit)
    scales, shapes = packed(curves)
    peak = peaks(whole, np.minimum(raced, tops), plan.step)
    bounded(peak, None, present.growth.ahead(_peak_leads(plan)), limit)
    return {
        "shapes": shapes,
        "scales": scales,
        "peaks": peak,
        "shares": selected.weights[:asked].transpose(1, 0, 2),
        "losses": selected.losses[:asked].transpose(1, 0, 2),
        "coverage": selected.coverage[:asked].transpose(1, 0, 2),
    }


def _peak_leads(plan: Layout) -> Ints:
    return np.array([columns_of(HOUR, plan.step), plan.steps])


def bounds_of(keys: Sequence[WorkloadKey], settings: ProfileSettings) -> Floats32:
    """What a replica of each workload [S] should not use more of; infinite where nobody says."""
    return np.fromiter(map(settings.limit_of, keys), np.float32, len(keys))


def _before(chunk: Chunk, start: int, stop: int) -> Floats32 | None:
    """Earlier shares [Q, S, M] of some rows; levels that nobody asked for have none, they start afresh."""
    if chunk.before is None:
        return None
    earlier = chunk.before[start:stop]
    asked = len(chunk.settings.quantiles)
    out = np.zeros((len(_levels(chunk.settings)), len(earlier), len(MODELS)), np.float32)
    out[:asked] = earlier.transpose(1, 0, 2)
    return out


def _levels(settings: ProfileSettings) -> list[float]:
    """Quantiles for which models race: those asked for, then those that peaks are made of."""
    return [*settings.quantiles, *(q for q in PEAK_LEVELS if q not in settings.quantiles)]


def _room(count: int, columns: int, plan: Layout, settings: ProfileSettings) -> Rows:
    """Room for all rows of a history of so many columns, so that parts are not held twice."""
    return _unraced(count, plan, settings) | {
        "vectors": np.zeros((count, plan.width), np.float32),
        "confidence": np.zeros(count, np.float32),
        "levels": np.zeros(count, np.float32),
        "peaks": np.zeros((count, 2), np.float32),
        "coefficients": np.zeros((count, len(plan.buckets), len(NAMES)), np.float32),
        "season": np.zeros((count, plan.steps + kept(plan.step, columns)), np.float32),
        "gain": np.zeros(count, np.float32),
        "lags": np.zeros((count, LAGS), np.int64),
        "age": np.zeros(count, np.int64),
        "slope": np.ones(count, np.float32),
        "offset": np.zeros(count, np.float32),
        "rise": np.zeros(count, np.float32),
        "lasts": np.zeros(count, np.int64),
    }


def _unraced(count: int, plan: Layout, settings: ProfileSettings) -> Rows:
    """What there is of a race that nobody ran."""
    asked = len(settings.quantiles)
    return {
        "shapes": np.zeros((count, asked if settings.select else 0, plan.steps), np.float16),
        "scales": np.zeros(count, np.float32),
        "shares": np.zeros((count, asked, len(MODELS)), np.float32),
        "losses": np.full((count, asked, len(MODELS)), np.nan, np.float32),
        "coverage": np.full((count, asked, len(plan.buckets)), np.nan, np.float32),
    }


def _chunks(
    history: History, plan: Layout, settings: ProfileSettings, previous: SignalProfiles | None
) -> Iterator[Chunk]:
    matching = previous is not None and previous.quantiles == settings.quantiles and previous.shares.size > 0
    for start in range(0, len(history.keys), settings.chunk):
        stop = start + settings.chunk
        before = None
        if previous is not None and matching:
            rows = previous.rows(history.keys[start:stop])
            before = np.where((rows >= 0)[:, None, None], previous.shares[rows], np.float32(0))
        bounds = bounds_of(history.keys[start:stop], settings)
        yield Chunk(history.values[start:stop], bounds, history.step, history.end, plan, settings, before)
