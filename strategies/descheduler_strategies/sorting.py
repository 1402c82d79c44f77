"""Who is disrupted first, where several would do: the order of kubernetes-sigs/descheduler (pkg/descheduler/pod)."""

from __future__ import annotations

from functools import partial

import numpy as np

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Ints, Positions
from descheduler.model.snapshot import ClusterSnapshot

PREFER_NO_EVICTION = "descheduler.alpha.kubernetes.io/prefer-no-eviction"
_QOS = {"BestEffort": 0, "Burstable": 1, "Guaranteed": 2}


def first_to_go(view: RebalanceView, pods: Positions, after: Ints | None = None) -> Positions:
    """[K] the pods, lowest priority first, then BestEffort, Burstable, Guaranteed, then those that prefer to stay after
    the others; of those who are still equal as `after` [K] says, the cheapest to restart first, then by position."""
    priority, quality, preference = _ranks(view, pods)
    keys = (pods, view.costs[pods], np.zeros(len(pods)) if after is None else after, preference, quality, priority)
    ordered: Positions = pods[np.lexsort(keys)]
    return ordered


def tiers(view: RebalanceView, pods: Positions) -> Ints:
    """[K] the same number for pods that go in any order, by priority, quality of service and preference; the lowest
    goes first."""
    priority, quality, preference = _ranks(view, pods)
    order = np.lexsort((preference, quality, priority))
    begins = np.zeros(len(pods), np.int64)
    for key in (priority, quality, preference):
        begins[1:] |= np.diff(key[order]) != 0
    found = np.empty(len(pods), np.int64)
    found[order] = np.cumsum(begins)
    return found


def _ranks(view: RebalanceView, pods: Positions) -> tuple[Ints, Ints, Ints]:
    """[K] each: priority, quality of service, and whether a pod would rather stay."""
    columns, snapshot = view.snapshot.columns, view.snapshot
    return (
        columns.pod_priority[pods],
        snapshot.once("qos", partial(_qos, snapshot))[columns.pod_spec[pods]],
        snapshot.once(PREFER_NO_EVICTION, partial(_preferring, snapshot))[pods],
    )


def _preferring(snapshot: ClusterSnapshot) -> Ints:
    """[P] 1 where a pod would rather not be evicted."""
    found = snapshot.looks.annotations
    return np.array([PREFER_NO_EVICTION in one for one in found.values], np.int64)[found.rows]


def _qos(snapshot: ClusterSnapshot) -> Ints:
    """[S] rank of each spec's quality of service class."""
    return np.array([_QOS.get(spec.qos, 1) for spec in snapshot.columns.specs], np.int64)
