"""The words that the program knows, taken from its own source, so that a key it reads tomorrow is tried tomorrow."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import descheduler
from descheduler.kube.convert.annotations import KEPT_PREFIXES

READING = ("gangs", "kube/convert", "kube/devices", "topology", "planning/filters", "model", "scheduler")
"""Rooms in which labels, annotations and fields of objects are read."""

_ROOT = Path(descheduler.__file__).parent
_KEY = re.compile(r"[a-z0-9][-a-z0-9.]*\.[-a-z0-9.]+/[A-Za-z0-9][-\w.]*")
_FIELD = re.compile(r"[a-z][A-Za-z]{1,40}")
_OF_OBJECTS = ("gangs", "kube/devices", "topology")  # whose objects are read as plain JSON


@cache
def label_keys() -> tuple[str, ...]:
    """Keys of labels and annotations."""
    found = {text for room in READING for text in (*_constants(room), *_values(room)) if _KEY.fullmatch(text)}
    found.update(f"{prefix}x" if prefix.endswith(("/", ".", "-")) else prefix for prefix in KEPT_PREFIXES)
    return tuple(sorted(found))


@cache
def field_names() -> tuple[str, ...]:
    """Names of fields, and values of enumerations, of objects of optional APIs."""
    return tuple(sorted({text for room in _OF_OBJECTS for text in _constants(room) if _FIELD.fullmatch(text)}))


def _values(room: str) -> Iterator[str]:
    """Texts that modules and their classes hold: keys may be put together of several constants."""
    for path in _files(room):
        dotted = ".".join(path.relative_to(_ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        module = importlib.import_module(dotted)
        for holder in (module, *(one for one in vars(module).values() if isinstance(one, type))):
            for value in vars(holder).values():
                yield from _texts(value)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (tuple, list, set, frozenset, Mapping)):
        for inside in value:
            yield from _texts(inside)


def _files(room: str) -> list[Path]:
    return sorted((_ROOT / room).rglob("*.py"))


def _constants(room: str) -> Iterator[str]:
    for path in _files(room):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
