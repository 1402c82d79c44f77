"""What Kubernetes adds to the language of CEL for selectors of devices, in the words of its core: `cel.bind`, and
fields that may be absent (github.com/google/cel-go ext/bindings.go, cel/library.go).
"""

from __future__ import annotations

import re
from typing import Final

STRING: Final = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
"""A string in an expression."""

_BIND = "cel.bind("
# `x.?name` and `x[?"name"]`, with what may come next: what an optional value can be asked, and no field of it.
_FIELD = re.compile(
    r"""(?:\.\?\s*(?P<field>[A-Za-z_]\w*)|\[\?\s*(?P<key>"\w+"|'\w+')\s*\])"""
    r"(?=\s*(?:\.\s*(?:orValue|hasValue|value|or)\s*\(|[^\s.\[(]|$))"
)
_OWNER = re.compile(r"""[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*|\[\s*(?:"[^"\\\]]*"|'[^'\\\]]*')\s*\])*\s*$""")


def in_core_words(expression: str) -> str:
    """The expression without them. What cannot be said so is left as it is, and cannot be compiled then."""
    return _without_optionals(_unbound(expression))


def _without_optionals(expression: str) -> str:
    quoted = _quoted(expression)
    for found in _FIELD.finditer(expression):
        owner = _OWNER.search(expression[: found.start()])
        if found.start() in quoted or owner is None or re.fullmatch(r"device\s*\.\s*\w+\s*", owner[0]):
            continue  # not of `device` itself or of all its domains, which have an answer for each
        before, of = expression[: owner.start()], owner[0].strip()
        key = found["key"] or f'"{found["field"]}"'
        whole = f"({key} in {of} ? optional.of({of}[{key}]) : optional.none())"
        return _without_optionals(before + whole + expression[found.end() :])
    return expression


def _unbound(expression: str) -> str:
    """`cel.bind(name, value, body)` in the words of the core language."""
    start = expression.find(_BIND)
    if start < 0:
        return expression
    parts, end = _arguments(expression, start + len(_BIND))
    if len(parts) != 3:
        return expression
    name, value, body = parts
    whole = f"[{value}].map({name.strip()}, {body})[0]"
    return _unbound(expression[:start] + whole + expression[end:])


def _arguments(text: str, at: int) -> tuple[list[str], int]:
    """What stands between commas until the bracket that closes, and the position after it."""
    depth, start = 0, at
    out: list[str] = []
    quoted = _quoted(text)
    for i in range(at, len(text)):
        if i in quoted:
            continue
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            if depth == 0:
                return [*out, text[start:i]], i + 1
            depth -= 1
        elif text[i] == "," and depth == 0:
            out.append(text[start:i])
            start = i + 1
    return [], len(text)


def _quoted(text: str) -> set[int]:
    """Positions that are within strings."""
    return {p for found in STRING.finditer(text) for p in range(*found.span())}
