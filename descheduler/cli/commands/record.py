"""`descheduler record`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import (
    As,
    Context,
    Example,
    Kubeconfig,
    Overwrite,
    PolicyFile,
    Prometheus,
    Recorded,
    RequestTimeout,
    Server,
    Verbose,
)

if TYPE_CHECKING:
    from descheduler.cli.source import SourceOptions
    from descheduler.kube.recording.anonymize import Anonymizer


def record(
    to: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="File (with a suffix) or directory to write.")
    ],
    anonymize: Annotated[
        bool, typer.Option("--anonymize", help="Replace every name by a pseudonym, the same one everywhere.")
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="With --anonymize: a name or label key that stays, such as one in the policy."
        ),
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    user: As = "",
    server: Server = "",
    request_timeout: RequestTimeout = "",
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
) -> None:
    """Record a cluster and its history, to plan on them elsewhere or later."""
    with failures.reported(verbose):
        import secrets

        from descheduler.cli.source import SourceOptions
        from descheduler.kube.recording.anonymize import Anonymizer
        from descheduler.model.errors import UsageError

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
        if keep and not anonymize:
            raise UsageError("--keep is for --anonymize: without it every name stays")
        # The key is forgotten: nobody can find out by trying which name became which pseudonym.
        hidden = Anonymizer(secrets.token_bytes(32), keep or ()) if anonymize else None
        _record(options, policy, to, hidden, overwrite=overwrite)


def _record(
    options: SourceOptions, policy_file: Path | None, path: Path, hidden: Anonymizer | None, *, overwrite: bool
) -> None:
    """Read everything and write it to `path`; says on stderr what was written."""
    from descheduler.cli.output import say
    from descheduler.cli.source import read_objects, read_policy
    from descheduler.cli.watching import watched
    from descheduler.kube.recording.files import check_target, strangers, write_recording
    from descheduler.observe.hidden_history import hidden_history, signal_name
    from descheduler_profiling.history.serial import history_to_bytes

    options.check()
    check_target(path, overwrite=overwrite)
    policy = read_policy(policy_file, options)
    with watched() as stages:
        objects, observed = read_objects(options, policy, stages)
    histories = dict(observed.histories)
    if hidden is not None:
        objects = hidden.objects(objects)
        histories = dict(hidden_history(history, hidden) for history in histories.values())
        for signal in sorted(set(observed.histories) - set(histories)):
            say(f"the signal {signal} is called {signal_name(signal, hidden)} in it")
    packed = {signal: history_to_bytes(history) for signal, history in histories.items()}
    manifest = write_recording(path, objects, packed, overwrite=overwrite)
    counts = {kind: info.count for kind, info in manifest.kinds.items()}
    say(
        f"{path}: {counts.get('nodes', 0)} nodes, {counts.get('pods', 0)} pods, history of "
        f"{', '.join(sorted(histories)) or 'nothing'}{', anonymized' if hidden else ''}"
    )
    for name in strangers(path, manifest):
        say(f"{path / name}: not of the recording; left as it is")
