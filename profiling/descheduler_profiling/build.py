"""From history to profiles: chunk by chunk, on any executor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from descheduler.model.arrays import Floats16, Floats32
from descheduler_profiling.clean import clean
from descheduler_profiling.coldstart import borrowed
from descheduler_profiling.confidence import confidence_of
from descheduler_profiling.executors import ChunkRunner, InProcess
from descheduler_profiling.features import Features, features
from descheduler_profiling.layout import Layout, layout
from descheduler_profiling.peaks import peaks
from descheduler_profiling.points import vectors
from descheduler_profiling.profiles import SignalProfiles, packed
from descheduler_profiling.quantiles import curve, sampled_peak
from descheduler_profiling.race import MODELS
from descheduler_profiling.selection import Selection, select
from descheduler_profiling.series import History
from descheduler_profiling.settings import DAY, HOUR, ProfileSettings

CACHED = 64  # rows that are worked on at once, so that the arrays of the race stay in the cache


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a history, and all that a worker needs to know; `before` [S, Q, M] are earlier weights."""

    values: Floats32
    step: int
    plan: Layout
    settings: ProfileSettings
    before: Floats32 | None


@dataclass(frozen=True, slots=True)
class Built:
    """What a worker returns for its rows; shapes as in SignalProfiles."""

    vectors: Floats32
    confidence: Floats32
    levels: Floats32
    shapes: Floats16
    scales: Floats32
    peaks: Floats32
    shares: Floats32
    losses: Floats32
    coverage: Floats32
    why: tuple[str, ...]


def build(
    history: History,
    settings: ProfileSettings | None = None,
    executor: ChunkRunner | None = None,
    previous: SignalProfiles | None = None,
) -> SignalProfiles:
    """Profiles of every workload of a history.

    Deterministic. Never raises for what the values are: rows that cannot be used have confidence 0 and a reason.
    `previous` profiles of the same signal hold the choice of models steady.
    """
    settings = settings or ProfileSettings()
    runner = executor or InProcess()
    plan = layout(history.step, settings.horizons, history.values.shape[1])
    joined = _room(len(history.keys), plan, settings)
    why: list[str] = []
    at = 0
    for part in runner.map(build_chunk, _chunks(history, plan, settings, previous)):
        end = at + len(part.why)
        for name, whole in joined.items():
            whole[at:end] = getattr(part, name)
        why.extend(part.why)
        at = end
    made = SignalProfiles(
        signal=history.signal,
        unit=history.unit,
        keys=history.keys,
        origin=history.end,
        step=history.step,
        layout=plan,
        why=tuple(why),
        quantiles=settings.quantiles,
        pod_level={pod: level for pod, level in history.pod_level.items() if level <= settings.absurd},
        complete=history.complete,
        problems=history.problems,
        standing_still=history.standing_still,
        absent=history.absent,
        **joined,
    )
    return borrowed(made, settings)


def build_chunk(chunk: Chunk) -> Built:
    """Profiles of some rows."""
    parts = [_build_rows(chunk, at, at + CACHED) for at in range(0, len(chunk.values), CACHED)]
    joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Built) if f.name != "why"}
    return Built(**joined, why=tuple(reason for p in parts for reason in p.why))


def _build_rows(chunk: Chunk, start: int, stop: int) -> Built:
    settings, plan = chunk.settings, chunk.plan
    cleaned = clean(chunk.values[start:stop], settings.absurd)
    values = cleaned.values
    confidence, why = confidence_of(cleaned, chunk.step, settings.min_history)
    if values.shape[1] == 0:
        return _nothing(len(values), plan, settings, why)
    made = features(values, chunk.step, plan.steps, settings.half_life)
    added = vectors(values, made, plan, max(1, DAY // chunk.step))
    selected = _selected(values, made, plan, settings, added, _before(chunk, start, stop))
    levels = _levels(settings)
    highest = peaks(values, selected.curves[levels.index(0.95)], selected.curves[levels.index(0.99)], chunk.step)
    curves = np.maximum.accumulate(selected.curves[_rising(settings)], axis=0)[_back(settings)]
    forecasts = curves.transpose(1, 0, 2)
    if settings.limit is not None:
        limit = np.float32(settings.limit)
        added[:, : plan.points] = np.minimum(added[:, : plan.points], limit)
        forecasts, highest = np.minimum(forecasts, limit), np.minimum(highest, limit)
    for index, seconds in enumerate((float(HOUR), float(DAY))):
        missed = np.maximum(highest[:, index] - sampled_peak(plan, added, 0.95, seconds), np.float32(0))
        added[:, plan.excess + index] = missed**2
    unknown = confidence == 0
    scales, shapes = packed(forecasts)
    for one in (added, highest, scales):
        one[unknown] = 0
    asked = len(settings.quantiles)
    return Built(
        vectors=added,
        confidence=confidence,
        levels=made.hour[:, -1],
        shapes=shapes,
        scales=scales,
        peaks=highest,
        shares=selected.weights[:asked].transpose(1, 0, 2),
        losses=selected.losses[:asked].transpose(1, 0, 2),
        coverage=selected.coverage[:asked].transpose(1, 0, 2),
        why=why,
    )


def _selected(
    values: Floats32, made: Features, plan: Layout, settings: ProfileSettings, added: Floats32, before: Floats32 | None
) -> Selection:
    """The race; or, without selection, what the vectors themselves say."""
    levels = _levels(settings)
    if settings.select:
        return select(values, made, plan, levels, before)
    curves = np.stack([curve(plan, added, q) for q in levels])
    shape = curves.shape[:2]
    untested = np.full((*shape, len(MODELS)), np.nan, np.float32)
    return Selection(
        curves, np.zeros_like(untested), untested, np.full((*shape, len(plan.buckets)), np.nan, np.float32)
    )


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
    return [*settings.quantiles, *(q for q in (0.95, 0.99) if q not in settings.quantiles)]


def _rising(settings: ProfileSettings) -> list[int]:
    """Positions of the asked quantiles in rising order: a higher quantile is never below a lower one."""
    return sorted(range(len(settings.quantiles)), key=settings.quantiles.__getitem__)


def _back(settings: ProfileSettings) -> list[int]:
    order = _rising(settings)
    return [order.index(i) for i in range(len(order))]


def _room(count: int, plan: Layout, settings: ProfileSettings) -> dict[str, Any]:
    """Room for all rows, so that parts are not held twice."""
    asked = len(settings.quantiles)
    return {
        "vectors": np.zeros((count, plan.width), np.float32),
        "confidence": np.zeros(count, np.float32),
        "levels": np.zeros(count, np.float32),
        "shapes": np.zeros((count, asked, plan.steps), np.float16),
        "scales": np.zeros(count, np.float32),
        "peaks": np.zeros((count, 2), np.float32),
        "shares": np.zeros((count, asked, len(MODELS)), np.float32),
        "losses": np.full((count, asked, len(MODELS)), np.nan, np.float32),
        "coverage": np.full((count, asked, len(plan.buckets)), np.nan, np.float32),
    }


def _nothing(rows: int, plan: Layout, settings: ProfileSettings, why: tuple[str, ...]) -> Built:
    return Built(**_room(rows, plan, settings), why=why)


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
        yield Chunk(history.values[start:stop], history.step, plan, settings, before)
