"""What can be read of a list, an event or an object that as a whole cannot: each part by itself."""

from __future__ import annotations

from hashlib import blake2b
from typing import TypeVar

import msgspec
from msgspec import Raw, structs

from descheduler.kube.convert.nested import elements, flattened, members
from descheduler.kube.convert.wire import ListMetaWire, MetaWire, Object, RawEvent, RawList

T = TypeVar("T")

_list = msgspec.json.Decoder(RawList)
_event = msgspec.json.Decoder(RawEvent)
_object = msgspec.json.Decoder(Object)
_FIELDS = {field.encode_name.encode(): field for field in structs.fields(MetaWire)}


def list_of(data: bytes) -> tuple[ListMetaWire, list[bytes]]:
    """The metadata of a list, and its items as they are written. Raises ValueError when it is none."""
    try:
        page = _list.decode(data)
        return page.metadata, [bytes(item) for item in page.items or ()]
    except (msgspec.MsgspecError, RecursionError):
        parts = members(data)
        metadata = read(parts.get(b"metadata", b"{}"), ListMetaWire)
        if metadata is None:
            raise ValueError("its metadata cannot be read") from None
        items = parts.get(b"items", b"null")
        return metadata, [] if items == b"null" else elements(items)


def event_of(line: bytes) -> RawEvent:
    """An event of a watch. Raises ValueError when it is none."""
    try:
        return _event.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        parts = members(line)
        return RawEvent(read(parts.get(b"type", b""), str) or "", Raw(parts.get(b"object", b"")))


def metadata_of(data: bytes) -> MetaWire:
    """The metadata of an object, without what of it cannot be read. Raises ValueError when it is no object.

    One whose name cannot be read gets one that is no name in Kubernetes, and that no other object has.
    """
    try:
        return _object.decode(data).metadata
    except (msgspec.MsgspecError, RecursionError):
        written = _inside(members(flattened(data)).get(b"metadata", b""))
    fields = ((field, read(written[key], field.type)) for key, field in _FIELDS.items() if key in written)
    found = MetaWire(**{field.name: value for field, value in fields if value is not None})
    return found if found.name else structs.replace(found, name=f"?{blake2b(data, digest_size=8).hexdigest()}")


def part(data: bytes, path: str, wanted: type[T]) -> T | None:
    """What is at a path of keys ("spec.nodeName") of an object; None where nothing is, or something else."""
    for key in path.split("."):
        data = _inside(data).get(key.encode(), b"")
    return read(data, wanted)


def _inside(data: bytes) -> dict[bytes, bytes]:
    return members(data) if data.startswith(b"{") else {}


def read(data: bytes, wanted: type[T]) -> T | None:
    """A part of an object; None where it cannot be read as what it should be."""
    try:
        return msgspec.json.decode(data, type=wanted)
    except (msgspec.MsgspecError, RecursionError):
        return None
