"""Values that no computer counts, and texts that are made to break who reads them: a problem with its line, always."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.model.errors import PolicyError
from descheduler.policy import Policy, load_policy, policy_hash
from descheduler.policy.history_source import history_connection, history_signals, measured_by
from descheduler.policy.schema import policy_schema

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as raised:
        load_policy(HEAD + text, "p.yaml")
    return raised.value.problems


TOO_LARGE = ("1e400", "-1e400", "9" * 5000, "-" + "9" * 5000, "0x" + "f" * 5000, "0o" + "7" * 5000, "1" + "0" * 19)


@pytest.mark.parametrize("number", TOO_LARGE, ids=lambda number: number[:8])
@pytest.mark.parametrize("key", ["maxSamples", "minCoverage", "maxConcurrency", "match", "window"])
def test_a_number_too_large_to_count_is_named_with_its_line(key: str, number: str) -> None:
    assert problems(f"history:\n  {key}: {number}\n") == (
        f"p.yaml:4:{len(key) + 5}: history.{key}: is too large a number",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("history:\n  window: 1000000000000000000000000000000d", "p.yaml:4:11: history.window: must be at most 36500d"),
        (f"history:\n  window: {'9' * 6000}w", "p.yaml:4:11: history.window: must be at most 36500d"),
        ("freshness:\n  maxAge: 9999999999d", "p.yaml:4:11: freshness.maxAge: must be at most 36500d"),
        ("history:\n  minCoverage: .nan", "p.yaml:4:16: history.minCoverage: must be a fraction"),
        ("history:\n  minCoverage: 1e308%", "p.yaml:4:16: history.minCoverage: must be a fraction"),
        (f"history:\n  minCoverage: {'9' * 5000}%", "p.yaml:4:16: history.minCoverage: must be at most 1"),
        ("history:\n  minCoverage: !!float '.inf'", "p.yaml:4:16: history.minCoverage: is no number"),
        ("history:\n  maxSamples: !!int 'many'", "p.yaml:4:15: history.maxSamples: is no number"),
        ('history:\n  match: "\\ud800"', "p.yaml:4:10: history.match: holds half of a character"),
        ('history:\n  "\\udfff": 1', "p.yaml:4:3: history: holds half of a character"),
        (
            f"windows:\n- schedule: '{'9' * 5000} * * * *'\n  duration: 1h",
            "p.yaml:4:13: windows[0].schedule: is too long",
        ),
        ("windows:\n- schedule: '99999999999 * * * *'\n  duration: 1h", "p.yaml:4:13: windows[0].schedule: is no cron"),
        (f"mode:\n  {'9' * 5000}", "p.yaml:4:3: mode: is too large a number"),
        (f"mode: {'a' * 5000}", f"p.yaml:3:7: mode: must be one of dry-run, active, not {'a' * 80}…"),
    ],
)
def test_what_overflows_is_named_with_its_line(text: str, message: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(message)
    assert len(problem) < 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  " + "[" * 1500 + "]" * 1500, "p.yaml:4:66: is nested too deeply"),
        ("a:\n  " + "[" * 100_000, "p.yaml:4:66: is nested too deeply"),
        ("history:\n  " + "{a: " * 100 + "1" + "}" * 100, "p.yaml:4:255: history.a.a"),
        (
            "a: &a [x, x]\n"
            + "".join(f"b{i}: &b{i} [{', '.join([f'*b{i - 1}' if i else '*a'] * 9)}]\n" for i in range(9)),
            ": is too large",
        ),
        ("history: &a\n  <<: *a", "p.yaml:3:10: history: refers to itself"),
        ("history: &a\n  auth: &b {<<: [*a, *b]}", ": history.auth: refers to itself"),
        ("history: &a [*a]", "p.yaml:3:10: history[0]: refers to itself"),
    ],
    ids=["lists", "open lists", "mappings", "a billion laughs", "merged", "merged by two", "in itself"],
)
def test_what_is_made_to_break_the_reader_is_refused_at_its_place(text: str, message: str) -> None:
    assert any(message in problem for problem in problems(text))


def test_no_more_of_a_file_is_read_than_a_policy_may_be_large(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    with file.open("wb") as out:
        out.truncate(1 << 33)
    with pytest.raises(PolicyError, match="is larger than 1 MiB"):
        load_policy(file)


@pytest.mark.parametrize(
    "text",
    [
        "history: {maxSamples: 1000000000000000000, step: 60s, window: 90d}",
        "history: {maxSamples: 0x7fffffff, minCoverage: 1e-99999}",
        "freshness: {maxAge: 36500d}",
        "history: &a {auth: &b {insecureSkipVerify: true}}",
    ],
)
def test_what_is_merely_large_is_taken(text: str) -> None:
    load_policy(HEAD + text)


def fields(schema: dict[str, Any], where: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of each field of the schema."""
    if len(path) > 4:
        return
    while "$ref" in where:
        where = schema["$defs"][where["$ref"].rpartition("/")[2]]
    for one in where.get("anyOf", ()):
        yield from fields(schema, one, path)
    for key, child in where.get("properties", {}).items():
        yield (*path, key)
        yield from fields(schema, child, (*path, key))
    if isinstance(where.get("items"), dict):
        yield from fields(schema, where["items"], (*path, "-"))


PATHS = sorted(set(fields(policy_schema(), policy_schema())))
SCALARS = st.one_of(
    st.sampled_from([*TOO_LARGE, ".inf", ".nan", "-0", "1e308", "1e308%", "9999999999999d", "1e-400", "~", "''", "0"]),
    st.sampled_from(
        ["!!int x", "!!binary AA==", '"\\ud800"', '"\\0\\e[31m"', "*a", "<<", "? a", "{<<: 1}", "99" * 300]
    ),
    st.integers().map(str),
    st.floats().map(repr),
    st.text(max_size=20).map(lambda text: yaml.safe_dump(text).splitlines()[0]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(["a", "name", "<<"]), inner, max_size=2).map(
            lambda made: "{" + ", ".join(f"{key}: {value}" for key, value in made.items()) + "}"
        ),
    ),
    max_leaves=4,
)


def used(policy: Policy) -> None:
    """What is made of every policy before anything is read."""
    policy_hash(policy)
    history_signals(policy.history, ["cpu", "gpu"])
    measured_by(policy.history)
    if policy.history.url:
        history_connection(policy.history)


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(PATHS), value=VALUES)
def test_whatever_stands_in_a_field_it_is_a_policy_or_a_problem_with_its_line(
    path: tuple[str, ...], value: str
) -> None:
    text = HEAD
    for depth, key in enumerate(path):
        text += "  " * depth + ("-" if key == "-" else f"{key}:") + ("\n" if depth < len(path) - 1 else f" {value}\n")
    found: tuple[str, ...] = ()
    try:
        used(load_policy(text, "p.yaml"))
    except PolicyError as error:
        found = error.problems
    assert all(problem.startswith("p.yaml:") and len(problem) < 1000 for problem in found)
