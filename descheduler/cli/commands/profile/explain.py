"""`descheduler profile explain`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.commands.profile.common import PolicyFile, report_problems
from descheduler.cli.options import (
    As,
    Context,
    Example,
    Kubeconfig,
    OutputFile,
    Overwrite,
    Prometheus,
    Recorded,
    RequestTimeout,
    Server,
    Verbose,
)
from descheduler.model.errors import HistoryPartial, UsageError

if TYPE_CHECKING:
    from descheduler.cli.output import Target
    from descheduler.cli.source import SourceOptions
    from descheduler.model.workloads import WorkloadKey


class ExplainFormat(StrEnum):
    """How an explanation is written."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


def explain(
    workload: Annotated[str, typer.Argument(metavar="WORKLOAD", help="namespace/Kind/name.")],
    signal: Annotated[
        str, typer.Option(metavar="NAME", help="cpu, memory, gpu, … or one of the policy's own.")
    ] = "cpu",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    user: As = "",
    server: Server = "",
    request_timeout: RequestTimeout = "",
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    output: Annotated[
        ExplainFormat, typer.Option("--output", "-o", help="How the explanation is written.")
    ] = ExplainFormat.TABLE,
    output_file: OutputFile = None,
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
) -> None:
    """Explain one profile: history, models, forecast, and how it would have done in the past beside others' rules."""
    with failures.reported(verbose):
        from descheduler.cli.output import Target
        from descheduler.cli.source import SourceOptions

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
        failures.leave(_explain(options, policy, signal, workload, output, target))


def _explain(
    options: SourceOptions, policy_file: Path | None, signal: str, name: str, form: ExplainFormat, target: Target
) -> int:
    """The exit code: 1 when there is no profile, or its data is not whole (it is explained all the same)."""
    from descheduler.cli.output import say, write, write_table
    from descheduler.cli.source import read, read_policy
    from descheduler.cli.watching import watched
    from descheduler.observe.existing import existing
    from descheduler.observe.sharing import with_shares
    from descheduler.observe.signals import relied_on
    from descheduler.pipeline import profile, profile_settings
    from descheduler.report.profiles import document as documents
    from descheduler_profiling.explain import explain

    policy = read_policy(policy_file, options)
    with watched() as stages:
        observed = read(options, policy, (signal,), stages)
        made = profile(observed, race=True, stages=stages)[signal]
    if not made.keys and made.problems:
        raise HistoryPartial(f"no history of {signal}: {'; '.join(made.problems)}")
    row = made.row(found(name, made.keys))
    history = with_shares(observed.histories, observed.snapshot)[signal]
    explained = explain(history, made, row, profile_settings(observed.snapshot, signal))
    doc = documents.profile_document(explained, observed.snapshot.cluster)
    match form:
        case ExplainFormat.JSON:
            write(documents.to_json(doc, indent=2) + b"\n", target)
        case ExplainFormat.HTML:
            from descheduler.report.profiles.page import to_html

            write(to_html(doc).encode(), target)
        case _:
            from descheduler.report.profiles.table import render_explanation

            write_table(lambda console: render_explanation(doc, console), target)
    if not doc.known:
        say(f"error: there is no profile of {signal} of {doc.workload}: {doc.why}")
    elif made.keys[row] not in existing(observed.snapshot):
        say(f"{doc.workload} is not in the cluster: what is shown is what history remembers of it")
    return report_problems([made], relied_on(policy)) or (0 if doc.known else failures.FAILED)


def found(name: str, keys: Sequence[WorkloadKey]) -> WorkloadKey:
    """The workload that is meant: `namespace/Kind/name`, the kind in any case, or less where only one fits.

    Raises:
        UsageError: none or several fit; says which were near.
    """
    import difflib

    parts = name.split("/")
    fitting = [key for key in keys if _fits(parts, key)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(f"{name} may be {' or '.join(map(str, fitting[:5]))}: say which")
    lower = {str(key).lower(): str(key) for key in keys}
    same = [str(key) for key in keys if key.name.lower() == parts[-1].lower()]
    near = [lower[text] for text in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
    likely = list(dict.fromkeys([*same, *near]))[:3]
    hint = f" (did you mean {' or '.join(likely)}?)" if likely else ""
    raise UsageError(f"no workload {name} has history{hint}; give namespace/Kind/name, as `profile show` lists them")


def _fits(parts: list[str], key: WorkloadKey) -> bool:
    match parts:
        case [namespace, kind, name]:
            return (namespace, kind.lower(), name) == (key.namespace, key.kind.lower(), key.name)
        case [namespace, name]:
            node = not key.namespace and namespace.lower() == key.kind.lower()
            return name == key.name and (namespace == key.namespace or node)
        case [name]:
            return name == key.name
    return False
