"""The default policy, written from the models: every setting with its default and what it means."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, Final

import yaml
from pydantic import BaseModel

from descheduler.contract.registry import STRATEGIES
from descheduler.policy.loading import load_policy
from descheduler.policy.policy import API_VERSION, KIND, Policy

STRATEGIES_OF_IT: Final = ("HotNodes", "GpuDefragmentation", "IdleGpu")
"""What is looked for where nobody says."""
REPORTED: Final = ("PartialGangs", "QuotaReclaim")
"""What is looked for too, and only reported; without gangs, or quotas, they find nothing."""
SCHEMA_FILE: Final = "policy.v1alpha1.json"
_HEAD: Final = f"""\
# yaml-language-server: $schema={SCHEMA_FILE}
#
# Every setting with its default. Whatever is left out keeps it; a key that is not known is an error.
# Durations: 30s, 5m, 1h30m, 7d. Fractions: 0.75 or 75%.
# Editors check this file while it is written, with `descheduler policy schema > {SCHEMA_FILE}` beside it.
apiVersion: {API_VERSION}
kind: {KIND}
"""
_WIDTH: Final = 118
_APART: Final = {"api_version", "kind", "strategies"}  # fields that are not written as all others


def default_policy_text(*strategies: str) -> str:
    """The default policy as commented YAML; with these strategies instead of its own.

    What a strategy cannot do without stands there as a comment, for whoever uses it must say it.

    Raises:
        StrategyError: there is no such strategy, or it cannot be loaded.
    """
    lines = [_HEAD.rstrip("\n")]
    for name, field in Policy.model_fields.items():
        if name not in _APART:
            lines += ["", *_setting(Policy(), name, field.alias or name, 0)]
    lines += ["", "# What to look for. `name` beside a strategy tells two uses of it apart.", "strategies:"]
    for strategy in strategies or (*STRATEGIES_OF_IT, *REPORTED):
        model = STRATEGIES.load(strategy).Args
        lines += [*_comment(model.__doc__ or "", 2), f"  - {strategy}:", *_settings(model.model_construct(), 6)]
        if not strategies and strategy in REPORTED:
            lines += ["    # Only told, not done: leave it out when its reports have convinced you."]
            lines += ["    reportOnly: true"]
    return "\n".join([*lines, ""])


def default_policy() -> Policy:
    """What is used when the user gives no policy."""
    return load_policy(default_policy_text(), "default.yaml")


def _settings(section: BaseModel, indent: int) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        yield from _setting(section, name, field.alias or name, indent)


def _setting(section: BaseModel, name: str, key: str, indent: int) -> Iterator[str]:
    """What one setting means, and the setting with its value; a section with all that is in it."""
    field, blank = type(section).model_fields[name], " " * indent
    yield from _comment(field.description or "", indent)
    if field.is_required():
        yield f"{blank}# {key}:    # needed"
        return
    value = getattr(section, name)
    if isinstance(value, BaseModel):
        yield f"{blank}{key}:"
        yield from _settings(value, indent + 2)
    else:
        yield f"{blank}{key}: {_inline(section.model_dump(mode='json', by_alias=True, include={name})[key])}"


def _inline(value: Any) -> str:
    """A value as YAML in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).removesuffix("...\n").strip()


def _comment(text: str, indent: int) -> Iterator[str]:
    start = f"{' ' * indent}# "
    yield from textwrap.wrap(" ".join(text.split()), _WIDTH, initial_indent=start, subsequent_indent=start)
