"""Profiles brought to the end of a history that has grown, by the fit that they have.

What is new in a few steps is where each workload stands; how it goes on from there, and how far that is off, changes
slowly. So the points are made anew with the coefficients of before, and the errors of past forecasts stay. Rows that
the fit does not know, or knew otherwise, are fitted. Those whose turn it is (turns.py) are marked: they are fitted once
a plan has been made, which need not wait for them.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from descheduler.model.arrays import Floats32, Indices, Ints, Mask
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.build import Built, Fits, Rows, assembled, bounds_of, build, built, finite
from descheduler_profiling.calibration import calibrated
from descheduler_profiling.clean import clean
from descheduler_profiling.confidence import confidence_of
from descheduler_profiling.executors import ChunkRunner, InProcess
from descheduler_profiling.features import fill, latest
from descheduler_profiling.growth import Growth
from descheduler_profiling.history.defaults import REFIT
from descheduler_profiling.layout import Layout, layout
from descheduler_profiling.levels import Restated, stepped
from descheduler_profiling.points import points
from descheduler_profiling.present import bounded, reachable, roof, without_glitches
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.seasons import Seasons, kept
from descheduler_profiling.series import History
from descheduler_profiling.settings import WEEK, ProfileSettings
from descheduler_profiling.turns import all_due, misses, turn

AT_ONCE = 256  # rows; there is less to do with each than in a fit, so that more of them fit the cache
JUMP = 0.02  # change of a confidence that is more than time alone makes


def brought_up_to_date(
    history: History,
    settings: ProfileSettings | None = None,
    previous: SignalProfiles | None = None,
    refit: float = REFIT,
    runner: ChunkRunner | None = None,
) -> SignalProfiles:
    """Profiles at the end of a history: the `previous` ones refreshed, where the history is theirs and not every fit
    is `refit` seconds old, else built anew; with margins that follow what became of earlier ones."""
    settings = settings or ProfileSettings()
    if previous is None or not _goes_on(previous, history, settings) or all_due(previous.fitted.at, history.end, refit):
        made = build(history, settings, runner, previous)
    else:
        made = refreshed(previous, history, settings, refit, runner)
    return calibrated(made, previous, history)


def _goes_on(previous: SignalProfiles, history: History, settings: ProfileSettings) -> bool:
    """Whether the history is the one of the profiles or a few steps longer, and the same is asked of it.

    One that was not complete, as when a server took back what it had said, is fitted anew once it is.
    """
    columns, seconds = history.values.shape[1], history.end - previous.origin
    if (
        not (previous.keys and previous.complete)
        or not columns
        or history.step != previous.step
        or seconds % history.step
    ):
        return False
    wanted = layout(history.step, settings.horizons, columns)
    return (
        [bucket.last for bucket in wanted.buckets] == [bucket.last for bucket in previous.layout.buckets]
        and (settings.quantiles, settings.select) == (previous.quantiles, previous.raced)
        and previous.fitted.seasons.past == kept(history.step, columns)
        and 0 <= seconds // history.step <= min(columns, wanted.steps // 2)
    )


def refreshed(
    previous: SignalProfiles,
    history: History,
    settings: ProfileSettings,
    refit: float = math.inf,
    runner: ChunkRunner | None = None,
) -> SignalProfiles:
    """Profiles at the end of the same history, half a day later at most.

    Vectors have new points and the errors that they had; what the race said is moved with the time of the day. Rows
    whose turn it is are `due`. Deterministic; where nothing is new the vectors are what they were.
    """
    elapsed = history.end - previous.origin
    new = elapsed // history.step
    plan, fitted = previous.layout.later(new), previous.fitted
    source = previous.rows(history.keys)
    divided = (key for key in {**previous.divided, **history.divided} if _divided_otherwise(previous, history, key))
    source[np.isin(source, previous.rows(tuple(divided)))] = -1
    rows = _carried(previous, source, new)
    missed = fitted.missed[source]
    why: list[str] = []
    anew = np.zeros(len(source), np.bool_)
    for start in range(0, len(source), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        views = {name: whole[part] for name, whole in rows.items()}
        came = history.values[part, history.values.shape[1] - new :]
        missed[part] = misses(missed[part], views["vectors"], came, plan)
        reasons, anew[part] = _move(views, history, part, plan, new, settings)
        why.extend(reasons)
    there = (source >= 0) & (rows["confidence"] > 0)
    since = np.where(there, fitted.at[source], history.end)  # of the others there is nothing to learn
    mine = there & turn(since, missed, history.end, elapsed, refit)
    anew |= _known_otherwise(previous, source, rows["confidence"], history.end)
    at = np.flatnonzero(anew)
    if at.size:
        fresh = built(_of_rows(history, at), plan, settings, runner or InProcess(), previous)
        for name, whole in rows.items():
            whole[at] = fresh.rows[name]
        for row, reason in zip(at.tolist(), fresh.why, strict=True):
            why[row] = reason
    own = np.where(anew, rows["confidence"], fitted.confidence[source])
    own[rows["confidence"] == 0] = 0
    missed[anew] = 0
    fits = Fits(np.where(anew, history.end, fitted.at[source]), own, missed)
    made = assembled(history, finite(Built(rows, tuple(why))), plan, settings, fits)
    return replace(made, due=np.flatnonzero(mine & ~anew))


def settled(
    made: SignalProfiles, history: History, settings: ProfileSettings | None = None, runner: ChunkRunner | None = None
) -> SignalProfiles:
    """The profiles of the history with those rows fitted whose turn it is."""
    if not made.due.size:
        return made
    alone = replace(settings or ProfileSettings(), likeness={})  # who borrows is not among them
    few = _of_rows(history, made.due)
    fresh = built(few, made.layout, alone, runner or InProcess(), made)
    none_missed = np.zeros(len(few.keys), np.float32)
    fits = Fits(np.full(len(few.keys), history.end, np.int64), fresh.rows["confidence"], none_missed)
    return made.with_rows(made.due, assembled(few, fresh, made.layout, alone, fits))


def _of_rows(history: History, at: Indices) -> History:
    return replace(history, keys=tuple(history.keys[row] for row in at.tolist()), values=history.values[at])


def _divided_otherwise(previous: SignalProfiles, history: History, key: WorkloadKey) -> bool:
    """Whether the history of a workload is another one, all of it, than it was."""
    return previous.divided.get(key) != history.divided.get(key)


def _carried(previous: SignalProfiles, source: Ints, new: int) -> Rows:
    """Copies of the rows of before, any where `source` is -1."""
    fitted = previous.fitted
    # A curve reaches a day ahead: what is over goes to its end, a day later.
    shapes = np.roll(previous.shapes[source], -new, axis=-1)
    return {
        "vectors": previous.vectors[source],
        "confidence": previous.confidence[source],
        "levels": previous.levels[source],
        "shapes": shapes,
        "scales": previous.scales[source],
        "peaks": previous.peaks[source],
        "shares": previous.shares[source],
        "losses": previous.losses[source],
        "coverage": previous.coverage[source],
        "coefficients": fitted.coefficients[source],
        "season": fitted.seasons.forecast[source],
        "gain": fitted.seasons.gain[source],
        "lags": fitted.seasons.lags[source],
        "age": fitted.restated.later(new).age[source],
        "slope": fitted.restated.slope[source],
        "offset": fitted.restated.offset[source],
        "rise": fitted.growth.rise[source],
        "lasts": fitted.growth.later(new).lasts[source],
    }


def _move(
    rows: Rows, history: History, part: slice, plan: Layout, new: int, settings: ProfileSettings
) -> tuple[tuple[str, ...], Mask]:
    """Bring some rows to the end of their part of the history, of which the last `new` columns came since; in place.

    Why each may not be believed; and rows [S] that have left what was expected of them, which only a fit explains.
    """
    cleaned = clean(history.values[part], settings.absurd)
    confidence, why = confidence_of(cleaned, plan.step, settings.min_history)
    restated = Restated(rows["age"], rows["slope"], rows["offset"])
    growth = Growth(rows["rise"], rows["lasts"])
    filled, _ = fill(restated.of(growth.taken_off(without_glitches(cleaned.values))))
    seasons = Seasons(rows["season"], rows["gain"], rows["lags"], plan.steps).later(filled, new)
    now = latest(filled, seasons, plan.step)
    ahead = points(now, plan, rows["coefficients"])
    limit = reachable(bounds_of(history.keys[part], settings), filled, settings.most)
    bounded(ahead, roof(filled), growth.ahead(plan.point_leads), limit)
    rows["vectors"][:, : plan.points] = ahead
    rows["season"][:], rows["levels"][:], rows["confidence"][:] = seasons.forecast, now.hour, confidence
    for name in ("vectors", "peaks", "scales"):
        rows[name][confidence == 0] = 0
    left = stepped(filled, seasons.forecast[:, : seasons.past], plan.step) if new else np.zeros(len(filled), np.bool_)
    return why, left & (confidence > 0)


def _known_otherwise(previous: SignalProfiles, source: Ints, confidence: Floats32, now: int) -> Mask:
    """Rows [S] that must be fitted: new ones, such as borrowed, and those of which more or less is known than time
    alone explains."""
    fitted = previous.fitted
    before = fitted.confidence[source]
    explained = JUMP + (now - fitted.at[source]) / WEEK
    other = fitted.lent[source] | (np.abs(confidence - before) > explained) | (before == 0)
    out: Mask = (source < 0) | (other & (confidence > 0))
    return out
