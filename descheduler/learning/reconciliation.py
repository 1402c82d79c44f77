"""Completing the ledger from what the cluster is like now: where evicted pods came up, and which never will."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from descheduler.learning.ledger import Ledger, LedgerEntry
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot

_SKEW = 2.0  # seconds between our clock and the server's


def settle(ledger: Ledger, snapshot: ClusterSnapshot, now: float) -> Ledger:
    """With the replacements that are there now, for entries that still wait for one.

    A replacement is a pod of the same workload, made since the eviction, that replaces no other evicted pod; of the
    same name if there is one. Once the workload has all the ready pods it wants, no more replacements are expected.
    """
    waiting = {e.uid: e for e in ledger.entries if e.waiting and now - e.at < ledger.rules.pending_window}
    if not waiting:
        return ledger
    pods = _pods_of(snapshot, {e.workload for e in waiting.values()})
    taken = {e.successor for e in ledger.entries if e.successor}
    satisfied = {str(w.key) for w in snapshot.workloads.values() if w.replicas <= w.ready}
    found: dict[str, LedgerEntry] = {}
    for uid, entry in waiting.items():
        there = pods.get(entry.workload, [])
        pod = next((p for p in there if p.uid == entry.successor), None) or _replacement(entry, there, taken)
        if pod is not None:
            taken.add(pod.uid)
            ready = max(0.0, now - entry.at) if pod.ready else None
            found[uid] = replace(entry, landed=pod.node, successor=pod.uid, ready_seconds=ready)
        elif entry.workload in satisfied and now - entry.at > ledger.rules.settle:
            found[uid] = replace(entry, closed=True)
    return replace(ledger, entries=tuple(found.get(e.uid, e) for e in ledger.entries))


def _replacement(entry: LedgerEntry, pods: list[Pod], taken: set[str]) -> Pod | None:
    new = [p for p in pods if p.uid not in taken and p.uid != entry.uid and p.created >= entry.at - _SKEW]
    return min(new, key=lambda p: (p.key != entry.pod, p.created, p.name), default=None)


def _pods_of(snapshot: ClusterSnapshot, workloads: set[str]) -> dict[str, list[Pod]]:
    columns = snapshot.columns
    names = {i: str(key) for i, key in enumerate(columns.workloads) if str(key) in workloads}
    found: dict[str, list[Pod]] = {}
    for position in np.flatnonzero(np.isin(columns.pod_workload, list(names))).tolist():
        pod = snapshot.pods[position]
        if pod.deleting is None and not pod.terminal:
            found.setdefault(names[int(columns.pod_workload[position])], []).append(pod)
    return found
