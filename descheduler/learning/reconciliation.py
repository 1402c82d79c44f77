"""Completing the ledger from what the cluster is like now: where evicted pods came up, and which never will."""

from __future__ import annotations

from dataclasses import replace

from descheduler.execution.replacements import LostPod, match
from descheduler.learning.entry import LedgerEntry
from descheduler.learning.ledger import Ledger
from descheduler.model.pods import Pod
from descheduler.model.removed_state import was_unready
from descheduler.model.snapshot import ClusterSnapshot

_SKEW = 2.0  # seconds between our clock and the server's


def reconcile(ledger: Ledger, snapshot: ClusterSnapshot, now: float) -> Ledger:
    """With the replacements that are there now, for entries that still wait for one.

    A pod that was made since the eviction is new, unless it replaces another evicted pod. Once the workload has all the
    ready pods it wants, no more replacements are expected.
    """
    waiting = {e.uid: e for e in ledger.entries if e.waiting and now - e.at < ledger.rules.circuit.window}
    if not waiting:
        return ledger
    taken = {e.successor for e in ledger.entries if e.successor}

    def is_new(lost: LostPod, pod: Pod) -> bool:
        return pod.uid != lost.uid and pod.uid not in taken and pod.created >= waiting[lost.uid].at - _SKEW

    lost = [LostPod(e.uid, e.pod, e.workload, e.successor) for e in waiting.values()]
    replaced = match(snapshot, lost, is_new)
    satisfied = {str(w.key) for w in snapshot.workloads.values() if w.replicas <= w.ready}
    found: dict[str, LedgerEntry] = {}
    for uid, entry in waiting.items():
        pod = replaced.get(uid)
        if pod is not None:
            ready = max(0.0, now - entry.at) if pod.ready or (pod.node and was_unready(entry.removed)) else None
            found[uid] = replace(entry, landed=pod.node, successor=pod.uid, ready_seconds=ready)
        elif entry.workload in satisfied and now - entry.at > ledger.rules.settle:
            found[uid] = replace(entry, closed=True)
    return replace(ledger, entries=tuple(found.get(e.uid, e) for e in ledger.entries))
