"""What the commands about profiles have in common: their options, and what they read and report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.output import say
from descheduler.model.errors import UsageError
from descheduler.model.workloads import WorkloadKey

if TYPE_CHECKING:
    from descheduler.cli.source import SourceOptions
    from descheduler_profiling.export import ProfilesDocument, WorkloadProfile
    from descheduler_profiling.profiles import SignalProfiles

PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="The policy: where history is, and signals of your own.")
]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Only workloads of this namespace.")]
Signals = Annotated[
    list[str] | None,
    typer.Option("--signal", metavar="NAME", help="cpu, memory, gpu, … or one of the policy's own; may be repeated."),
]


_NAMED = 3  # workloads that are gone, by name


@dataclass(frozen=True, slots=True)
class Profiles:
    """What was asked for: as a document, as it was built, and the signals whose absence is an error."""

    document: ProfilesDocument
    made: Sequence[SignalProfiles]
    relied_on: Collection[str]


def profiles_document(
    options: SourceOptions, policy_file: Path | None, signals: Sequence[str], namespace: str | None
) -> Profiles:
    """The profiles of these signals; the document has the workloads that there are, of one namespace if it is given."""
    from descheduler.cli.source import read, read_policy
    from descheduler.cli.watching import watched
    from descheduler.observe.existing import existing
    from descheduler.observe.signals import relied_on
    from descheduler.pipeline import profile
    from descheduler_profiling import export

    policy = read_policy(policy_file, options)
    with watched() as stages:
        observed = read(options, policy, signals, stages)
        by_signal = profile(observed, race=True, stages=stages)
    made = [by_signal[signal] for signal in signals]
    doc = export.document(made, created=observed.now, cluster=observed.snapshot.cluster)
    there = existing(observed.snapshot)
    _tell_gone({key for one in made for key in one.keys} - there)
    return Profiles(_within(_of(doc, there), namespace), made, relied_on(policy))


def report_problems(made: Sequence[SignalProfiles], relied_on: Collection[str]) -> int:
    """Say what is wrong with the data; the exit code: 1 when it is not whole (it is shown all the same).

    That the server has no series of a signal is an error only of those that are `relied_on`.
    """
    code = 0
    for one in made:
        optional = one.absent and one.signal not in relied_on
        for problem in one.problems:
            text = f"history of {one.signal}: {problem}"
            say(f"{one.signal} is optional: {problem}" if optional else f"error: {text}")
        if not optional and (one.problems or not one.complete):
            code = failures.FAILED
    return code


def _tell_gone(gone: Collection[WorkloadKey]) -> None:
    from descheduler.model.format import plural

    if gone:
        some = ", ".join(map(str, sorted(gone)[:_NAMED])) + (", …" if len(gone) > _NAMED else "")
        count = plural(len(gone), "workload")
        say(f"left out, because not in the cluster (any more): {count} with history ({some})")


def _of(doc: ProfilesDocument, there: Collection[WorkloadKey]) -> ProfilesDocument:
    """The workloads that are there."""
    return _only(doc, lambda one: WorkloadKey(one.namespace, one.kind, one.name) in there)


def _within(doc: ProfilesDocument, namespace: str | None) -> ProfilesDocument:
    """The workloads of one namespace. Raises UsageError when it has none."""
    from descheduler.model.meant import hint_at

    if namespace is None:
        return doc
    there = {one.namespace for signal in doc.signals for one in signal.workloads}
    if namespace not in there:
        raise UsageError(f"no workload with history is in namespace {namespace}{hint_at(namespace, there)}")
    return _only(doc, lambda one: one.namespace == namespace)


def _only(doc: ProfilesDocument, shown: Callable[[WorkloadProfile], bool]) -> ProfilesDocument:
    from msgspec.structs import replace

    return replace(doc, signals=[replace(s, workloads=[one for one in s.workloads if shown(one)]) for s in doc.signals])
