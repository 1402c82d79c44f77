"""A policy as a file again, with remarks where people will look for them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from descheduler.policy.marked_yaml import MarkedYaml
from descheduler.policy.policy import Policy
from descheduler.policy.set_values import place_of, policy_data
from descheduler.policy.written import WrittenPolicy


def policy_yaml(
    policy: Policy,
    head: Sequence[str] = (),
    remarks: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> str:
    """What was given of a policy, in the order of its sections; a file that means the same.

    `head` are lines of comment before it, `remarks` are written behind settings, `notes` above them, by their paths as
    `--set` has them.
    """
    text = yaml.safe_dump(_given(policy), sort_keys=False, allow_unicode=True, width=110)
    lines, marked = text.splitlines(), MarkedYaml(text)
    above: dict[int, list[str]] = {}
    for path, remark in (remarks or {}).items():
        at = marked.value_mark(place_of(policy, path)).line - 1
        lines[at] = f"{lines[at]}  # {remark}"
    for path, note in (notes or {}).items():
        above.setdefault(marked.mark(place_of(policy, path)).line - 1, []).append(note)
    written = (line for at, line in enumerate(lines) for line in (*_comments(above.get(at, ()), line), line))
    return "\n".join([*(f"# {line}".rstrip() for line in head), *written, ""])


def imported_yaml(written: WrittenPolicy, source: str) -> str:
    """A policy that came from elsewhere as ours: what behaves differently is said at its place, the rest at the top."""
    head = [
        f"From {source}. It only plans: add `mode: active` to have plans carried out.",
        "What is different here, by the ids of docs/from-sigs-descheduler.md:",
        *(f"- {one}" for one in written.general),
        *(f"Not taken over: {one}" for one in written.dropped),
    ]
    return policy_yaml(written.policy, head, notes=written.differs)


def _comments(notes: Sequence[str], line: str) -> Iterator[str]:
    """Notes as lines of comment, indented as the line that they are written above."""
    indent = " " * (len(line) - len(line.lstrip()))
    for note in notes:
        yield from textwrap.wrap(note, 110, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ")


def _given(policy: Policy) -> dict[str, Any]:
    """Without sections in which nothing is, and names that strategies have by themselves."""
    data = policy_data(policy, exclude_unset=True)
    for one in data["strategies"]:
        if one["name"] in one:
            del one["name"]
    return data
