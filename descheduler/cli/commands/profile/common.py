"""What the commands about profiles have in common: their options, and what they read and report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.model.errors import UsageError

if TYPE_CHECKING:
    from descheduler.cli.source import SourceOptions
    from descheduler_profiling.export import ProfilesDocument
    from descheduler_profiling.profiles import SignalProfiles

PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="The policy: where history is, and signals of your own.")
]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Only workloads of this namespace.")]
Signals = Annotated[
    list[str] | None,
    typer.Option("--signal", metavar="NAME", help="cpu, memory, gpu, … or one of the policy's own; may be repeated."),
]


def profiles_document(
    options: SourceOptions, policy_file: Path | None, signals: Sequence[str], namespace: str | None
) -> tuple[ProfilesDocument, list[SignalProfiles]]:
    """The profiles of these signals, and the same as a document, of one namespace if it is given."""
    from descheduler.cli.source import read, read_policy
    from descheduler.pipeline import profile
    from descheduler_profiling import export

    observed = read(options, read_policy(policy_file, options), signals)
    by_signal = profile(observed)
    made = [by_signal[signal] for signal in signals]
    return _within(export.document(made, created=observed.now, cluster=observed.snapshot.cluster), namespace), made


def report_problems(made: Sequence[SignalProfiles]) -> int:
    """Say what is wrong with the data; the exit code: 1 when it is not whole (it is shown all the same)."""
    problems = [(one.signal, problem) for one in made for problem in one.problems]
    for signal, problem in problems:
        typer.echo(f"error: history of {signal}: {problem}", err=True)
    return failures.FAILED if problems or not all(one.complete for one in made) else 0


def _within(doc: ProfilesDocument, namespace: str | None) -> ProfilesDocument:
    """The workloads of one namespace. Raises UsageError when it has none."""
    import msgspec

    from descheduler.policy.hints import hint_at

    if namespace is None:
        return doc
    there = {one.namespace for signal in doc.signals for one in signal.workloads}
    if namespace not in there:
        raise UsageError(f"no workload with history is in namespace {namespace}{hint_at(namespace, there)}")
    return msgspec.structs.replace(
        doc,
        signals=[
            msgspec.structs.replace(signal, workloads=[one for one in signal.workloads if one.namespace == namespace])
            for signal in doc.signals
        ],
    )
