"""Answers of the Prometheus HTTP API, decoded straight into arrays.

The shape is that of https://prometheus.io/docs/prometheus/latest/querying/api/ with `isPartial` of VictoriaMetrics.
A sample is `[seconds, "value"]`. Decoding each into Python objects costs 350 ns and more (610 with a generic
decoder); dropping brackets and quotes and reading the rest as one list of numbers costs 110. Only series with NaN or
Inf, which JSON numbers cannot say, take the slow way.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from descheduler.model.errors import HistoryPartial, HistoryRefused

_BRACKETS_AND_QUOTES = b'[]"'


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: `times` [n] seconds and `values` [n], in the order of the answer."""

    labels: dict[str, str]
    times: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """A decoded answer; `partial` holds what the server said is missing from it, `infos` its harmless remarks."""

    series: tuple[Series, ...]
    partial: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        return sum(one.times.size for one in self.series)


class _Series(msgspec.Struct, gc=False):
    metric: dict[str, str] = {}
    values: msgspec.Raw = msgspec.Raw(b"[]")
    value: msgspec.Raw = msgspec.Raw(b"")
    histograms: msgspec.Raw = msgspec.Raw(b"")


class _Data(msgspec.Struct):
    result_type: str = msgspec.field(name="resultType", default="")
    result: msgspec.Raw = msgspec.Raw(b"[]")


class Envelope(msgspec.Struct):
    """What every answer has, good or bad."""

    status: str
    data: _Data | None = None
    error_type: str = msgspec.field(name="errorType", default="")
    error: str = ""
    warnings: list[str] = []
    infos: list[str] = []
    is_partial: bool = msgspec.field(name="isPartial", default=False)


_ENVELOPE = msgspec.json.Decoder(Envelope)
_SERIES = msgspec.json.Decoder(list[_Series])
_NUMBERS = msgspec.json.Decoder(list[float])
_SAMPLES = msgspec.json.Decoder(list[tuple[float, str]])


def decode_envelope(body: bytes) -> Envelope:
    """The outer object.

    Raises:
        HistoryPartial: the text is cut or is no JSON at all.
    """
    try:
        return _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HistoryPartial(f"the answer is cut short or is not Prometheus JSON ({error}): {body[:80]!r}") from error


def decode_answer(body: bytes) -> QueryAnswer:
    """The series of a successful answer to `query` (a vector) or `query_range` (a matrix).

    Raises:
        HistoryPartial: the text is cut or is no JSON at all.
        HistoryRefused: it is an answer, but not of series: a string, a scalar, histograms.
    """
    envelope = decode_envelope(body)
    partial, infos = _remarks(envelope)
    data = envelope.data or _Data()
    if data.result_type not in ("matrix", "vector"):
        raise HistoryRefused(f"the query returns a {data.result_type or 'nothing'}, not series: change the query")
    try:
        found = _SERIES.decode(data.result)
        series = tuple(_decode(one, data.result_type) for one in found)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        raise HistoryPartial(f"the answer's series cannot be read: {error}") from error
    return QueryAnswer(series, partial, infos)


def _remarks(envelope: Envelope) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is missing, and what is merely said: Prometheus 2.48 to 2.52 send both kinds of annotation as warnings."""
    partial = [w for w in envelope.warnings if not w.startswith("PromQL info")]
    if envelope.is_partial and not partial:
        partial.append("the server marks its answer as partial (isPartial)")
    infos = [*envelope.infos, *(w for w in envelope.warnings if w.startswith("PromQL info"))]
    return tuple(partial), tuple(infos)


def _decode(one: _Series, result_type: str) -> Series:
    if one.histograms:
        raise HistoryRefused(
            "the query returns histograms, not numbers: wrap it in histogram_quantile or histogram_avg"
        )
    raw = bytes(one.values) if result_type == "matrix" else b"[" + bytes(one.value) + b"]"
    numbers = _numbers(raw)
    return Series(one.metric, numbers[0::2], numbers[1::2])


def _numbers(raw: bytes) -> NDArray[np.float64]:
    """`[[t,"v"],...]` as t, v, t, v, ..."""
    try:
        flat = np.array(_NUMBERS.decode(b"[" + raw.translate(None, _BRACKETS_AND_QUOTES) + b"]"), np.float64)
        if flat.size == 2 * (raw.count(b"[") - 1):
            return flat
    except msgspec.DecodeError:
        pass  # NaN, +Inf, -Inf, or not numbers at all: the careful way tells which
    pairs = [(time, float(value)) for time, value in _SAMPLES.decode(raw)]
    return np.array(pairs, np.float64).reshape(-1)
