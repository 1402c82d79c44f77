"""`record`."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

import typer

from descheduler.cli.source import SourceOptions, read_objects, read_policy
from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.files import write_recording
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.serial import history_to_bytes
from descheduler_profiling.series import History


def make_recording(source: SourceOptions, policy_file: Path | None, path: Path, *, anonymize: bool) -> None:
    """Read everything and write it to `path`; says on stderr what was written."""
    source.check()
    objects, observed = read_objects(source, read_policy(policy_file, source))
    histories = dict(observed.histories)
    if anonymize:
        # The key is forgotten: nobody can find out by trying which name became which pseudonym.
        hidden = Anonymizer(secrets.token_bytes(32))
        objects = hidden.objects(objects)
        histories = {signal: _hidden(history, hidden) for signal, history in histories.items()}
    manifest = write_recording(path, objects, {s: history_to_bytes(h) for s, h in histories.items()})
    counts = {kind: info.count for kind, info in manifest.kinds.items()}
    typer.echo(
        f"{path}: {counts.get('nodes', 0)} nodes, {counts.get('pods', 0)} pods, history of "
        f"{', '.join(sorted(histories)) or 'nothing'}{', anonymized' if anonymize else ''}",
        err=True,
    )


def _hidden(history: History, hidden: Anonymizer) -> History:
    """The history under the pseudonyms of the objects; rows stay sorted by their keys."""
    keys = [WorkloadKey(hidden.text(k.namespace), k.kind, hidden.text(k.name)) for k in history.keys]
    order = sorted(range(len(keys)), key=lambda i: keys[i])
    pods = [(hidden.text(space), hidden.text(pod)) for space, pod in history.pods]
    by_name = sorted(range(len(pods)), key=lambda i: pods[i])
    levels = {(hidden.text(space), hidden.text(pod)): level for (space, pod), level in history.pod_level.items()}
    return replace(
        history,
        keys=tuple(keys[i] for i in order),
        values=history.values[order],
        replicas=history.replicas[order],
        pod_level=levels,
        problems=tuple(hidden.text(problem) for problem in history.problems),
        pods=tuple(pods[i] for i in by_name),
        recent=history.recent[by_name] if pods else history.recent,
    )
