"""Objects as lines of a recording: the fields that our schemas read, at their places, and nothing else.

That holds inside of what the schemas leave as bytes, and for objects that no schema fits: of those the broken field
stays, so that it is broken still, but what stands in it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect, structs

from descheduler.kube.convert.annotations import AnnotationFilter
from descheduler.kube.convert.custom_fields import recorded
from descheduler.kube.convert.managed_fields import ManagedWire
from descheduler.kube.convert.pieces import part, read
from descheduler.kube.convert.wire import (
    AffinityWire,
    CustomWire,
    LabelSelectorWire,
    MetaWire,
    Object,
    PortWire,
    ResourcesWire,
    SpreadWire,
    TolerationWire,
    WorkloadWire,
)
from descheduler.kube.devices.sources.statuses import AllocatedWire
from descheduler.model.fence import fenced

_Amounts = dict[str, str | int | float]
RAW_TYPES: Mapping[str, Any] = {
    "labels": dict[str, str],
    "nodeSelector": dict[str, str],
    "overhead": _Amounts,
    "allocatedResources": _Amounts,
    "resources": ResourcesWire,
    "ports": tuple[PortWire, ...],
    "affinity": AffinityWire,
    "tolerations": tuple[TolerationWire, ...],
    "topologySpreadConstraints": tuple[SpreadWire, ...],
    "allocatedResourcesStatus": tuple[AllocatedWire, ...],
    "managedFields": tuple[ManagedWire, ...],
}
"""What the fields hold that the schemas leave as bytes (`Raw`)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a schema reads at one place: `fields` of an object, `items` of a list or (`keyed`) of a map, what `own`
    makes of a part that has no schema, or else a value, which is a `text` or anything. A text may stand in the place
    of an object that is `brief` as well.
    """

    fields: Mapping[str, Shape] | None = None
    items: Shape | None = None
    keyed: bool = False
    text: bool = False
    brief: bool = False
    own: Callable[[Any], Any] | None = field(default=None, compare=False)

    def names(self) -> Iterator[str]:
        """Of all fields, at any depth."""
        for name, shape in (self.fields or {}).items():
            yield name
            yield from shape.names()
        if self.items is not None:
            yield from self.items.names()

    def cut(self, value: Any) -> Any:
        """The value with what is read; where it is of another type than the schema's, that type without its content."""
        if value is None:
            return None
        if isinstance(value, dict):
            if self.own is not None:
                return self.own(value)
            if self.fields is not None:
                return {name: shape.cut(value[name]) for name, shape in self.fields.items() if name in value}
            if self.items is not None and self.keyed:
                return {key: self.items.cut(one) for key, one in value.items()}
            return {}
        if isinstance(value, list):
            return [] if self.items is None or self.keyed else [self.items.cut(one) for one in value]
        if isinstance(value, str):
            bare = self.fields is None and self.items is None and self.own is None
            return value if bare or self.brief else ""
        return 0 if self.text and not isinstance(value, bool) else value


class Slimmer:
    """Makes lines of the objects of one kind; `templates`: pods are made from those in its specs."""

    def __init__(self, wire: type[Object], kept: AnnotationFilter, *, templates: bool) -> None:
        self._shape = shape_of(wire)
        self._kept = kept
        self._workload = issubclass(wire, WorkloadWire)
        self._templates = templates

    def line(self, data: bytes, meta: MetaWire, api_version: str = "") -> bytes:
        """One object, whole or broken. `api_version` stands in where it has none of its own."""
        slim = fenced(lambda: self._shape.cut(msgspec.json.decode(data)), lambda _why: None)
        if not isinstance(slim, dict):
            slim = self._remains(data, meta)
        self._annotations(slim)
        spec = slim.get("spec")
        if self._workload and isinstance(spec, dict) and isinstance(spec.get("template"), dict):
            if self._templates:
                self._annotations(spec["template"])
            else:
                del spec["template"]
        if api_version and not slim.get("apiVersion"):
            slim = {"apiVersion": api_version, **slim}
        return msgspec.json.encode(slim)

    def _remains(self, data: bytes, meta: MetaWire) -> dict[str, Any]:
        """Of an object that cannot be taken apart: what its stand-in is made from, and that it is broken."""
        labels = msgspec.json.encode(read(bytes(meta.labels), dict[str, str]) or {})
        named = structs.replace(meta, labels=msgspec.Raw(labels), annotations=None)
        found: dict[str, Any] = {"metadata": msgspec.json.decode(msgspec.json.encode(named))}
        found["metadata"]["generation"] = "it cannot be taken apart"
        return {
            **found,
            "spec": {"nodeName": part(data, "spec.nodeName", str) or ""} | _selector(data),
            "status": {"phase": part(data, "status.phase", str) or ""},
        }

    def _annotations(self, of: dict[str, Any]) -> None:
        meta = of.get("metadata")
        if not isinstance(meta, dict):
            return
        if isinstance(found := meta.get("annotations"), dict):
            meta["annotations"] = self._kept(found)
        for name in ("labels", "annotations"):
            if not meta.get(name, True):
                del meta[name]


def _selector(data: bytes) -> dict[str, Any]:
    found = part(data, "spec.selector", LabelSelectorWire)
    return {} if found is None else {"selector": msgspec.to_builtins(found)}


@cache
def shape_of(wire: type[Any]) -> Shape:
    """What is read of a type of the wire."""
    if issubclass(wire, CustomWire):
        shape = _shape(inspect.type_info(wire))
        free = Shape(own=recorded)
        return Shape({**(shape.fields or {}), "spec": free, "status": free})
    return _shape(inspect.type_info(wire))


def _shape(found: inspect.Type, name: str = "") -> Shape:
    match found:
        case inspect.Metadata(type=inner):
            return _shape(inner, name)
        case inspect.RawType():
            return _shape(inspect.type_info(RAW_TYPES[name]))
        case inspect.StructType(fields=fields):
            return Shape({one.encode_name: _shape(one.type, one.encode_name) for one in fields})
        case inspect.VarTupleType(item_type=item):
            return Shape(items=_shape(item))
        case inspect.DictType(value_type=value):
            return Shape(items=_shape(value), keyed=True)
        case inspect.UnionType(types=types):
            shapes = [_shape(one, name) for one in types if not isinstance(one, inspect.NoneType)]
            if len(shapes) == 1:
                return shapes[0]
            return next((replace(one, brief=True) for one in shapes if one.fields is not None), Shape())
        case inspect.StrType() | inspect.DateTimeType():
            return Shape(text=True)
        case _:
            return Shape()
