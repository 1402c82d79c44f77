"""`descheduler policy`: `check`, `import`, `schema` and `default`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import Lenient, Overwrite, PolicyFiles, Verbose

if TYPE_CHECKING:
    from descheduler.policy import Policy, WrittenPolicy

app = typer.Typer(
    help="Check a policy, bring one over, or write the default one and the schema.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE...]", help="Policies to check; - is stdin.")
    ] = None,
    policy: PolicyFiles = None,
    lenient: Lenient = False,
    verbose: Verbose = 0,
) -> None:
    """Check policies, ours or descheduler/v1alpha2: every problem, with its file, line and column."""
    with failures.reported(verbose):
        from descheduler.cli.output import say
        from descheduler.model.errors import PolicyError, UsageError

        named = [*(files or ()), *(policy or ())]
        if not named:
            raise UsageError("name a policy to check; - is stdin")
        problems: list[str] = []
        for file in named:
            try:
                written = _read(file, lenient=lenient)
            except PolicyError as error:
                problems.extend(error.problems)
            else:
                say(f"{file}: valid. {_described(written.policy)}", err=False)
                for line in (*(f"warning: {one}" for one in written.warnings), *written.remarks):
                    say(f"  {line}", err=False)
        if problems:
            raise PolicyError(tuple(problems))


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A descheduler/v1alpha2 policy; - is stdin.")],
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout.")
    ] = None,
    overwrite: Overwrite = False,
    lenient: Lenient = False,
    verbose: Verbose = 0,
) -> None:
    """Write a policy of the Kubernetes SIG's descheduler as ours, with a comment wherever it behaves differently."""
    with failures.reported(verbose):
        from descheduler.cli.output import Target, say, write
        from descheduler.model.errors import UsageError
        from descheduler.policy.writing import imported_yaml

        target = Target(output_file, overwrite)
        written = _read(file, lenient=lenient)
        if not written.general:
            raise UsageError(f"{file} is a policy of this program already")
        write(imported_yaml(written, str(file)).encode(), target)
        for line in (*(f"warning: {one}" for one in written.warnings), *written.remarks):
            say(line)


@app.command()
def schema(verbose: Verbose = 0) -> None:
    """Print the JSON schema of policies, the arguments of all installed strategies included."""
    with failures.reported(verbose):
        import json

        from descheduler.policy import json_schema

        typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@app.command()
def default(
    strategy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With this strategy and its arguments instead; may be repeated."),
    ] = None,
    verbose: Verbose = 0,
) -> None:
    """Print the default policy: every setting with its default and what it means."""
    with failures.reported(verbose):
        from descheduler.policy import default_policy_text

        typer.echo(default_policy_text(*(strategy or ())), nl=False)


def _read(file: Path, *, lenient: bool) -> WrittenPolicy:
    import sys

    from descheduler.policy import written_policy
    from descheduler.policy.marked_yaml import MAX_BYTES

    if str(file) == "-":
        return written_policy(sys.stdin.read(MAX_BYTES + 1), "stdin", lenient=lenient)
    return written_policy(file, lenient=lenient)


def _described(policy: Policy) -> str:
    from descheduler.policy import policy_hash

    names = ", ".join(
        choice.name if choice.name == choice.strategy else f"{choice.name} ({choice.strategy})"
        for choice in policy.strategies
    )
    return f"Mode {policy.mode}, {f'strategies {names}' if names else 'no strategy'}, hash {policy_hash(policy)}"
