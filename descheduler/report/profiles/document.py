"""The explanation of one profile as a versioned document; table, plot and page are views of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from descheduler.model.arrays import Floats32
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.explain import OURS, Backtest, ProfileExplanation

FORMAT = "descheduler-profile-explanation"
VERSION = 1

Line = list[float | None]
Table = list[Line]


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    """How one rule would have done: [Q, B] by horizon, and [Q] over the whole day ahead; null: nothing to compare."""

    rule: str
    ours: bool
    loss: Table
    coverage: Table
    promised: Table
    day_loss: Line
    day_coverage: Line
    day_promised: Line


class Raced(msgspec.Struct, frozen=True, rename="camel"):
    """How one model did in the race that chose ours."""

    model: str
    quantile: float
    loss: float


class ProfileDocument(msgspec.Struct, frozen=True, rename="camel"):
    """Why a profile says what it says. Times are unix seconds, usage is that of one replica in `unit`.

    `usage` is [Q, B] over `quantiles` and `horizons` (seconds), `coverage` what it covered when it was tried, as our
    rule among `rules` has it; the peaks are the largest usage of the next hour and day, at the quantile 0.95. `curves`
    [Q, H] are the quantiles at each `step` after `origin`, `history` the usage at each step from `start`. `yesterday`
    [Q, H] is what was forecast for the last H steps of history a day ago, and `kept` [Q] the share of them at or under.
    """

    format: str
    version: int
    cluster: str
    namespace: str
    kind: str
    name: str
    signal: str
    unit: str
    origin: int
    step: int
    confidence: float
    why: str
    complete: bool
    problems: list[str]
    quantiles: list[float]
    horizons: list[int]
    models: list[str]
    usage: Table
    peak_hour: float | None
    peak_day: float | None
    coverage: Table
    tried_at: list[int]
    untried: str
    rules: list[Rule]
    race: list[Raced]
    start: int
    history: Line
    curves: Table
    yesterday: Table
    kept: Line

    @property
    def workload(self) -> str:
        """`namespace/Kind/name`."""
        return str(WorkloadKey(self.namespace, self.kind, self.name))

    @property
    def known(self) -> bool:
        """There is a profile."""
        return self.confidence > 0


def profile_document(explained: ProfileExplanation, cluster: str = "") -> ProfileDocument:
    """The document of an explanation."""
    profile = explained.profile
    widths = _widths(explained)
    return ProfileDocument(
        format=FORMAT,
        version=VERSION,
        cluster=cluster,
        namespace=profile.key.namespace,
        kind=profile.key.kind,
        name=profile.key.name,
        signal=profile.signal,
        unit=profile.unit,
        origin=explained.origin,
        step=explained.step,
        confidence=_number(profile.confidence) or 0.0,
        why=profile.why,
        complete=explained.complete,
        problems=list(explained.problems),
        quantiles=list(profile.quantiles),
        horizons=list(profile.horizons),
        models=list(profile.chosen) if profile.confidence > 0 else [],
        usage=_table(profile.table),
        peak_hour=_number(profile.peaks[0]) if profile.confidence > 0 else None,
        peak_day=_number(profile.peaks[1]) if profile.confidence > 0 else None,
        coverage=_table(profile.coverage),
        tried_at=list(explained.origins),
        untried=explained.untried,
        rules=[_rule(trial, widths) for trial in explained.trials],
        race=[Raced(score.model, score.quantile, _number(score.loss) or 0.0) for score in profile.scores],
        start=explained.start,
        history=_line(explained.history),
        curves=_table(explained.curves),
        yesterday=_table(explained.yesterday),
        kept=_line(_kept(explained)),
    )


def _kept(explained: ProfileExplanation) -> Floats32:
    """[Q] the share of the last day at or under what was forecast for it, NaN where there is none."""
    said = explained.yesterday
    came = explained.history[-said.shape[1] :]
    known = np.isfinite(came)[None, :] & np.isfinite(said[:, : came.size])
    under = known & (came[None, :] <= said[:, : came.size])
    count = known.sum(axis=1)
    return np.where(count > 0, under.sum(axis=1) / np.maximum(count, 1), np.nan).astype(np.float32)


def to_json(doc: ProfileDocument, indent: int | None = None) -> bytes:
    """The document as JSON."""
    data = msgspec.json.encode(doc)
    return data if indent is None else msgspec.json.format(data, indent=indent)


def _widths(explained: ProfileExplanation) -> Floats32:
    """Steps in each horizon bucket."""
    ends = [horizon // explained.step for horizon in explained.profile.horizons]
    return np.diff([0, *ends]).astype(np.float32)


def _rule(trial: Backtest, widths: Floats32) -> Rule:
    return Rule(
        rule=trial.rule,
        ours=trial.rule == OURS,
        loss=_table(trial.loss),
        coverage=_table(trial.coverage),
        promised=_table(trial.promised),
        day_loss=_line(_day(trial.loss, widths)),
        day_coverage=_line(_day(trial.coverage, widths)),
        day_promised=_line(_day(trial.promised, widths)),
    )


def _day(values: Floats32, widths: Floats32) -> Floats32:
    """[Q, B] -> [Q]: the mean over the steps of the day ahead; of the buckets that could be compared."""
    weights = np.where(np.isfinite(values), widths[None, :], np.float32(0))
    total = weights.sum(axis=1)
    mean = (np.nan_to_num(values) * weights).sum(axis=1) / np.maximum(total, np.float32(1e-9))
    return np.where(total > 0, mean, np.nan).astype(np.float32)


def _table(values: Floats32) -> Table:
    return [_line(line) for line in values]


def _line(values: Floats32 | Sequence[float]) -> Line:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    return float(f"{value:.7g}") if math.isfinite(value) else None
