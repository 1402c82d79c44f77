"""Profiles as documents for other programs, and as JSON and CSV; `export_files` writes them by suffix.

One versioned document holds the profiles of any number of signals: for each workload the quantiles of usage within each
horizon, and the largest usage of the next hour and the next day. A workload without a profile is there with confidence
0, the reason, and no numbers: absent is not zero.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler.model.errors import DocumentError
from descheduler_profiling.profiles import SignalProfiles

FORMAT = "descheduler-profiles"
VERSION = 1

Numbers = list[list[float]]


class WorkloadProfile(msgspec.Struct, frozen=True, rename="camel"):
    """One workload and signal, per replica. `usage` [Q, B] and the peaks are None where there is no profile: see `why`.

    The peaks are the largest usage of the next hour and of the next day, at the quantile 0.95. `covered` [Q, B] is the
    share of what came on past days that was at or under what was forecast for it a day ahead; None where no day was.
    """

    namespace: str
    kind: str
    name: str
    confidence: float
    why: str
    models: list[str]  # chosen for each quantile
    usage: Numbers | None = None
    peak_hour: float | None = None
    peak_day: float | None = None
    covered: Numbers | None = None


class SignalDocument(msgspec.Struct, frozen=True, rename="camel"):
    """One signal. Profiles speak of the time after `origin` (unix seconds); of one not `complete` nobody acts."""

    signal: str
    unit: str
    origin: int
    step: int
    complete: bool
    problems: list[str]
    quantiles: list[float]
    horizons: list[int]  # seconds
    workloads: list[WorkloadProfile]


class ProfilesDocument(msgspec.Struct, frozen=True, rename="camel"):
    """The document. `created` (unix seconds) is the time of what it was made from."""

    format: str
    version: int
    cluster: str
    created: float
    signals: list[SignalDocument]


class _Head(msgspec.Struct, frozen=True):
    """What every version has."""

    format: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One number of each kind, as tables have them."""

    namespace: str
    kind: str
    name: str
    signal: str
    unit: str
    quantile: float
    horizon_seconds: int
    usage: float | None
    peak_hour: float | None
    peak_day: float | None
    confidence: float
    model: str
    why: str
    covered: float | None = None


def document(profiles: Iterable[SignalProfiles], *, created: float, cluster: str = "") -> ProfilesDocument:
    """The document of some signals, in the order given; workloads in the order of their keys."""
    return ProfilesDocument(FORMAT, VERSION, cluster, created, [_signal(one) for one in profiles])


def _signal(profiles: SignalProfiles) -> SignalDocument:
    horizons = [bucket.seconds for bucket in profiles.layout.buckets]
    return SignalDocument(
        signal=profiles.signal,
        unit=profiles.unit,
        origin=profiles.origin,
        step=profiles.step,
        complete=profiles.complete,
        problems=list(profiles.problems),
        quantiles=list(profiles.quantiles),
        horizons=horizons,
        workloads=[_workload(profiles, row) for row in range(len(profiles.keys))],
    )


def _workload(profiles: SignalProfiles, row: int) -> WorkloadProfile:
    key, why = profiles.keys[row], profiles.why[row]
    if profiles.confidence[row] <= 0:
        return WorkloadProfile(key.namespace, key.kind, key.name, 0.0, why, [])
    made = profiles.profile(row)
    return WorkloadProfile(
        namespace=key.namespace,
        kind=key.kind,
        name=key.name,
        confidence=round(made.confidence, 4),
        why=why,
        models=list(made.chosen),
        usage=[[_number(value) for value in line] for line in made.table],
        peak_hour=_number(made.peaks[0]),
        peak_day=_number(made.peaks[1]),
        covered=[[_number(value) for value in line] for line in made.coverage]
        if np.isfinite(made.coverage).all()
        else None,
    )


def _number(value: float) -> float:
    """Seven digits, which is what a float32 holds."""
    return float(f"{value:.7g}")


def usage(profiles: SignalProfiles, rows: NDArray[np.int64], q: float) -> Floats32:
    """Quantile of usage of single workloads within each horizon: [R] -> [R, B], as `SignalProfiles.profile` has it.

    The best forecast for the quantiles that were built, else what the vectors say.
    """
    buckets = profiles.layout.buckets
    if q not in profiles.quantiles:
        return np.stack([profiles.at(profiles.vectors[rows], q, b.seconds) for b in buckets], axis=-1)
    curves = profiles.forecast(rows, q)
    return np.stack([curves[:, b.first - 1 : b.last].mean(axis=1) for b in buckets], axis=-1)


def rows(doc: ProfilesDocument) -> Iterator[Row]:
    """The document as a long table."""
    for signal in doc.signals:
        for one in signal.workloads:
            for i, q in enumerate(signal.quantiles):
                for j, horizon in enumerate(signal.horizons):
                    yield Row(
                        namespace=one.namespace,
                        kind=one.kind,
                        name=one.name,
                        signal=signal.signal,
                        unit=signal.unit,
                        quantile=q,
                        horizon_seconds=horizon,
                        usage=one.usage[i][j] if one.usage else None,
                        peak_hour=one.peak_hour,
                        peak_day=one.peak_day,
                        confidence=one.confidence,
                        model=one.models[i] if one.models else "",
                        why=one.why,
                        covered=one.covered[i][j] if one.covered else None,
                    )


def to_json(doc: ProfilesDocument, indent: int | None = None) -> bytes:
    """The document as JSON."""
    data = msgspec.json.encode(doc)
    return data if indent is None else msgspec.json.format(data, indent=indent)


def from_json(data: bytes) -> ProfilesDocument:
    """What `to_json` made.

    Raises:
        DocumentError: not such a document, of a later version, or damaged.
    """
    try:
        head = msgspec.json.decode(data, type=_Head)
    except msgspec.DecodeError as error:
        raise DocumentError(f"not a document of profiles: {error}") from error
    _check(head)
    try:
        return msgspec.json.decode(data, type=ProfilesDocument)
    except msgspec.DecodeError as error:
        raise DocumentError(f"the document of profiles is damaged: {error}") from error


def _check(head: _Head) -> None:
    if head.format != FORMAT:
        raise DocumentError(f"not a document of profiles: its format is {head.format!r}")
    if head.version != VERSION:
        age = "a later" if head.version > VERSION else "an unknown"
        raise DocumentError(f"the document of profiles has {age} version, {head.version}; this program reads {VERSION}")


def to_csv(doc: ProfilesDocument) -> str:
    """The long table as CSV (RFC 4180, but lines end with a newline alone), numbers empty where there are none."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row.__slots__)
    for row in rows(doc):
        values = (getattr(row, name) for name in Row.__slots__)
        writer.writerow(["" if value is None else value for value in values])
    return out.getvalue()
