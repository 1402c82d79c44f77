"""`descheduler doctor`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.commands.run import Mode
from descheduler.cli.options import (
    As,
    Context,
    Example,
    Kubeconfig,
    OutputFile,
    Overwrite,
    PolicyFile,
    Prometheus,
    Recorded,
    RequestTimeout,
    Server,
    Verbose,
)

if TYPE_CHECKING:
    from descheduler.cli.output import Target
    from descheduler.cli.source import SourceOptions
    from descheduler.doctor.checks import Check
    from descheduler.doctor.given import Given
    from descheduler.observe.stages import Stages


class DoctorFormat(StrEnum):
    """How an examination is written."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"


def doctor(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    user: As = "",
    server: Server = "",
    request_timeout: RequestTimeout = "",
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    mode: Annotated[Mode | None, typer.Option(help="Of this and the policy's mode the safer counts.")] = None,
    namespace: Annotated[
        str,
        typer.Option(
            "--namespace",
            "-n",
            help="Where the controller keeps its lease. Default: the pod's own, else descheduler.",
        ),
    ] = "",
    lease: Annotated[str, typer.Option(help="Name of the lease.")] = "descheduler",
    output: Annotated[
        DoctorFormat, typer.Option("--output", "-o", help="How the examination is written.")
    ] = DoctorFormat.TABLE,
    output_file: OutputFile = None,
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
) -> None:
    """Check connections, permissions, clocks, history and policy, and say what mends what is wrong; changes nothing.

    Exit codes: 0 a plan could be trusted, 1 it could not, 2 wrong usage or a bad policy.
    """
    with failures.reported(verbose):
        from descheduler.cli.output import Target
        from descheduler.cli.source import SourceOptions
        from descheduler.cli.watching import watched

        target = Target(output_file, overwrite)
        options = SourceOptions(
            kubeconfig,
            context,
            recording,
            example,
            prometheus,
            user=user,
            server=server,
            request_timeout=request_timeout,
        )
        options.check()
        with watched() as stages:
            given = _given(options, policy, stages, mode=mode, namespace=namespace, lease=lease)
            checks = _checks(options, given)
        _write(checks, given.now(), output, target)
        failures.leave(_code(given, checks))


def _given(
    options: SourceOptions,
    policy: Path | None,
    stages: Stages,
    *,
    mode: Mode | None,
    namespace: str,
    lease: str,
) -> Given:
    """What is examined; a policy that is not valid is a finding, and the default one stands in for it."""
    import random
    import time

    from descheduler.apiwrite.writer import NAMESPACE
    from descheduler.cli.source import read_policy
    from descheduler.doctor.given import Given
    from descheduler.kube.client.credentials import own_namespace
    from descheduler.model.errors import PolicyError
    from descheduler.policy import default_policy

    problems: tuple[str, ...] = ()
    try:
        in_force = read_policy(policy, options)
    except PolicyError as error:
        in_force, problems = default_policy(), error.problems
    said = {mode.value} if mode is not None else set()
    if policy is not None and "mode" in in_force.model_fields_set:  # the default policy is nobody's word
        said.add(in_force.mode)
    return Given(
        policy=in_force,
        source=str(policy)
        if policy is not None
        else "the example's policy"
        if options.example
        else "the default policy",
        problems=problems,
        url=options.prometheus,
        namespace=namespace or own_namespace(NAMESPACE),
        lease=lease,
        active=bool(said) and said <= {Mode.ACTIVE.value},
        now=time.time,
        rng=random.Random(),
        stages=stages,
    )


def _checks(options: SourceOptions, given: Given) -> list[Check]:
    from descheduler.cli.source import stored
    from descheduler.doctor.examination import examine_live, examine_stored

    if options.live:
        return list(examine_live(given, options.client))
    return list(examine_stored(given, stored(options)[1]))


def _write(checks: list[Check], created: float, form: DoctorFormat, target: Target) -> None:
    from descheduler.cli.output import write, write_table

    if form is DoctorFormat.JSON:
        from descheduler.doctor.document import to_json

        write(to_json(checks, created), target)
        return
    from descheduler.doctor.table import render

    wide = form is DoctorFormat.WIDE
    write_table(lambda console: render(checks, console, wide=wide), target, wide=wide)


def _code(given: Given, checks: list[Check]) -> int:
    from descheduler.doctor.checks import trusted

    if given.problems:
        return failures.WRONG
    return 0 if trusted(checks) else failures.FAILED
