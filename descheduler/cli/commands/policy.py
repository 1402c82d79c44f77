"""`descheduler policy`: `check`, `import`, `schema` and `default`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import (
    As,
    Context,
    Kubeconfig,
    Lenient,
    Overwrite,
    PolicyFiles,
    RequestTimeout,
    Server,
    Verbose,
)

if TYPE_CHECKING:
    from descheduler.model.snapshot import ClusterSnapshot
    from descheduler.policy import Policy

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
    compared: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="SOURCE",
            help="Also compare what it names with a cluster: a recording, `example`, or `cluster` (see --context).",
        ),
    ] = "",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    user: As = "",
    server: Server = "",
    request_timeout: RequestTimeout = "",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 2 where there is a warning too.")] = False,
    verbose: Verbose = 0,
) -> None:
    """Check policies, ours or descheduler/v1alpha2: every problem, with its file, line and column."""
    with failures.reported(verbose):
        from descheduler.cli.output import say
        from descheduler.cli.source import SourceOptions, policy_of, snapshot_of
        from descheduler.cli.watching import watched
        from descheduler.model.errors import PolicyError, UsageError

        named = [*(files or ()), *(policy or ())]
        if not named:
            raise UsageError("name a policy to check; - is stdin")
        options = SourceOptions.named(
            compared, SourceOptions(kubeconfig, context, user=user, server=server, request_timeout=request_timeout)
        )
        with watched() as stages:
            snapshot = snapshot_of(options, stages) if options is not None else None
        problems: list[str] = []
        doubtful = False
        for file in named:
            try:
                written = policy_of(file, lenient=lenient)
            except PolicyError as error:
                problems.extend(error.problems)
            else:
                say(f"{file}: valid. {_described(written.policy)}", err=False)
                warnings = (*written.warnings, *(_against(written.policy, snapshot) if snapshot is not None else ()))
                doubtful = doubtful or bool(warnings)
                for line in (*(f"warning: {one}" for one in warnings), *written.remarks):
                    say(f"  {line}", err=False)
        if problems:
            raise PolicyError(tuple(problems))
        failures.leave(failures.WRONG if strict and doubtful else 0)


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
        from descheduler.cli.source import policy_of
        from descheduler.model.errors import UsageError
        from descheduler.policy.writing import imported_yaml

        target = Target(output_file, overwrite)
        written = policy_of(file, lenient=lenient)
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


def _against(policy: Policy, snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """What the policy names that a cluster does not have."""
    from descheduler.doctor.against import against, unserved

    return (*against(policy, snapshot), *(f"acting.executor: {one}" for one in unserved(policy, snapshot)))


def _described(policy: Policy) -> str:
    from descheduler.policy import policy_hash

    names = ", ".join(
        choice.name if choice.name == choice.strategy else f"{choice.name} ({choice.strategy})"
        for choice in policy.strategies
    )
    return f"Mode {policy.mode}, {f'strategies {names}' if names else 'no strategy'}, hash {policy_hash(policy)}"
