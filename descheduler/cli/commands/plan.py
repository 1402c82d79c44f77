"""`descheduler plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import (
    TABLE,
    Context,
    Example,
    Kubeconfig,
    OutputFile,
    OutputFormat,
    Overwrite,
    PolicyFile,
    Prometheus,
    Recorded,
    Verbose,
)

if TYPE_CHECKING:
    from descheduler.cli.output import Target
    from descheduler.cli.source import SourceOptions
    from descheduler.model.plan import PlanDocument


def plan(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    output: OutputFormat = TABLE,
    output_file: OutputFile = None,
    overwrite: Overwrite = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when the plan is not empty.")] = False,
    verbose: Verbose = 0,
) -> None:
    """Plan once and show the plan; changes nothing."""
    with failures.reported(verbose):
        from descheduler.cli.output import Target
        from descheduler.cli.source import SourceOptions

        target = Target(output_file, overwrite)
        options = SourceOptions(kubeconfig, context, recording, example, prometheus)
        failures.leave(_plan(options, policy, output.value, target, exit_code=exit_code))


def _plan(options: SourceOptions, policy_file: Path | None, form: str, target: Target, *, exit_code: bool) -> int:
    """Plan and write the plan; the exit code.

    A plan that rests on less than it should is written too, but what is wrong is said first and the exit code is 1.
    """
    from descheduler.cli.output import say, write_plan
    from descheduler.cli.source import read, read_policy
    from descheduler.pipeline import plan

    options.check()
    policy = read_policy(policy_file, options)
    document = plan(read(options, policy), policy)
    wrong = [*([document.acting_blocked] if document.acting_blocked else []), *document.problems]
    for problem in wrong:
        say(f"error: {problem}")
    if wrong:
        policy_option = f"--policy {policy_file} " if policy_file is not None else ""
        same = f"{options.command_line()}{policy_option}".rstrip()
        say(f"what is missing, and what mends it: descheduler doctor {same}")
    write_plan(document, form, target, hints=_hints(options, document))
    if wrong:
        return failures.FAILED
    return failures.NOT_EMPTY if exit_code and document.actions else 0


def _hints(options: SourceOptions, plan: PlanDocument) -> tuple[str, ...]:
    """What to do next, with the same options."""
    same = options.command_line()
    hints = [f"descheduler plan {same}-o html > report.html    # forecasts, proofs and every refusal on one page"]
    pods = [pod for action in plan.actions for pod in action.pods]
    if pods:
        hints.append(f"descheduler explain pod {pods[0].namespace}/{pods[0].pod} {same}".rstrip())
    if options.example:
        hints.append("descheduler plan --kubeconfig ~/.kube/config --prometheus http://HOST:9090    # your own cluster")
    return tuple(hints)
