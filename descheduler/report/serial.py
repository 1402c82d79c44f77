"""The plan document as bytes and back: what is stored, served and embedded in the page."""

from __future__ import annotations

import math

import msgspec
import yaml

from descheduler.model.errors import DocumentError
from descheduler.model.plan import PLAN_FORMAT, PLAN_VERSION, PlanDocument
from descheduler.report.backtests.document import Backtest, Tuning
from descheduler.report.comparison.document import Comparison

_Document = PlanDocument | Comparison | Backtest | Tuning
_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(PlanDocument, strict=True)


class _Head(msgspec.Struct):
    format: str = ""
    version: int = 0


_head = msgspec.json.Decoder(_Head)


def to_json(plan: _Document, *, indent: int = 0) -> bytes:
    """The document as JSON; the same document gives the same bytes. `indent` > 0 for people.

    Raises:
        DocumentError: a number in it is not finite, which JSON cannot say.
    """
    _check_finite(msgspec.to_builtins(plan))
    data = _encoder.encode(plan)
    return msgspec.json.format(data, indent=indent) if indent else data


def to_indented_json(plan: _Document) -> bytes:
    """The document as JSON for people; raises as `to_json` does."""
    return to_json(plan, indent=2) + b"\n"


def from_json(data: bytes | str) -> PlanDocument:
    """The document that `to_json` wrote.

    Raises:
        DocumentError: not a plan document, one of another version, or a damaged one.
    """
    try:
        head = _head.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"not a plan document: {error}") from error
    if head.format != PLAN_FORMAT:
        raise DocumentError(f"not a plan document: its format is {head.format or 'not said'}, not {PLAN_FORMAT}")
    if head.version != PLAN_VERSION:
        age = "a later" if head.version > PLAN_VERSION else "an unknown"
        raise DocumentError(f"the plan document has {age} version, {head.version}; this program reads {PLAN_VERSION}")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DocumentError(f"the plan document is damaged: {error}") from error


def to_yaml(plan: PlanDocument) -> str:
    """The document as YAML, in the order of its fields."""
    to_json(plan)
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(msgspec.to_builtins(plan), Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _check_finite(value: object, path: str = "plan") -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise DocumentError(f"{path} is {value}, which is not a finite number")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_finite(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            _check_finite(item, f"{path}[{i}]")
