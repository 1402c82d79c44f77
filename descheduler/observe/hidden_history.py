"""A history under the pseudonyms of the cluster it is of."""

from __future__ import annotations

from dataclasses import replace

from descheduler.kube.recording.field_rules import Holds
from descheduler.kube.recording.pseudonyms import Pseudonyms
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.signals import builtin_signals
from descheduler_profiling.series import History, Strain


def signal_name(signal: str, hidden: Pseudonyms) -> str:
    """What a signal is called: its own name if everybody has it, a pseudonym if a policy made it up."""
    return signal if signal in builtin_signals() else hidden.text(signal)


def hidden_history(history: History, hidden: Pseudonyms) -> tuple[str, History]:
    """The history and its signal's name; rows stay sorted by their keys."""

    def key_of(key: WorkloadKey) -> WorkloadKey:
        return WorkloadKey(hidden.text(key.namespace), hidden.of(Holds.KIND, key.kind), hidden.text(key.name))

    keys = [key_of(key) for key in history.keys]
    order = sorted(range(len(keys)), key=lambda i: keys[i])
    pods = [(hidden.text(space), hidden.text(pod)) for space, pod in history.pods]
    by_name = sorted(range(len(pods)), key=lambda i: pods[i])
    builtin = history.signal in builtin_signals()
    signal = signal_name(history.signal, hidden)
    return signal, replace(
        history,
        signal=signal,
        unit=history.unit if builtin else hidden.text(history.unit),
        keys=tuple(keys[i] for i in order),
        values=history.values[order],
        replicas=history.replicas[order],
        pod_level={(hidden.text(space), hidden.text(pod)): level for (space, pod), level in history.pod_level.items()},
        problems=tuple(hidden.text(problem) for problem in history.problems),
        pods=tuple(pods[i] for i in by_name),
        standing_still=tuple(sorted(hidden.text(node) for node in history.standing_still)),
        recent=history.recent[by_name] if pods else history.recent,
        strain=Strain(
            {key_of(key): share for key, share in history.strain.throttled.items()},
            {hidden.text(node): share for node, share in history.strain.pressed.items()},
        ),
    )
