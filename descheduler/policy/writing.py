"""A policy as a file again, with remarks where people will look for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from descheduler.policy.marked_yaml import MarkedYaml
from descheduler.policy.policy import Policy
from descheduler.policy.set_values import place_of, policy_data


def policy_yaml(policy: Policy, head: Sequence[str] = (), remarks: Mapping[str, str] | None = None) -> str:
    """What was given of a policy, in the order of its sections; a file that means the same.

    `head` are lines of comment before it, `remarks` are written behind settings, by their paths as `--set` has them.
    """
    text = yaml.safe_dump(_given(policy), sort_keys=False, allow_unicode=True, width=110)
    lines, marked = text.splitlines(), MarkedYaml(text)
    for path, remark in (remarks or {}).items():
        at = marked.value_mark(place_of(policy, path)).line - 1
        lines[at] = f"{lines[at]}  # {remark}"
    return "\n".join([*(f"# {line}".rstrip() for line in head), *lines, ""])


def _given(policy: Policy) -> dict[str, Any]:
    """Without sections in which nothing is, and names that strategies have by themselves."""
    data = policy_data(policy, exclude_unset=True)
    for one in data["strategies"]:
        if one["name"] in one:
            del one["name"]
    if data.get("acting") == {"executors": {}}:
        del data["acting"]
    return data
