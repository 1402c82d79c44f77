"""Whether the memory of pods moves: where it does and no CPU is used, the counters of CPU are broken."""

from __future__ import annotations

import re
from collections.abc import Sequence

from descheduler.model.errors import HistoryRefused
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.failures import TooMuch
from descheduler_profiling.history.signals import render
from descheduler_profiling.history.sources import Sources

_MOVED = "count by (namespace, pod) (changes(container_memory_working_set_bytes{%s$containers$match}[1h]) > 0)"


def memory_moves(
    client: HistoryClient, pods: Sequence[tuple[str, str]], at: int, match: str, sources: Sources
) -> set[tuple[str, str]]:
    """Those of the pods whose memory changed in the hour before `at`; none where the server does not tell.

    Raises:
        HistoryUnreachable, HistoryPartial: as `HistoryClient.query` does.
    """
    spaces, names = (_any(sorted({pod[i] for pod in pods})) for i in (0, 1))
    try:
        answer = client.query(render(sources.fill(_MOVED % f'namespace=~"{spaces}",pod=~"{names}"'), 0, match), at)
    except (HistoryRefused, TooMuch):
        return set()
    found = {(one.labels.get("namespace", ""), one.labels.get("pod", "")) for one in answer.series}
    return found & set(pods)


def _any(names: Sequence[str]) -> str:
    """A regular expression in a PromQL string; names of Kubernetes have no other special character than a dot."""
    return "|".join(re.sub(r"\.", r"\\\\.", name) for name in names)
