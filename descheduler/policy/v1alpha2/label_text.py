"""Selectors in one text, as `kubectl -l` has them: `pool=general,zone in (a,b),!spot`.

Source: k8s.io/apimachinery pkg/labels/selector.go (Parse).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from descheduler.policy.selecting import NodeExpression, NodeSelector

_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_ONE = re.compile(
    rf"\s*(?:(?P<no>!)\s*(?P<absent>{_KEY})"
    rf"|(?P<key>{_KEY})(?:\s+(?P<among>in|notin)\s*\((?P<values>[^()]*)\)"
    rf"|\s*(?P<sign>==|=|!=|>|<)\s*(?P<value>{_VALUE}))?)\s*(?:,(?=\s*\S)|$)"
)
_SIGNS = {"=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt"}
_AMONG = {"in": "In", "notin": "NotIn"}


def node_selector(text: str) -> NodeSelector | None:
    """What the text selects; None when it is empty, which selects everything. Raises ValueError."""
    found = list(_requirements(text))
    exact = {one.key: one.values[0] for one in found if one.operator == "In" and len(one.values) == 1}
    others = [one for one in found if one.operator != "In" or exact.get(one.key) != "".join(one.values)]
    if not found:
        return None
    given = {"match_labels": exact} if exact else {}
    return NodeSelector.model_validate({**given, **({"match_expressions": tuple(others)} if others else {})})


def _requirements(text: str) -> Iterator[NodeExpression]:
    at = 0
    while at < len(text.rstrip()):
        one = _ONE.match(text, at)
        if one is None:
            raise ValueError(f"is no selector of labels from {text[at:].strip()!r} on; such as pool=general,!spot")
        at = one.end()
        if one["no"]:
            yield NodeExpression(key=one["absent"], operator="DoesNotExist")
        elif one["among"]:
            yield _expression(one["key"], _AMONG[one["among"]], tuple(_values(one["values"])))
        elif one["sign"]:
            yield _expression(one["key"], _SIGNS[one["sign"]], (one["value"],))
        else:
            yield NodeExpression(key=one["key"], operator="Exists")


def _values(text: str) -> Iterator[str]:
    for value in dict.fromkeys(part.strip() for part in text.split(",")):
        if not re.fullmatch(_VALUE, value):
            raise ValueError(f"{value!r} is no value of a label")
        yield value


def _expression(key: str, operator: str, values: tuple[str, ...]) -> NodeExpression:
    return NodeExpression.model_validate({"key": key, "operator": operator, "values": values})
