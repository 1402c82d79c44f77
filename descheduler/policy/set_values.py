"""A policy with single values changed, each named by its path: `HotNodes.thresholds.cpu=70%`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Self

from descheduler.model.errors import PolicyError
from descheduler.model.meant import hint_at
from descheduler.policy.contradictions import Doubt, contradictions
from descheduler.policy.loading import policy_of
from descheduler.policy.marked_yaml import Json, Loc, Mark, MarkedProblem, MarkedYaml, path_of
from descheduler.policy.naming import misnamed, parts
from descheduler.policy.policy import Policy, StrategyChoice

_PATH = re.compile(r"(?:\.?[^.\[\]=]+|\[[^\]]+\])+")
_PART = re.compile(r"\.?([^.\[\]]+)|\[([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value of a policy by its path, both as they are typed.

    The parts of `path` are joined by dots; one in brackets is the position in a list, or a key that has dots in it:
    `pools[0].name`, `freshness.kinds[ray.io/RayCluster]`. A path that begins with the name of a strategy leads to its
    arguments. `value` is YAML, as in a policy file.
    """

    path: str
    value: str

    @classmethod
    def of(cls, text: str, option: str = "--set") -> Self:
        """`limits.perCycle=120`. Raises PolicyError, with `option` before what was typed."""
        path = _PATH.match(text)
        if path is None or text[path.end() : path.end() + 1] != "=":
            raise PolicyError((f"{option} {text}: must be PATH=VALUE, such as limits.perCycle=120",))
        return cls(path[0].strip(), text[path.end() + 1 :].strip())

    def __str__(self) -> str:
        return f"{self.path}={self.value}"


def with_values(policy: Policy, settings: Sequence[Setting], option: str = "--set") -> Policy:
    """The policy with these values in place of its own, all of them together checked as a policy file is.

    What else is in a section or a mapping stays, also where the policy leaves it to the defaults.

    Raises:
        PolicyError: with every problem, each as `option path=value: message`.
    """
    change = _Change(policy, option)
    for setting in settings:
        change.set(setting)
    return change.policy() if settings else policy


def newly_doubted(before: Policy, after: Policy) -> tuple[str, ...]:
    """What is hardly meant of a policy, and was not of the one that it was made from; each as `path: message`."""
    known = set(_doubts(before))
    return tuple(f"{path_of(loc)}: {message}" for loc, message in _doubts(after) if (loc, message) not in known)


def _doubts(policy: Policy) -> Iterator[Doubt]:
    yield from contradictions(policy)
    for loc, part in parts(policy):
        yield from (((*loc, *one.loc), one.message) for one in misnamed(part) if not one.certain)


def place_of(policy: Policy, path: str) -> Loc:
    """Where a path as it is typed leads in the document of a policy. Raises PolicyError when it leads nowhere."""
    return _Change(policy, "--set").place(Setting(path, ""))


class _Change:
    """A policy as data in which values are set."""

    def __init__(self, policy: Policy, option: str) -> None:
        self._policy = policy
        self._option = option
        self._data: Json = policy_data(policy, exclude_unset=True)
        self._whole: Json = policy_data(policy)
        self._settings: dict[str, Setting] = {}  # by the path in the document

    def set(self, setting: Setting) -> None:
        loc = self.place(setting)
        if path_of(loc) in self._settings:
            raise self._error(setting, "is set twice")
        self._settings[path_of(loc)] = setting
        try:
            self._data = _replaced(self._data, self._whole, loc, self._value(setting))
        except LookupError as error:
            raise self._error(setting, str(error.args[0])) from None

    def policy(self) -> Policy:
        return policy_of(_Data(self._data), self._told)

    def place(self, setting: Setting) -> Loc:
        """Where in the document the value is; a strategy is found by its name, or its kind where one alone has it."""
        parts = [key or (int(inner) if inner.isdecimal() else inner) for key, inner in _PART.findall(setting.path)]
        first, choices = str(parts[0]), self._policy.strategies
        sections = [str(field.alias) for field in Policy.model_fields.values()]
        if first in sections:
            return tuple(parts)
        named = [i for i, one in enumerate(choices) if one.name == first]
        named = named or [i for i, one in enumerate(choices) if one.strategy == first]
        if len(named) > 1:
            raise self._error(setting, f"several strategies are {first}: {', '.join(choices[i].name for i in named)}")
        if not named:
            hint = hint_at(first, [*(one.name for one in choices), *sections])
            raise self._error(setting, f"the policy has no section and no strategy {first}{hint}")
        return ("strategies", named[0], choices[named[0]].strategy, *parts[1:])

    def _value(self, setting: Setting) -> Json:
        if not setting.value:
            raise self._error(setting, 'a value is missing; null and "" are values too')
        read = MarkedYaml(setting.value)
        if read.problems:
            raise PolicyError(tuple(self._text(setting, problem.message) for problem in read.problems))
        return read.data

    def _told(self, problem: MarkedProblem) -> str:
        """The problem with the option that it comes from: what was set there, else within or around it."""
        near = {path: one for path, one in self._settings.items() if _inside(problem.path, path)}
        near = near or {path: one for path, one in self._settings.items() if _inside(path, problem.path)}
        path, setting = next(reversed((near or self._settings).items()))
        message = problem.message if problem.path == path else f"{problem.path}: {problem.message}"
        return self._text(setting, message)

    def _text(self, setting: Setting, message: str) -> str:
        return f"{self._option} {setting}: {message}"

    def _error(self, setting: Setting, message: str) -> PolicyError:
        return PolicyError((self._text(setting, message),))


@dataclass(frozen=True, slots=True)
class _Data:
    """A document that is data alone: nothing of it has a place in a text."""

    data: Json
    problems: tuple[MarkedProblem, ...] = ()

    def mark(self, loc: Loc) -> Mark:
        return Mark()

    def value_mark(self, loc: Loc) -> Mark:
        return Mark()

    def has(self, loc: Loc) -> bool:
        return not loc or loc[-1] in _children(reduce(_child, loc[:-1], self.data))


def policy_data(policy: Policy, **which: Any) -> dict[str, Any]:
    """The policy as its file has it; whole, or only what was given."""
    data: dict[str, Json] = policy.model_dump(mode="json", by_alias=True, **which)
    named = {"apiVersion": policy.api_version, "kind": policy.kind}
    return {**named, **data, "strategies": [_use(one, **which) for one in policy.strategies]}


def _use(one: StrategyChoice, **which: Any) -> Json:
    args = one.args.model_dump(mode="json", by_alias=True, **which)
    own = one.protections.model_dump(mode="json", by_alias=True, **which) if one.protections is not None else None
    reported = {"reportOnly": True} if one.report_only else {}
    return {"name": one.name, one.strategy: args, **({} if own is None else {"protections": own}), **reported}


def _replaced(old: Json, by_default: Json, loc: Loc, value: Json) -> Json:
    """The data with a value at a place; LookupError, with a sentence, where there can be none."""
    if not loc:
        return value
    old = by_default if old is None else old
    part, rest = loc[0], loc[1:]
    new = _replaced(_child(old, part), _child(by_default, part), rest, value)
    if isinstance(old, list):
        if not isinstance(part, int) or part >= len(old):
            raise LookupError(f"there is no item {part} in a list of {len(old)}")
        return [*old[:part], new, *old[part + 1 :]]
    if not isinstance(old, dict | None):
        raise LookupError(f"there is no {part} in the value {old}")
    return {**(old or {}), str(part): new}


def _child(value: Json, part: str | int) -> Json:
    """What is there in a mapping or a list, None where nothing is."""
    if isinstance(value, dict):
        return value.get(str(part))
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None


def _children(value: Json) -> Sequence[str | int]:
    if isinstance(value, dict):
        return list(value)
    return range(len(value)) if isinstance(value, list) else ()


def _inside(inner: str, outer: str) -> bool:
    """Whether a path is another one, or leads into it."""
    return not outer or inner == outer or inner.startswith((f"{outer}.", f"{outer}["))
