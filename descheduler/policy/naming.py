"""The names in a policy, and those of them that can be told to be wrong without looking at a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from descheduler.contract.naming import Names
from descheduler.kube.convert.kinds import CORE, KINDS, OPTIONAL
from descheduler.model.meant import did_you_mean, hint_at, nearest
from descheduler.policy.marked_yaml import Loc
from descheduler.policy.policy import Policy
from descheduler_profiling.history.signals import SOURCES, builtin_signals

LOADS = ("cpu", "memory")
_NATIVE = ("cpu", "memory", "ephemeral-storage", "pods")
_METRIC = "MetricResource"  # what a Prometheus query measures, as kubernetes-sigs/descheduler calls it
_EXTENDED = "; extended ones have a domain, such as nvidia.com/gpu"
_HUGE = "hugepages-"
_ALIKE = 0.8  # of 1: who may be anybody is only told from his neighbours where he is nearly one of them
_OUTSIDE_TEXTS = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`|#[^\n]*|\$\{?(\w+)')
_PLACEHOLDERS = ("window", "match", *SOURCES)


@dataclass(frozen=True, slots=True)
class Named:
    """A name in a policy: where it is, and what it is the name of."""

    loc: Loc
    what: Names
    text: str


@dataclass(frozen=True, slots=True)
class Misnamed:
    """A name that is wrong. `certain`: nothing is called so; otherwise something else was meant, most likely."""

    loc: Loc
    message: str
    certain: bool = True


def parts(policy: Policy) -> Iterator[tuple[Loc, BaseModel]]:
    """What a policy is written in: the whole without its strategies, their arguments, and the protections of each."""
    yield (), policy
    for i, use in enumerate(policy.strategies):
        yield ("strategies", i, use.strategy), use.args
        if use.protections is not None:
            yield ("strategies", i, "protections"), use.protections


def sections(policy: Policy) -> Iterator[tuple[Loc, BaseModel]]:
    """Every section that was written, however deep, with its place."""
    for loc, part in parts(policy):
        yield from _sections(part, loc)


def _sections(section: BaseModel, loc: Loc) -> Iterator[tuple[Loc, BaseModel]]:
    yield loc, section
    for name in sorted(section.model_fields_set - {"strategies"}):
        here = (*loc, type(section).model_fields[name].alias or name)
        value = getattr(section, name)
        inner = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple | list) else ()
        )
        for part, one in (((), value), *(((key,), one) for key, one in inner)):
            if isinstance(one, BaseModel):
                yield from _sections(one, (*here, *part))


def named(section: BaseModel) -> Iterator[Named]:
    """Every name that a section says, with its place as the file has it; not those of its defaults."""
    for name, field in type(section).model_fields.items():
        if name == "strategies" or getattr(section, name) == field.get_default(call_default_factory=True):
            continue
        annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        yield from _named(annotation, getattr(section, name), (field.alias or name,))


def misnamed(section: BaseModel) -> Iterator[Misnamed]:
    """The names in a section that are wrong whatever the cluster."""
    for one in named(section):
        found = _wrong(one)
        if found is not None:
            yield found


def _named(annotation: Any, value: Any, loc: Loc) -> Iterator[Named]:
    """The names in a value of a type; of a union those of each member that the value may be."""
    if isinstance(value, BaseModel):
        yield from (Named((*loc, *one.loc), one.what, one.text) for one in named(value))
        return
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        what = next((one for one in arguments[1:] if isinstance(one, Names)), None)
        if what is not None and isinstance(value, str):
            yield Named(loc, what, value)
        else:
            yield from _named(arguments[0], value, loc)
    elif isinstance(value, Mapping) and len(arguments) == 2:
        for key, item in value.items():
            yield from _named(arguments[0], key, (*loc, key))
            yield from _named(arguments[1], item, (*loc, key))
    elif isinstance(value, list | tuple) and arguments and get_origin(annotation) in (list, tuple):
        for i, item in enumerate(value):
            yield from _named(arguments[0], item, (*loc, i))
    else:
        for one in arguments:
            yield from _named(one, value, loc)


def _wrong(one: Named) -> Misnamed | None:
    match one.what:
        case Names.LOAD if one.text not in LOADS:
            return Misnamed(one.loc, f"no load is known of {one.text}{hint_at(one.text, LOADS)}")
        case Names.RESOURCE if not _is_resource(one.text):
            return Misnamed(
                one.loc, f"no resource is named {one.text}{did_you_mean(one.text, _NATIVE, _ALIKE) or _EXTENDED}"
            )
        case Names.SIGNAL if one.text not in builtin_signals():
            mine = "; a signal of your own goes under history.signals"
            meant = did_you_mean(one.text, builtin_signals()) or mine
            return Misnamed(one.loc, f"no built-in signal is named {one.text}{meant}")
        case Names.READ_KIND if one.text not in KINDS:
            return Misnamed(one.loc, f"no kind that is read is named {one.text}{did_you_mean(one.text, KINDS)}")
        case Names.OWNER_KIND if one.text.rpartition("/")[2] not in owner_kinds():
            meant = nearest(one.text.rpartition("/")[2], owner_kinds(), _ALIKE)
            return Misnamed(one.loc, f"is {meant} meant? No {one.text} is known", certain=False) if meant else None
        case Names.QUERY:
            return _query(one)
    return None


def _is_resource(text: str) -> bool:
    return text in (*_NATIVE, _METRIC) or text.startswith(_HUGE) or "/" in text


def _query(one: Named) -> Misnamed | None:
    """A placeholder that nothing is put in the place of; `$1` in a text of PromQL is none."""
    found = (match[1] for match in _OUTSIDE_TEXTS.finditer(one.text))
    wrong = next((word for word in found if word and word not in _PLACEHOLDERS), None)
    if wrong is None:
        return None
    meant = nearest(wrong, _PLACEHOLDERS)
    hint = f" (did you mean ${meant}?)" if meant else f"; there are ${', $'.join(_PLACEHOLDERS)}"
    return Misnamed(one.loc, f"nothing is put in the place of ${wrong}{hint}")


@cache
def owner_kinds() -> frozenset[str]:
    """Kinds of controllers that are known; there are others."""
    return frozenset(kind.name for kind in (*CORE, *OPTIONAL)) | {"ReplicationController", "CloneSet", "Workflow"}
