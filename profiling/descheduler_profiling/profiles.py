"""Profiles of one signal: a forecast vector for each workload, and the questions that can be asked of their sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from itertools import repeat
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats16, Floats32, Indices, Ints, Mask
from descheduler.model.errors import UsageError
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling import quantiles
from descheduler_profiling.growth import Growth
from descheduler_profiling.layout import Layout
from descheduler_profiling.levels import Restated
from descheduler_profiling.race import MODELS
from descheduler_profiling.seasons import Seasons
from descheduler_profiling.series import NO_STRAIN, Strain
from descheduler_profiling.settings import QUANTILES

CLIP = (0.1, 10.0)  # how far one pod may be weighted from the mean of its workload


@dataclass(frozen=True, slots=True)
class Score:
    """How one model did in the backtest of one workload at one quantile (pinball loss in the unit of the signal)."""

    model: str
    quantile: float
    loss: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The report on one workload.

    `table` [Q, B] holds usage per replica for `quantiles` x `horizons`; `chosen` names the model of each quantile,
    `coverage` [Q, B] the share of past outcomes at or under the forecast, `scores` the race.
    """

    key: WorkloadKey
    signal: str
    unit: str
    quantiles: tuple[float, ...]
    horizons: tuple[int, ...]
    table: Floats32
    chosen: tuple[str, ...]
    coverage: Floats32
    scores: tuple[Score, ...]
    confidence: float
    why: str
    peaks: tuple[float, float] = (0.0, 0.0)  # next hour, next day, at 0.95


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the points of vectors are made of, for when the history has grown (refresh.py).

    `at` [S] is the end (unix seconds) of the history that each row was fitted to; `confidence` [S] is that of each
    row's own history, `missed` [S] how far forecasts were off since, in usual errors, `lent` [S] marks rows that have
    borrowed. `coefficients` [S, B, F] by bucket and feature.
    `restated` is what was taken for the past of rows with a new level, `growth` what goes on rising.
    """

    at: Ints
    confidence: Floats32
    missed: Floats32
    lent: Mask
    coefficients: Floats32
    seasons: Seasons
    restated: Restated
    growth: Growth


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised at an instant, for when it is over (calibration.py).

    `at` (unix seconds): of the sum of each group of workloads, one replica of each, `members` says which, the p95
    `levels` [G, N] at the N steps after it.
    """

    at: int
    levels: Floats32
    members: tuple[tuple[WorkloadKey, ...], ...]


def packed(curves: Floats32) -> tuple[Floats32, Floats16]:
    """Scales [S] and shapes [S, Q, H] in half precision of curves [S, Q, H]: within a twentieth of a percent."""
    scales = np.abs(curves).max(axis=(1, 2), initial=0.0).astype(np.float32)
    shapes = (curves / np.where(scales > 0, scales, np.float32(1))[:, None, None]).astype(np.float16)
    # Rounding is to the nearest; a forecast may be a trifle high but not low.
    return scales * np.float32(1 + 2**-11), shapes


def _bytes(of: object) -> int:
    """Bytes of the arrays in a dataclass, and in those that it holds."""
    if isinstance(of, np.ndarray):
        return int(of.nbytes)
    if not is_dataclass(of):
        return 0
    return sum(_bytes(getattr(of, each.name)) for each in fields(of))


_BY_ROW = (
    "vectors", "confidence", "levels", "shapes", "scales", "peaks", "shares", "losses", "coverage", "fitted",
)  # fmt: skip


def _laid(whole: Any, part: Any, at: Indices) -> Any:
    """Arrays [S, …], and those in dataclasses, with the rows `at` [K] of `part` [K, …]; copies."""
    if isinstance(whole, np.ndarray):
        out = whole.copy()
        out[at] = part
        return out
    if not is_dataclass(whole) or isinstance(whole, type):
        return whole
    laid = {one.name: _laid(getattr(whole, one.name), getattr(part, one.name), at) for one in fields(whole)}
    return replace(whole, **laid)


@dataclass(frozen=True)
class SignalProfiles:
    """All profiles of one signal, columnar.

    `vectors` [S, D] are additive: the vector of a set of pods is the (weighted) sum of the vectors of their
    workloads, one row for each pod, and `curve`, `peak` and `at` of that sum answer for the set. They are per
    replica, in `unit`. Rows with `confidence` 0 have no profile (their vector is zero): `why` says so, and nobody
    acts on it. `origin` is the unix second after which the forecast begins; steps are `step` seconds apart.

    For single workloads the race of models says more than a vector can: `forecast` gives every step (kept as `shapes`
    [S, Q, H] in half precision, 0..1 of `scales` [S]; where none was run, Q is 0 there), `peaks` [S, 2] (next hour,
    next day, at 0.95), and how it went: `shares` of the models and their backtest `losses` [S, Q, M], `coverage`
    [S, Q, B] of the blend. `levels` [S] is the mean of the last hour.

    After a refresh points of vectors, levels and confidence are new; the rest is as it was `fitted`, and what depends
    on the time of the day is moved with it.
    """

    signal: str
    unit: str
    keys: tuple[WorkloadKey, ...]
    origin: int
    step: int
    layout: Layout
    vectors: Floats32
    confidence: Floats32
    why: tuple[str, ...]
    levels: Floats32
    shapes: Floats16
    scales: Floats32
    peaks: Floats32
    shares: Floats32
    losses: Floats32
    coverage: Floats32
    fitted: Fitted
    quantiles: tuple[float, ...] = QUANTILES
    pod_level: Mapping[tuple[str, str], float] = field(default_factory=dict)
    complete: bool = True
    problems: tuple[str, ...] = ()
    standing_still: tuple[str, ...] = ()  # nodes, as in History
    absent: bool = False  # the history server has no series of it
    promise: Promise | None = None
    strain: Strain = NO_STRAIN
    divided: Mapping[WorkloadKey, str] = field(default_factory=dict)  # how totals were divided, as in History
    due: Indices = field(default_factory=lambda: np.zeros(0, np.intp))  # [K] rows to be fitted when there is time

    def with_rows(self, at: Indices, made: SignalProfiles) -> Self:
        """The same with the rows `at` [K] as they were `made` for the same instant; nothing is due then."""
        why = list(self.why)
        for row, reason in zip(at.tolist(), made.why, strict=True):
            why[row] = reason
        problems = dict.fromkeys((*self.problems, *made.problems))
        rows = {name: _laid(getattr(self, name), getattr(made, name), at) for name in _BY_ROW}
        return replace(self, why=tuple(why), problems=tuple(problems), due=np.zeros(0, np.intp), **rows)

    @property
    def raced(self) -> bool:
        """Whether models raced for the forecasts of single workloads."""
        return int(self.shapes.shape[1]) > 0

    @property
    def nbytes(self) -> int:
        """Bytes that are kept, names left out."""
        return _bytes(self)

    @cached_property
    def _rows(self) -> dict[WorkloadKey, int]:
        return {key: row for row, key in enumerate(self.keys)}

    def row(self, key: WorkloadKey) -> int:
        """Row of a workload, -1 when there is none."""
        return self._rows.get(key, -1)

    def rows(self, keys: Sequence[WorkloadKey]) -> NDArray[np.int64]:
        """Rows [P] of many workloads, -1 where there is none."""
        return np.fromiter(map(self._rows.get, keys, repeat(-1)), np.int64, len(keys))

    def weights(self, pods: Sequence[tuple[str, str]], rows: NDArray[np.int64]) -> Floats32:
        """Scale [P] of each (namespace, pod) against its workload's replica: its last hour over the mean of its kin.

        Clipped to 0.1..10; 1 where the pod was not measured (it is new), its workload is idle, or `rows` is -1.
        """
        level = np.fromiter(map(self.pod_level.get, pods, repeat(np.nan)), np.float64, len(pods))
        if len(self.levels) == 0:
            return np.ones(len(pods), np.float32)
        kin = np.where(rows >= 0, self.levels[rows], np.float32(0))
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = level / kin
        return np.where(np.isfinite(ratio), np.clip(ratio, *CLIP), 1.0).astype(np.float32)

    def curve(self, vectors: Floats32, q: float) -> Floats32:
        """Quantile of usage at each future step: [..., D] -> [..., H]."""
        return quantiles.curve(self.layout, vectors, q)

    def hottest(self, vectors: Floats32, q: float, horizon_seconds: float) -> Floats32:
        """The highest point of the curve from now to the horizon: [..., D] -> [...]."""
        return quantiles.hottest(self.layout, vectors, q, horizon_seconds)

    def highest(self, vectors: Floats32, q: float, horizon_seconds: float) -> Floats32:
        """Quantile of the largest usage at sampled steps up to the horizon, at all of an hour: [..., D] -> [...]."""
        return quantiles.highest(self.layout, vectors, q, horizon_seconds)

    def peak(self, vectors: Floats32, q: float, horizon_seconds: float) -> Floats32:
        """Quantile of the largest usage from now to the horizon: [..., D] -> [...]."""
        return quantiles.peak(self.layout, vectors, q, horizon_seconds)

    def at(self, vectors: Floats32, q: float, horizon_seconds: float) -> Floats32:
        """Quantile of usage at a step within the bucket of the horizon: [..., D] -> [...]."""
        return quantiles.at(self.layout, vectors, q, horizon_seconds)

    def forecast(self, rows: NDArray[np.int64], q: float) -> Floats32:
        """The best forecast of single workloads at one of `quantiles`, per future step: [R] -> [R, H].

        Without a race it is what the vectors say. Raises UsageError for a quantile that was not built.
        """
        if q not in self.quantiles:
            raise UsageError(f"quantile {q} was not built; there are {', '.join(map(str, self.quantiles))}")
        if not self.raced:
            return self.curve(self.vectors[rows], q)
        shape = self.shapes[rows, self.quantiles.index(q)].astype(np.float32)
        return np.asarray(shape * self.scales[rows][:, None], np.float32)

    def profile(self, row: int) -> Profile:
        """The report on one row."""
        rows = np.array([row])
        curves = [self.forecast(rows, q)[0] for q in self.quantiles]
        parts = [slice(b.first - 1, b.last) for b in self.layout.buckets]
        table = np.array([[curve[part].mean() for part in parts] for curve in curves], np.float32)
        scores = tuple(
            Score(model.name, q, float(self.losses[row, i, m]))
            for i, q in enumerate(self.quantiles)
            for m, model in enumerate(MODELS)
        )
        heaviest = self.shares[row].argmax(axis=-1)
        none = self.shares[row].sum(axis=-1) < 0.5
        return Profile(
            key=self.keys[row],
            signal=self.signal,
            unit=self.unit,
            quantiles=self.quantiles,
            horizons=tuple(b.seconds for b in self.layout.buckets),
            table=table,
            chosen=tuple("none" if none[i] else MODELS[m].name for i, m in enumerate(heaviest.tolist())),
            coverage=self.coverage[row],
            scores=scores,
            confidence=float(self.confidence[row]),
            why=self.why[row],
            peaks=(float(self.peaks[row, 0]), float(self.peaks[row, 1])),
        )
