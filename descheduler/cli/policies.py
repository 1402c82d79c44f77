"""`policy check`, `policy schema` and `policy default`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer

from descheduler.model.errors import PolicyError
from descheduler.policy import Policy, default_policy_text, json_schema, load_policy, policy_hash


def check_policies(files: list[Path]) -> None:
    """Say of each file that it is valid. Raises PolicyError with the problems of all."""
    problems: list[str] = []
    for file in files:
        try:
            policy = load_policy(sys.stdin.read(), "stdin") if str(file) == "-" else load_policy(file)
        except PolicyError as error:
            problems.extend(error.problems)
        else:
            typer.echo(f"{file}: valid. {_described(policy)}")
    if problems:
        raise PolicyError(tuple(problems))


def print_schema() -> None:
    """The schema, as it is committed."""
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def print_default() -> None:
    """The commented default."""
    typer.echo(default_policy_text(), nl=False)


def _described(policy: Policy) -> str:
    names = ", ".join(
        choice.name if choice.name == choice.strategy else f"{choice.name} ({choice.strategy})"
        for choice in policy.strategies
    )
    return f"Mode {policy.mode}, {f'strategies {names}' if names else 'no strategy'}, hash {policy_hash(policy)}"
