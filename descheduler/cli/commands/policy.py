"""`descheduler policy`: `check`, `schema` and `default`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import Verbose

if TYPE_CHECKING:
    from descheduler.policy import Policy

app = typer.Typer(
    help="Check a policy, or write the default one and the schema.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policies to check; - is stdin.")],
    verbose: Verbose = 0,
) -> None:
    """Check policies: every problem, with its file, line and column."""
    with failures.reported(verbose):
        import sys

        from descheduler.cli.output import say
        from descheduler.model.errors import PolicyError
        from descheduler.policy import load_policy
        from descheduler.policy.marked_yaml import MAX_BYTES

        problems: list[str] = []
        for file in files:
            try:
                policy = load_policy(sys.stdin.read(MAX_BYTES + 1), "stdin") if str(file) == "-" else load_policy(file)
            except PolicyError as error:
                problems.extend(error.problems)
            else:
                say(f"{file}: valid. {_described(policy)}", err=False)
        if problems:
            raise PolicyError(tuple(problems))


@app.command()
def schema(verbose: Verbose = 0) -> None:
    """Print the JSON schema of policies, the arguments of all installed strategies included."""
    with failures.reported(verbose):
        import json

        from descheduler.policy import json_schema

        typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@app.command()
def default(verbose: Verbose = 0) -> None:
    """Print the default policy: every setting with its default and what it means."""
    with failures.reported(verbose):
        from descheduler.policy import default_policy_text

        typer.echo(default_policy_text(), nl=False)


def _described(policy: Policy) -> str:
    from descheduler.policy import policy_hash

    names = ", ".join(
        choice.name if choice.name == choice.strategy else f"{choice.name} ({choice.strategy})"
        for choice in policy.strategies
    )
    return f"Mode {policy.mode}, {f'strategies {names}' if names else 'no strategy'}, hash {policy_hash(policy)}"
