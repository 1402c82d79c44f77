"""A policy as a file again, with remarks where people will look for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from descheduler.policy.marked_yaml import Json, MarkedYaml
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


def _given(policy: Policy) -> Json:
    """Without sections in which nothing is, and names that strategies have by themselves."""
    data = policy_data(policy, exclude_unset=True)
    if not isinstance(data, dict):
        return data
    strategies = [
        {key: value for key, value in one.items() if key != "name" or value not in one}
        for one in data.get("strategies") or []
        if isinstance(one, dict)
    ]
    kept = {key: value for key, value in data.items() if key != "acting" or value != {"executors": {}}}
    return {**kept, "strategies": strategies}
