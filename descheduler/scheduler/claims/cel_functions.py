"""What Kubernetes adds to CEL for selectors of devices: quantities and semantic versions.

Both are maps of one key to CEL here, so that they are equal exactly where their values are. After kubernetes
staging/src/k8s.io/apiserver/pkg/cel/library quantity.go and semverlib.go, and github.com/blang/semver/v4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

from cel import stdlib

from descheduler.model.quantity import InvalidQuantity, parse_quantity

_QUANTITY, _VERSION = "~quantity", "~version"
Value = Mapping[str, str]
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)


def quantity(value: Decimal) -> Value:
    """A quantity as CEL sees it."""
    return {_QUANTITY: format(value.normalize(), "f")}


def version(text: str, normalize: bool = False) -> Value:
    """A semantic version as CEL sees it: `normalize` lets `v1.02` stand for `1.2.0`. Raises ValueError."""
    found = _normal(text) if normalize else text
    if _SEMVER.fullmatch(found) is None:
        raise ValueError(f"{text!r} is no semantic version")
    return {_VERSION: found}


def _normal(text: str) -> str:
    core, mark, rest = text.removeprefix("v").partition("-" if "-" in text else "+")
    numbers = [part.lstrip("0") or "0" for part in core.split(".")]
    return ".".join([*numbers, "0", "0"][: max(3, len(numbers))]) + mark + rest


def _is_version(text: str, normalize: bool = False) -> bool:
    return _SEMVER.fullmatch(_normal(text) if normalize else text) is not None


def _decimal(found: object) -> Decimal:
    if isinstance(found, dict) and _QUANTITY in found:
        return Decimal(found[_QUANTITY])
    if isinstance(found, int) and not isinstance(found, bool):
        return Decimal(found)
    raise ValueError("no quantity")


def _parts(found: object) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The numbers of a version, and what its pre-release consists of."""
    match = _SEMVER.fullmatch(found[_VERSION]) if isinstance(found, dict) and _VERSION in found else None
    if match is None:
        raise ValueError("no semantic version")
    before = match[4]
    return tuple(int(match[i]) for i in (1, 2, 3)), tuple(before.split(".")) if before else ()


def _compare_identifiers(a: str, b: str) -> int:
    if a.isdigit() and b.isdigit():
        return (int(a) > int(b)) - (int(a) < int(b))
    if a.isdigit() != b.isdigit():
        return -1 if a.isdigit() else 1
    return (a > b) - (a < b)


_identifier = cmp_to_key(_compare_identifiers)


def _compare(a: object, b: object) -> int:
    if isinstance(a, dict) and _VERSION in a:
        (one, before), (other, before_other) = _parts(a), _parts(b)
        if one != other or not (before and before_other):
            mine, theirs = (one, not before), (other, not before_other)
            return (mine > theirs) - (mine < theirs)
        keys, others = list(map(_identifier, before)), list(map(_identifier, before_other))
        return (keys > others) - (keys < others)
    have, want = _decimal(a), _decimal(b)
    return (have > want) - (have < want)


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except InvalidQuantity:
        return False
    return True


def _integer(found: object) -> int:
    value = _decimal(found)
    if value != value.to_integral_value():
        raise ValueError("no integer")
    return int(value)


_STRINGS = "charAt indexOf join lastIndexOf lowerAscii replace split substring trim upperAscii".split()  # noqa: SIM905
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: stdlib.STDLIB_FUNCTIONS[name] for name in _STRINGS},
    "quantity": lambda text: quantity(parse_quantity(text)),
    "isQuantity": _is_quantity,
    "sign": lambda a: (_decimal(a) > 0) - (_decimal(a) < 0),
    "isInteger": lambda a: _decimal(a) == _decimal(a).to_integral_value(),
    "asInteger": _integer,
    "asApproximateFloat": lambda a: float(_decimal(a)),
    "add": lambda a, b: quantity(_decimal(a) + _decimal(b)),
    "sub": lambda a, b: quantity(_decimal(a) - _decimal(b)),
    "semver": version,
    "isSemver": _is_version,
    "major": lambda a: _parts(a)[0][0],
    "minor": lambda a: _parts(a)[0][1],
    "patch": lambda a: _parts(a)[0][2],
    "compareTo": _compare,
    "isGreaterThan": lambda a, b: _compare(a, b) > 0,
    "isLessThan": lambda a, b: _compare(a, b) < 0,
}
"""By name; `x.f(y)` is `f(x, y)`."""
