"""Values for the fields that our schemas read, made from the schemas: a field that is new there is tried."""

from __future__ import annotations

import types
import typing
from datetime import datetime
from functools import cache
from random import Random
from typing import Annotated, Any

import msgspec
from msgspec import Raw
from msgspec.structs import FieldInfo

from descheduler.kube.convert import wire
from hostile import values
from hostile.words import field_names, label_keys

Json = Any

_LABELS, _AMOUNTS = dict[str, str], dict[str, str | int | float]
_RAW: dict[str, Any] = {  # what is inside the parts that the schemas keep as bytes
    "labels": _LABELS,
    "nodeSelector": _LABELS,
    "affinity": wire.AffinityWire,
    "tolerations": tuple[wire.TolerationWire, ...],
    "topologySpreadConstraints": tuple[wire.SpreadWire, ...],
    "resources": wire.ResourcesWire,
    "ports": tuple[wire.PortWire, ...],
    "overhead": _AMOUNTS,
    "allocatedResources": _AMOUNTS,
}


@cache
def fields(struct: type[msgspec.Struct]) -> tuple[FieldInfo, ...]:
    return tuple(
        f for f in msgspec.structs.fields(struct) if f.encode_name != "metadata" or struct is wire.PodTemplateWire
    )


def some_fields(rng: Random, struct: type[msgspec.Struct], count: int) -> dict[str, Json]:
    """A few fields of a struct, each with a value of its type."""
    found = fields(struct)
    return {f.encode_name: of_type(rng, f.type, f.encode_name, 4) for f in rng.choices(found, k=count)} if found else {}


def of_type(rng: Random, wanted: Any, name: str, depth: int) -> Json:
    """A value that a field of this type may have, odd or not."""
    if wanted is Raw:
        wanted = _RAW.get(name, _AMOUNTS)
    origin, inside = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is Annotated:
        return of_type(rng, inside[0], name, depth)
    if origin in (types.UnionType, typing.Union):
        return of_type(rng, rng.choice(inside), name, depth)
    if wanted is type(None) or (depth <= 0 and not isinstance(wanted, type)):
        return None
    if origin is tuple:
        return [of_type(rng, inside[0], name, depth - 1) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    if origin is dict:
        return {key(rng): of_type(rng, inside[1], name, depth - 1) for _ in range(rng.choice((0, 1, 2)))}
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return some_fields(rng, wanted, rng.choice((0, 1, 2, 3))) if depth > 0 else {}
    if wanted is datetime:
        return rng.choice(values.TIMES)
    if wanted is bool:
        return rng.random() < 0.5
    if wanted in (int, float):
        return rng.choice(values.NUMBERS)
    return values.text(rng) if wanted is str else values.anything(rng)


def key(rng: Random) -> str:
    """A key of labels, annotations, amounts or fields."""
    match rng.randrange(4):
        case 0:
            return rng.choice(("cpu", "memory", "pods", "nvidia.com/gpu", "ephemeral-storage", "app", "", "x" * 300))
        case 1:
            return rng.choice(field_names())
        case _:
            return rng.choice(label_keys())
