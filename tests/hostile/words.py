"""The words that the program knows, taken from its own source, so that a key it reads tomorrow is tried tomorrow."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import descheduler
from descheduler.kube.convert.annotations import KEPT_PREFIXES

READING = ("gangs", "kube/convert", "kube/devices", "topology", "planning/filters", "model", "scheduler")
"""Rooms in which labels, annotations and fields of objects are read."""

_KEY = re.compile(r"[a-z0-9][-a-z0-9.]*\.[-a-z0-9.]+/[A-Za-z0-9][-\w.]*")
_FIELD = re.compile(r"[a-z][A-Za-z]{1,40}")
_OF_OBJECTS = ("gangs", "kube/devices", "topology")  # whose objects are read as plain JSON


@cache
def label_keys() -> tuple[str, ...]:
    """Keys of labels and annotations."""
    found = {text for room in READING for text in _constants(room) if _KEY.fullmatch(text)}
    found.update(f"{prefix}x" if prefix.endswith(("/", ".", "-")) else prefix for prefix in KEPT_PREFIXES)
    return tuple(sorted(found))


@cache
def field_names() -> tuple[str, ...]:
    """Names of fields, and values of enumerations, of objects of optional APIs."""
    return tuple(sorted({text for room in _OF_OBJECTS for text in _constants(room) if _FIELD.fullmatch(text)}))


def _constants(room: str) -> Iterator[str]:
    for path in sorted((Path(descheduler.__file__).parent / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
