"""A document on its way to a policy: what is wrong with it is collected, each problem at its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from descheduler.contract import PluginArgs
from descheduler.contract.registry import Registry
from descheduler.model.errors import DeschedulerError, PolicyError
from descheduler.model.meant import did_you_mean
from descheduler.policy.hints import allowed_words, known_keys, sentence
from descheduler.policy.marked_yaml import Json, Loc, Mark, MarkedProblem, path_of
from descheduler.policy.naming import misnamed
from descheduler.policy.schema import schema_of

Model = TypeVar("Model", bound=BaseModel)
Told = Callable[[MarkedProblem], str]
"""How a problem is put."""

_SHOWN = 80  # characters of a wrong value in a message


class Document(Protocol):
    """A policy as data, and where in a text its values are."""

    @property
    def data(self) -> Json: ...
    @property
    def problems(self) -> Sequence[MarkedProblem]: ...
    def mark(self, loc: Loc) -> Mark: ...
    def value_mark(self, loc: Loc) -> Mark: ...
    def has(self, loc: Loc) -> bool: ...


class Reader:
    """Validates parts of one document, collecting problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems = list(document.problems)
        self.doubts: list[MarkedProblem] = []  # what is not wrong for sure, and hardly meant

    def fail(self, told: Told) -> None:
        """Raises PolicyError when there is any problem, with all of them in the order of the text."""
        if self.problems:
            raise PolicyError(tuple(dict.fromkeys(map(told, sorted(set(self.problems))))))

    def doubted(self, told: Told) -> tuple[str, ...]:
        """The doubts, in the order of the text."""
        return tuple(dict.fromkeys(map(told, sorted(set(self.doubts)))))

    def doubt(self, loc: Loc, message: str) -> None:
        """What is at a place is hardly what was meant."""
        self.doubts.append(MarkedProblem(self.document.mark(loc), path_of(loc), message))

    def add(self, loc: Loc, message: str, *, at_value: bool = False) -> None:
        """There is something wrong with what is at a place."""
        mark = self.document.value_mark(loc) if at_value else self.document.mark(loc)
        if any(mark == known.mark for known in self.document.problems):
            return  # the value is none, and that is told already
        self.problems.append(MarkedProblem(mark, path_of(loc), message))

    def unknown_key(self, loc: Loc, hint: str) -> None:
        """There is a key that nobody knows."""
        self.add(loc, f"is not a known key{hint}")

    def arguments(self, written: Json, name: str, loc: Loc, registry: Registry[Any], noun: str) -> PluginArgs | None:
        """The arguments of a plug-in, as its own model has them; None when there is none, or they are wrong."""
        plugin = self.plugin(name, loc, registry, noun)
        if plugin is None:
            return None
        if written is not None and not isinstance(written, dict):
            self.add(loc, "must be a mapping of arguments", at_value=True)
            return None
        return self.validated(plugin.Args, written or {}, loc, schema_of(plugin.Args))

    def plugin(self, name: str, loc: Loc, registry: Registry[Any], noun: str, *, at_value: bool = False) -> Any:
        """The installed plug-in of this name, None when there is none."""
        try:
            installed = registry.available()
            if name in installed:
                return registry.load(name)
            known = f"; installed: {', '.join(installed)}" if installed else ""
            self.add(loc, f"no {noun} is named {name}{did_you_mean(name, installed) or known}", at_value=at_value)
        except DeschedulerError as error:
            self.add(loc, str(error), at_value=at_value)
        return None

    def validated(self, model: type[Model], data: Json, base: Loc, schema: dict[str, Any]) -> Model | None:
        """The data at `base` as the model has it; `schema` is the model's, from which hints come."""
        try:
            # As JSON: strict, and still a list may become a tuple.
            made = model.model_validate_json(json.dumps(data), strict=True, by_alias=True, by_name=False)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                self._invalid(found["type"], found["msg"], found.get("ctx", {}), found["loc"], base, schema)
            return None
        for wrong in misnamed(made):
            (self.add if wrong.certain else self.doubt)((*base, *wrong.loc), wrong.message)
        return made

    def _invalid(
        self, kind: str, message: str, context: dict[str, Any], loc: Loc, base: Loc, schema: dict[str, Any]
    ) -> None:
        """One error of the validator, put where it is in the text."""
        inside = self._written(loc, base)
        if kind == "extra_forbidden":
            hint = did_you_mean(str(inside[-1]), known_keys(schema, inside[:-1]))
            self.unknown_key((*base, *inside), hint)
        elif kind in ("literal_error", "enum"):
            words = allowed_words(schema, inside)
            value = self.value((*base, *inside))
            hint = did_you_mean(str(value), words)
            text = f"must be one of {', '.join(words)}" if words else sentence(kind, message, context)
            self.add((*base, *inside), f"{text}, not {short(value)}{hint}", at_value=True)
        elif kind == "missing":
            self.add((*base, *inside), sentence(kind, message, context))
        else:
            self.add((*base, *inside), sentence(kind, message, context), at_value=True)

    def _written(self, loc: Loc, base: Loc) -> Loc:
        """A validator's location without what is not in the text: tags of unions, `[key]` of mappings."""
        out: Loc = ()
        for i, part in enumerate(loc):
            if part == "[key]":
                continue
            if self.document.has((*base, *out, part)) or i == len(loc) - 1:
                out = (*out, part)
        return out

    def value(self, loc: Loc) -> Json:
        """What is written at a place, None where nothing is."""
        value = self.document.data
        for part in loc:
            value = value[part] if isinstance(value, (dict, list)) else None  # type: ignore[index]
        return value


def short(value: Json) -> str:
    """A wrong value, as far as a message shows it."""
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
