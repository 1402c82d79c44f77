"""From history to profiles: chunk by chunk, on any executor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler_profiling.clean import clean
from descheduler_profiling.executors import Executor, InProcess
from descheduler_profiling.features import features
from descheduler_profiling.layout import Layout, layout
from descheduler_profiling.points import vectors
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import Floats, History
from descheduler_profiling.settings import DAY, Settings

WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a history, and all that a worker needs to know."""

    values: Floats
    step: int
    plan: Layout
    settings: Settings


@dataclass(frozen=True, slots=True)
class Built:
    """What a worker returns for its rows."""

    vectors: Floats
    confidence: Floats
    levels: Floats
    why: tuple[str, ...]


def build(
    history: History,
    settings: Settings | None = None,
    executor: Executor | None = None,
    previous: SignalProfiles | None = None,
) -> SignalProfiles:
    """Profiles of every workload of a history.

    Deterministic. Never raises for what the values are: rows that cannot be used have confidence 0 and a reason.
    """
    settings = settings or Settings()
    runner = executor or InProcess()
    plan = layout(history.step, settings.horizons, history.values.shape[1])
    parts = list(runner.map(build_chunk, _chunks(history, plan, settings)))
    count = len(history.keys)
    return SignalProfiles(
        signal=history.signal,
        unit=history.unit,
        keys=history.keys,
        origin=history.end,
        step=history.step,
        layout=plan,
        vectors=_joined([p.vectors for p in parts], (count, plan.width)),
        confidence=_joined([p.confidence for p in parts], (count,)),
        why=tuple(reason for p in parts for reason in p.why),
        levels=_joined([p.levels for p in parts], (count,)),
        quantiles=settings.quantiles,
        pod_level=history.pod_level,
        complete=history.complete,
        problems=history.problems,
    )


def build_chunk(chunk: Chunk) -> Built:
    """Vectors of some rows."""
    settings = chunk.settings
    cleaned = clean(chunk.values, settings.absurd)
    made = features(cleaned.values, chunk.step, chunk.plan.steps, settings.half_life)
    min_seen = max(1, min(settings.min_history, DAY) // chunk.step)
    built = vectors(cleaned.values, made, chunk.plan, min_seen)
    if settings.limit is not None:
        points = built[:, : chunk.plan.points]
        np.minimum(points, np.float32(settings.limit), out=points)
    confidence, why = _trust(cleaned.values, cleaned.measured, cleaned.dropped, chunk.step, settings)
    built[confidence == 0] = 0
    levels = made.hour[:, -1] if made.hour.shape[1] else np.zeros(len(built), np.float32)
    return Built(built, confidence, levels.astype(np.float32), why)


def _chunks(history: History, plan: Layout, settings: Settings) -> Iterator[Chunk]:
    for start in range(0, len(history.keys), settings.chunk):
        yield Chunk(history.values[start : start + settings.chunk], history.step, plan, settings)


def _joined(parts: list[Floats], shape: tuple[int, ...]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(shape, np.float32)


def _trust(
    values: Floats, measured: NDArray[np.int64], dropped: NDArray[np.int64], step: int, settings: Settings
) -> tuple[Floats, tuple[str, ...]]:
    """Confidence [S] and the reason where it is not full: how much of a week was measured, and how freshly."""
    rows, columns = values.shape
    seconds = measured * step
    confidence = np.clip(seconds / WEEK, 0, 1).astype(np.float32)
    recent = np.isfinite(values[:, -max(1, 3600 // step) :]).any(axis=1) if columns else np.zeros(rows, np.bool_)
    why = []
    for row in range(rows):
        reasons = []
        if measured[row] < 4:
            confidence[row] = 0
            reasons.append(f"{measured[row]} usable samples")
        elif not recent[row]:
            confidence[row] = 0
            reasons.append("nothing measured in the last hour")
        elif seconds[row] < 0.95 * WEEK:
            reasons.append(f"{seconds[row] / 3600:.1f} h measured")
        if dropped[row]:
            confidence[row] *= np.float32(0.9)
            reasons.append(f"{dropped[row]} samples dropped (negative, infinite or absurd)")
        why.append(", ".join(reasons))
    return confidence, tuple(why)
