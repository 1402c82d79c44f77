"""JSON taken apart without recursion: what is left to do when a parser gives up on a part of it.

A parser that descends gives up on values that are nested too deep, wherever they are, also in what nobody reads; and it
tells nothing of a text that is broken in one place. Here brackets are counted, and strings passed over, in one go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from descheduler.model.bounds import DEPTH

_TEXT = rb'"(?:[^"\\]++|\\.)*+"?'  # one that does not end goes to the end: it is not looked at twice
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _TEXT + rb")*+([\[{]|[\]}])", re.DOTALL)
_SCALAR = re.compile(_TEXT + rb'|[^"\[\]{},:\s]++', re.DOTALL)
_BETWEEN = re.compile(rb"[\s,:]*+")
_OPEN = b"[{"


def members(data: bytes) -> dict[bytes, bytes]:
    """The values of an object by their keys, both as they are written. Raises ValueError when it is none."""
    found = list(_pieces(data, b"{"))
    return {key.strip(b'"'): value for key, value in zip(found[::2], found[1::2], strict=False)}


def elements(data: bytes) -> list[bytes]:
    """The elements of an array as they are written. Raises ValueError when it is none."""
    return list(_pieces(data, b"["))


def flattened(data: bytes) -> bytes:
    """The same with null for each value that is nested deeper than `DEPTH`."""
    out: list[bytes] = []
    depth = since = 0
    for found in _brackets(data, 0):
        if found[1] in _OPEN:
            depth += 1
            if depth == DEPTH + 1:
                out += data[since : found.start(1)], b"null"
        else:
            if depth == DEPTH + 1:
                since = found.end()
            depth -= 1
    return b"".join((*out, data[since:])) if depth <= DEPTH else data


def _pieces(data: bytes, bracket: bytes) -> Iterator[bytes]:
    """The keys and values, or elements, of the outermost value in turn."""
    at = len(data) - len(data.lstrip())
    if data[at : at + 1] != bracket:
        raise ValueError(f"it does not begin with {bracket.decode()}")
    at = _after(_BETWEEN, data, at + 1)
    while data[at : at + 1] not in (b"]", b"}"):
        end = _end(data, at) if data[at : at + 1] in (b"[", b"{") else _after(_SCALAR, data, at)
        yield data[at:end]
        at = _after(_BETWEEN, data, end)


def _end(data: bytes, at: int) -> int:
    """Where the value ends whose opening bracket is at a position."""
    depth = 0
    for found in _brackets(data, at):
        depth += 1 if found[1] in _OPEN else -1
        if depth == 0:
            return found.end()
    raise ValueError("it is cut short")


def _brackets(data: bytes, at: int) -> Iterator[re.Match[bytes]]:
    while found := _BRACKET.match(data, at):  # `finditer` would begin anew at every place where none follows
        yield found
        at = found.end()


def _after(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    if found is None:
        raise ValueError("it is cut short")
    return found.end()
