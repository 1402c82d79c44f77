"""What a valid policy says that can hardly be meant: parts of it that speak against one another, so that something
never comes to pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from fnmatch import fnmatchcase

from descheduler.contract.selecting import LabelChoice
from descheduler.model.bounds import integer_of
from descheduler.model.format import duration
from descheduler.model.selectors import Operator, Requirement
from descheduler.policy.marked_yaml import Loc
from descheduler.policy.naming import sections
from descheduler.policy.policy import Policy
from descheduler.policy.protections import Namespaces
from descheduler.policy.selecting import NodeSelector

Doubt = tuple[Loc, str]
_CONFIRMED = timedelta(minutes=2)  # kube-apiserver sends bookmarks to quiet watches every minute or so


def contradictions(policy: Policy) -> Iterator[Doubt]:
    """Each with its place."""
    yield from _limits(policy)
    yield from _pools(policy)
    yield from _times(policy)
    yield from _namespaces(policy.protections.namespaces, ("protections", "namespaces"))
    yield from _selectors(policy)
    yield from _of_strategies(policy)


def _limits(policy: Policy) -> Iterator[Doubt]:
    limits = policy.limits
    for name, field in type(limits).model_fields.items():
        if getattr(limits, name) == 0:
            yield ("limits", str(field.alias)), "0: nothing is ever moved"
    if isinstance(limits.per_cycle, int) and isinstance(limits.per_hour, int) and limits.per_cycle > limits.per_hour:
        yield ("limits", "perCycle"), f"{limits.per_cycle} is more than perHour {limits.per_hour} lets move"
    for resource, level in policy.proof.max_load.items():
        if level == 0:
            yield ("proof", "maxLoad", resource), "0: no node may take a pod"


def _pools(policy: Policy) -> Iterator[Doubt]:
    """A pool that comes after one with fewer of the same labels gets no node."""
    for i, pool in enumerate(policy.pools):
        wider = (one for one in policy.pools[:i] if one.node_selector.items() <= pool.node_selector.items())
        first = next(wider, None)
        if first is not None:
            yield ("pools", i), f"gets no node: all that match belong to {first.name}, which comes before it"


def _times(policy: Policy) -> Iterator[Doubt]:
    history, freshness = policy.history, policy.freshness
    if history.max_staleness < history.step:
        yield ("history", "maxStaleness"), f"is less than a step of {duration(history.step)}: no history is ever fresh"
    for loc, age in (
        (("freshness", "maxAge"), freshness.max_age),
        *((("freshness", "kinds", kind), age) for kind, age in freshness.kinds.items()),
    ):
        if age < _CONFIRMED:
            yield loc, f"{duration(age)}: an API server confirms a quiet watch every minute or two, and it is too old"
    if policy.cooldown.quarantine < policy.cooldown.unit:
        yield ("cooldown", "quarantine"), "is shorter than the cooldown of a single move (unit)"


def _namespaces(chosen: Namespaces, loc: Loc) -> Iterator[Doubt]:
    """An included namespace that is excluded as well."""
    for i, name in enumerate(chosen.include):
        if any(fnmatchcase(name, pattern) for pattern in chosen.exclude):
            yield (*loc, "include", i), f"{name} is excluded too, which wins: its pods stay"


def _selectors(policy: Policy) -> Iterator[Doubt]:
    """Selectors that nothing can match."""
    for loc, section in sections(policy):
        if isinstance(section, LabelChoice | NodeSelector):
            key = _torn(section.selector().requirements)
            if key:
                yield loc, f"nothing can match: what it asks of {key} speaks against itself"


def _of_strategies(policy: Policy) -> Iterator[Doubt]:
    for i, use in enumerate(policy.strategies):
        loc: Loc = ("strategies", i, use.strategy)
        yield from (((*loc, *place), message) for place, message in use.args.doubts())
        window, least = getattr(use.args, "window", None), getattr(use.args, "min_duration", None)
        if isinstance(window, timedelta) and window > policy.history.window:
            yield (*loc, "window"), f"is longer than history.window {duration(policy.history.window)}"
        horizon = getattr(use.args, "horizon", None)
        if isinstance(least, timedelta) and isinstance(horizon, timedelta) and least > horizon:
            yield (*loc, "minDuration"), f"is longer than the horizon {duration(horizon)}: no forecast reaches it"
        chosen = getattr(use.args, "namespaces", None)
        kept = (use.protections or policy.protections).namespaces.exclude
        for name in getattr(chosen, "include", ()):
            if any(fnmatchcase(name, pattern) for pattern in kept):
                yield (*loc, "namespaces"), f"{name} is excluded by the protections: its pods stay"


def _torn(requirements: Iterable[Requirement]) -> str:
    """The key of which no value, nor that it is missing, meets all requirements; empty when there is none."""
    by_key: dict[str, list[Requirement]] = {}
    for one in requirements:
        by_key.setdefault(one.key, []).append(one)
    return next((key for key, asked in by_key.items() if not _can_match(key, asked)), "")


def _can_match(key: str, asked: list[Requirement]) -> bool:
    if all(one.matches({}) for one in asked):
        return True
    values = [value for one in asked for value in one.values]
    numbers = [number for value in values if (number := integer_of(value)) is not None]
    tried = {*values, "\0", *(str(n + step) for n in numbers for step in (-1, 1))}  # \0: a value that nobody names
    if any(one.operator in (Operator.GT, Operator.LT) for one in asked):
        tried.discard("\0")
    return any(all(one.matches({key: value}) for one in asked) for value in tried)
