"""What a policy says, value by value, and which of it is not the default."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from descheduler.model.format import duration
from descheduler.model.plan_reading import SettingRow
from descheduler.model.secrets import hidden
from descheduler.policy.policy import Policy

_NOTHING = "–"
_MAY_BE_SECRET = frozenset({"headers", "params"})  # told by their names alone
_BY_NAME = frozenset({"api_version", "kind", "strategies"})


def setting_rows(policy: Policy) -> tuple[SettingRow, ...]:
    """Every value by its path as `--set` has it, those of strategies behind the name of their use."""
    rows = list(_rows(policy, ""))
    for choice in policy.strategies:
        rows += _rows(choice.args, choice.name) or [SettingRow(choice.name, choice.strategy, _NOTHING)]
        if choice.report_only:
            rows.append(SettingRow(f"{choice.name}.reportOnly", _text(True), _text(False)))
        if choice.protections is not None:
            rows += _rows(choice.protections, f"{choice.name}.protections")
    return tuple(rows)


def _rows(section: BaseModel, path: str) -> list[SettingRow]:
    out: list[SettingRow] = []
    for name, field in type(section).model_fields.items():
        if isinstance(section, Policy) and name in _BY_NAME:
            continue
        here = ".".join(filter(None, (path, field.alias or name)))
        value, default = getattr(section, name), _default(field)
        if isinstance(value, BaseModel) and (default is None or isinstance(default, BaseModel)):
            inner = _rows(value, here)
            out += inner if type(default) is type(value) else [_given(row) for row in inner]
        else:
            told = list(value) if name in _MAY_BE_SECRET else value
            out.append(SettingRow(here, _text(told), "" if value == default else _text(default)))
    return out


def _default(field: FieldInfo) -> Any:
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _given(row: SettingRow) -> SettingRow:
    """Of a section that is not there by default every value is given."""
    return row if row.default else SettingRow(row.path, row.value, _NOTHING)


def _text(value: Any) -> str:
    """A value in a line, as a policy has it."""
    return hidden(", ".join(_parts(value))) or _NOTHING


def _parts(value: Any) -> Iterator[str]:
    match value:
        case None | "":
            return
        case bool():
            yield str(value).lower()
        case timedelta():
            yield duration(value)
        case BaseModel():
            fields = type(value).model_fields.items()
            named = [(field.alias, getattr(value, name), _default(field)) for name, field in fields]
            yield " ".join(f"{name}: {_text(inner)}" for name, inner, default in named if inner != default)
        case dict():
            yield from (f"{key}: {_text(inner)}" for key, inner in value.items())
        case tuple() | list() | set() | frozenset():
            yield from (_text(one) for one in (value if isinstance(value, (tuple, list)) else sorted(value)))
        case _:
            yield str(value)
