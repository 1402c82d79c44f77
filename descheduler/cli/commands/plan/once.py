"""`descheduler plan`: one plan, or several policies on what was seen once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import (
    TABLE,
    As,
    At,
    Context,
    Example,
    FailOn,
    Kubeconfig,
    Lenient,
    OutputFile,
    OutputFormat,
    Overwrite,
    PolicyFiles,
    Prometheus,
    Recorded,
    RequestTimeout,
    Server,
    Set,
    Verbose,
)
from descheduler.report.gates import Gate

if TYPE_CHECKING:
    from pathlib import Path

    from descheduler.cli.output import Target
    from descheduler.cli.source import SourceOptions
    from descheduler.model.plan import PlanDocument
    from descheduler.policy import Setting


def plan(
    called: typer.Context,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    user: As = "",
    server: Server = "",
    request_timeout: RequestTimeout = "",
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFiles = None,
    settings: Set = None,
    at: At = "",
    output: OutputFormat = TABLE,
    output_file: OutputFile = None,
    overwrite: Overwrite = False,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="The same as --fail-on moves; of several plans: exit with 3 when they differ."
        ),
    ] = False,
    fail_on: FailOn = None,
    lenient: Lenient = False,
    verbose: Verbose = 0,
) -> None:
    """Plan once and show the plan, or compare plans; changes nothing."""
    with failures.reported(verbose):
        from descheduler.cli.output import Target
        from descheduler.cli.source import SourceOptions
        from descheduler.policy import Setting

        if called.invoked_subcommand is not None:
            _refuse_options(called)
            return
        target = Target(output_file, overwrite)
        options = SourceOptions(
            kubeconfig,
            context,
            recording,
            example,
            prometheus,
            at,
            user=user,
            server=server,
            request_timeout=request_timeout,
        )
        asked = [Setting.of(text) for text in settings or ()]
        form = output.value
        if len(policy or ()) > 1:
            from descheduler.cli.commands.plan.several import compare
            from descheduler.model.errors import UsageError

            if fail_on:
                raise UsageError("--fail-on is for one plan: of several --exit-code tells whether they differ")
            failures.leave(compare(options, policy or [], asked, form, target, lenient=lenient, exit_code=exit_code))
        else:
            file = policy[0] if policy else None
            gates = [*(fail_on or ()), *([Gate.MOVES] if exit_code else [])]
            failures.leave(_plan(options, file, asked, form, target, gates, lenient=lenient))


def _refuse_options(called: typer.Context) -> None:
    """Options before a subcommand would be lost. Raises UsageError."""
    from descheduler.model.errors import UsageError

    sources = map(called.get_parameter_source, called.params)
    if any(source is not None and source.name == "COMMANDLINE" for source in sources):
        name = called.invoked_subcommand
        raise UsageError(f"options of `plan {name}` come after {name}: descheduler plan {name} …")


def _plan(
    options: SourceOptions,
    policy_file: Path | None,
    settings: Sequence[Setting],
    form: str,
    target: Target,
    gates: Sequence[Gate],
    *,
    lenient: bool,
) -> int:
    """Plan and write the plan; the exit code.

    A plan that rests on less than it should is written too, but what is wrong is said first and the exit code is 1.
    """
    from descheduler.cli.commands.plan.common import remarks, wrong_with
    from descheduler.cli.output import say, write_plan
    from descheduler.cli.source import read, read_written
    from descheduler.cli.watching import watched
    from descheduler.pipeline import plan, profile

    options.check()
    written = read_written(policy_file, options, settings, lenient=lenient)
    with watched() as stages:
        observed = read(options, written.policy, stages=stages)
        profiles = profile(observed, stages=stages)
        stages.begin("planning")
        made = plan(observed, written.policy, profiles)
    document = replace(made, remarks=(*remarks(options, settings, observed.now), *written.remarks))
    wrong = wrong_with(document)
    for problem in wrong:
        say(f"error: {problem}")
    if wrong and not options.at:
        same = _same(options, policy_file).rstrip()
        say(f"what is missing, and what mends it: descheduler doctor {same}")
    write_plan(
        document, form, target, hints=_hints(_same(options, policy_file, settings, lenient=lenient), options, document)
    )
    return failures.FAILED if wrong else failures.gated(document, gates)


def _same(
    options: SourceOptions, policy_file: Path | None, settings: Sequence[Setting] = (), *, lenient: bool = False
) -> str:
    """The options that were given, as they are typed, each with a space behind it."""
    file = f"--policy {quote(str(policy_file))} " if policy_file is not None else ""
    values = "".join(f"--set {quote(str(setting))} " for setting in settings)
    return options.command_line() + file + values + ("--lenient " if lenient else "")


def _hints(same: str, options: SourceOptions, plan: PlanDocument) -> tuple[str, ...]:
    """What to do next, with the same options."""
    hints = [f"descheduler plan {same}-o html > report.html    # forecasts, proofs and every refusal on one page"]
    pods = [pod for action in plan.actions for pod in action.pods]
    if pods:
        hints.append(f"descheduler explain pod {pods[0].namespace}/{pods[0].pod} {same}".rstrip())
    if options.example:
        hints.append("descheduler plan --kubeconfig ~/.kube/config --prometheus http://HOST:9090    # your own cluster")
    return tuple(hints)
