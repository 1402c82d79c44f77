"""`profile show`, `profile explain` and `profile export`."""

from __future__ import annotations

import difflib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from descheduler.cli.failures import FAILED
from descheduler.cli.output import write_data
from descheduler.model.errors import HistoryPartial, UsageError
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.inputs import Source, observe, read_policy, waiting
from descheduler.pipeline import Observed, profile, profile_settings
from descheduler.policy import Policy
from descheduler.policy.hints import did_you_mean
from descheduler_profiling.export import ProfilesDocument
from descheduler_profiling.profiles import SignalProfiles

if TYPE_CHECKING:
    from rich.console import Console


def show_profiles(
    source: Source,
    policy_file: Path | None,
    signals: tuple[str, ...],
    namespace: str | None,
    form: str,
    file: Path | None,
) -> int:
    """List the profiles; the exit code: 1 when the data is not whole (the list is written all the same)."""
    from descheduler_profiling import export

    observed = read(source, read_policy(policy_file, source), signals)
    by_signal = profile(observed)
    made = [by_signal[signal] for signal in signals]
    doc = _within(export.document(made, created=observed.now, cluster=observed.snapshot.cluster), namespace)
    match form:
        case "json":
            write_data(export.to_json(doc, indent=2) + b"\n", file)
        case "csv":
            write_data(export.to_csv(doc).encode(), file)
        case _:
            from descheduler.report.profiles.table import render_profiles

            _show(lambda console: render_profiles(doc, console, wide=form == "wide"), file)
    return _told(made)


def export_profiles(
    source: Source, policy_file: Path | None, signals: tuple[str, ...], namespace: str | None, to: Path
) -> int:
    """Write the profiles to a file; the exit code as above."""
    from descheduler_profiling import export

    export.check_path(to)
    observed = read(source, read_policy(policy_file, source), signals)
    by_signal = profile(observed)
    made = [by_signal[signal] for signal in signals]
    doc = _within(export.document(made, created=observed.now, cluster=observed.snapshot.cluster), namespace)
    export.write(doc, to)
    count = sum(len(signal.workloads) for signal in doc.signals)
    typer.echo(f"{count} profiles of {', '.join(signals)} written to {to}", err=True)
    return _told(made)


def explain_profile(
    source: Source, policy_file: Path | None, signal: str, name: str, form: str, file: Path | None
) -> int:
    """Explain one profile; the exit code: 1 when there is none, or its data is not whole (it is told all the same)."""
    from descheduler.report.profiles import document as documents
    from descheduler_profiling.explain import explain

    observed = read(source, read_policy(policy_file, source), (signal,))
    made = profile(observed)[signal]
    if not made.keys and made.problems:
        raise HistoryPartial(f"no history of {signal}: {'; '.join(made.problems)}")
    row = made.row(found(name, made.keys))
    explained = explain(observed.histories[signal], made, row, profile_settings(observed.snapshot, signal))
    doc = documents.profile_document(explained, observed.snapshot.cluster)
    match form:
        case "json":
            write_data(documents.to_json(doc, indent=2) + b"\n", file)
        case "html":
            from descheduler.report.profiles.page import to_html

            write_data(to_html(doc).encode(), file)
        case _:
            from descheduler.report.profiles.table import render_explanation

            _show(lambda console: render_explanation(doc, console), file)
    if not doc.known:
        typer.echo(f"error: there is no profile of {signal} of {doc.workload}: {doc.why}", err=True)
    return _told([made]) or (0 if doc.known else FAILED)


def read(source: Source, policy: Policy, signals: Sequence[str]) -> Observed:
    """The cluster, and the history of these signals alone.

    Raises:
        UsageError: contradicting options, or a signal that nobody knows or recorded.
        ClusterError, HistoryError, RecordingError: what was named cannot be read.
    """
    source.check()
    if source.live:
        return _live(source, policy, signals)
    observed = observe(source, policy)
    for signal in signals:
        if signal not in observed.histories:
            there = sorted(observed.histories)
            hint = did_you_mean(signal, there) or f"; there are {', '.join(there) or 'none'}"
            raise UsageError(f"no history of {signal} is recorded{hint}")
    return replace(observed, histories={signal: observed.histories[signal] for signal in signals})


def _live(source: Source, policy: Policy, signals: Sequence[str]) -> Observed:
    from descheduler.kube.client.connection import connect
    from descheduler.kube.client.read_cluster import read_cluster
    from descheduler.observe.history import owners
    from descheduler.policy.convert import history_connection, history_signals
    from descheduler_profiling.history.client import HistoryClient
    from descheduler_profiling.history.collect import collect
    from descheduler_profiling.history.signals import builtin_signals

    wanted = policy.history
    for signal in signals:
        known = sorted({*builtin_signals(), *wanted.queries, *wanted.signals})
        if signal not in known:
            hint = did_you_mean(signal, known) or f"; there are {', '.join(known)}"
            raise UsageError(f"no signal is named {signal}{hint}")
    connection = history_connection(wanted, source.prometheus)
    with waiting() as note:
        snapshot = read_cluster(connect(source.kubeconfig, source.context), clock=time.time)
        note("reading the history")
        client = HistoryClient(connection, rng=random.Random(), clock=time.time)
        try:
            histories = collect(
                client,
                {name: one for name, one in history_signals(wanted, signals).items() if name in signals},
                now=snapshot.taken_at,
                window_seconds=int(wanted.window.total_seconds()),
                step=int(wanted.step.total_seconds()),
                owner_of=owners(snapshot),
                match=wanted.match,
            )
        finally:
            client.close()
    return Observed(snapshot, histories, snapshot.taken_at)


def found(name: str, keys: Sequence[WorkloadKey]) -> WorkloadKey:
    """The workload that is meant: `namespace/Kind/name`, the kind in any case, or less where only one fits.

    Raises:
        UsageError: none or several fit; says which were near.
    """
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
            return (namespace, name) == (key.namespace, key.name)
        case [name]:
            return name == key.name
    return False


def _within(doc: ProfilesDocument, namespace: str | None) -> ProfilesDocument:
    """The workloads of one namespace. Raises UsageError when it has none."""
    if namespace is None:
        return doc
    there = sorted({one.namespace for signal in doc.signals for one in signal.workloads})
    if namespace not in there:
        hint = did_you_mean(namespace, there) or f"; there are {', '.join(there) or 'none'}"
        raise UsageError(f"no workload with history is in namespace {namespace}{hint}")
    return msgspec.structs.replace(
        doc,
        signals=[
            msgspec.structs.replace(signal, workloads=[one for one in signal.workloads if one.namespace == namespace])
            for signal in doc.signals
        ],
    )


def _told(made: Sequence[SignalProfiles]) -> int:
    """Say what is wrong with the data; the exit code."""
    problems = [(one.signal, problem) for one in made for problem in one.problems]
    for signal, problem in problems:
        typer.echo(f"error: history of {signal}: {problem}", err=True)
    return FAILED if problems or not all(one.complete for one in made) else 0


def _show(render: Callable[[Console], None], file: Path | None) -> None:
    """A table, in colour where somebody watches."""
    from rich.console import Console

    from descheduler.report.cells import plain

    console = Console(highlight=False)
    if file is None and console.is_terminal:
        render(console)
        return
    write_data(plain(render, wide=True).encode(), file)
