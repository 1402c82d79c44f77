"""Whether series speak of the pods of this cluster: those of an exporter, or of another cluster, speak of others."""

from __future__ import annotations

from descheduler.contract.loads import YOUNG
from descheduler.model.snapshot import ClusterSnapshot
from descheduler_profiling.history.absence import exporters_own, setting
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.signals import Signal
from descheduler_profiling.series import History


def unheard(
    client: HistoryClient,
    signal: Signal,
    history: History,
    query: str,
    snapshot: ClusterSnapshot,
    *,
    min_coverage: float,
    match: str,
) -> str:
    """Why a signal that every pod has says too little of the pods that run; empty where it says enough.

    Empty too where that has no cause that can be told: how many pods are covered is judged elsewhere. `query` is the
    one that answered. The server is asked only where pods are missing.
    """
    if not history.pod_level:
        return ""
    named = next(iter(history.pod_level))  # of the pods in it either all exist, or none
    heard = len(history.pod_level) if named in snapshot.pod_index else 0
    running = snapshot.columns.order
    if heard >= min_coverage * len(running):
        return ""
    old = sum((snapshot.pods[at].started or snapshot.taken_at) <= snapshot.taken_at - YOUNG for at in running.tolist())
    if heard >= min_coverage * old:
        return ""
    told = exporters_own(client, signal, query, history.end, match)
    if told or heard:
        return told
    count, one = len(history.pod_level), "/".join(named)
    return (
        f"none of the {count} pods that have series (such as {one}) is in this cluster: is this the server that "
        "scrapes it (history.url, history.match), with honorLabels: true? Where labels have other names, say so in "
        f"{setting(signal)}"
    )
