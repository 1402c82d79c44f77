"""From what a validator says to what a person can use: the keys that there are, the words that are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from descheduler.model.format import duration
from descheduler.policy.marked_yaml import Loc

Schema = Mapping[str, Any]

_PLAIN = {
    "missing": "is required",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be a text; put it in quotes",
    "string_too_short": "must not be empty",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "path_type": "must be the path of a file",
    "is_instance_of": "must be the path of a file",
    "finite_number": "must be a finite number",
}


def known_keys(schema: Schema, loc: Loc) -> list[str]:
    """The keys that the mapping at `loc` may have, by a JSON schema; empty when any may be."""
    keys: list[str] = []
    for found in _at(schema, schema, loc):
        keys += [k for k in found.get("properties", {}) if k not in keys]
    return keys


def allowed_words(schema: Schema, loc: Loc) -> list[str]:
    """The words that the value at `loc` may be; empty when it is not one of a few."""
    words: list[str] = []
    for found in _at(schema, schema, loc):
        words += [str(w) for w in (*found.get("enum", ()), *([found["const"]] if "const" in found else []))]
    return words


def sentence(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """A pydantic error as a short sentence of one style."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", message))
    for limit, word in (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than")):
        if limit in context:
            return f"must be {word} {_plain(context[limit])}"
    if kind in ("too_short", "too_long"):
        if context.get("min_length") == 1:
            return "must not be empty"
        bound = "at least" if kind == "too_short" else "at most"
        return f"needs {bound} {context.get('min_length', context.get('max_length'))}"
    return message[:1].lower() + message[1:]


def _plain(value: object) -> str:
    if isinstance(value, timedelta):
        return duration(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _at(root: Schema, schema: Schema, loc: Loc) -> list[Schema]:
    """All schemas that may hold at `loc`."""
    found = _alternatives(root, schema)
    for part in loc:
        found = [deeper for one in found for deeper in _alternatives(root, _child(one, part))]
    return found


def _child(schema: Schema, part: str | int) -> Schema:
    if isinstance(part, int):
        items = schema.get("items")
        return items if isinstance(items, Mapping) else {}
    child = schema.get("properties", {}).get(part, schema.get("additionalProperties"))
    return child if isinstance(child, Mapping) else {}


def _alternatives(root: Schema, schema: Schema) -> list[Schema]:
    """The schema with references followed and choices laid out."""
    if "$ref" in schema:
        target = root.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
        return _alternatives(root, target)
    choices = [c for word in ("anyOf", "oneOf", "allOf") for c in schema.get(word, ())]
    return [schema, *(deeper for choice in choices for deeper in _alternatives(root, choice))]
