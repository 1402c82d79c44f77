"""HyperNodes that list their members by name, for no pattern over names fits pseudonyms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from descheduler.model.objects import Json

_BROKEN: Json = {"regexMatch": {"pattern": "("}}


def members_by_name(hyper: Iterable[bytes], nodes: Iterable[bytes]) -> tuple[bytes, ...]:
    """The HyperNodes, as lines of a recording, with whom their patterns choose among themselves and the nodes."""
    lines = tuple(hyper)
    names = {"Node": [name_of(line) for line in nodes], "HyperNode": [name_of(line) for line in lines]}
    return tuple(_listed(names, line) for line in lines)


def name_of(line: bytes) -> str:
    """The name of an object; empty where it has none."""
    found = msgspec.json.decode(line).get("metadata")
    return str(found.get("name")) if isinstance(found, dict) else ""


def _listed(names: Mapping[str, list[str]], line: bytes) -> bytes:
    found = msgspec.json.decode(line)
    spec = found.get("spec")
    members = spec.get("members") if isinstance(spec, dict) else None
    if isinstance(members, list):
        spec["members"] = [one for member in members for one in _matching(names, member)]
    return msgspec.json.encode(found)


def _matching(names: Mapping[str, list[str]], member: Json) -> Iterator[Json]:
    selector = member.get("selector") if isinstance(member, dict) else None
    match = selector.get("regexMatch") if isinstance(selector, dict) else None
    if not isinstance(member, dict) or not isinstance(selector, dict) or not isinstance(match, dict):
        yield member
        return
    if isinstance(selector.get("exactMatch"), dict):  # which is heard first
        yield {**member, "selector": {"exactMatch": selector["exactMatch"]}}
        return
    try:
        pattern = re.compile(str(match.get("pattern")))
    except re.error:
        yield {**member, "selector": _BROKEN}
        return
    kind = "HyperNode" if member.get("type") == "HyperNode" else "Node"
    for name in names[kind]:
        if pattern.search(name):
            yield {"type": kind, "selector": {"exactMatch": {"name": name}}}
