"""Who is disrupted first, where several would do: the order of kubernetes-sigs/descheduler (pkg/descheduler/pod)."""

from __future__ import annotations

from functools import partial

import numpy as np

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Ints, Positions
from descheduler.model.snapshot import ClusterSnapshot

PREFER_NO_EVICTION = "descheduler.alpha.kubernetes.io/prefer-no-eviction"
_QOS = {"BestEffort": 0, "Burstable": 1, "Guaranteed": 2}


def first_to_go(view: RebalanceView, pods: Positions) -> Positions:
    """[K] the pods, lowest priority first, then BestEffort, Burstable, Guaranteed, then those that prefer to stay after
    the others; of those who are still equal the cheapest to restart first, then by position."""
    columns, snapshot = view.snapshot.columns, view.snapshot
    keys = (
        pods,
        view.costs[pods],
        snapshot.once(PREFER_NO_EVICTION, partial(_preferring, snapshot))[pods],
        snapshot.once("qos", partial(_qos, snapshot))[columns.pod_spec[pods]],
        columns.pod_priority[pods],
    )
    ordered: Positions = pods[np.lexsort(keys)]
    return ordered


def _preferring(snapshot: ClusterSnapshot) -> Ints:
    """[P] 1 where a pod would rather not be evicted."""
    found = snapshot.looks.annotations
    return np.array([PREFER_NO_EVICTION in one for one in found.values], np.int64)[found.rows]


def _qos(snapshot: ClusterSnapshot) -> Ints:
    """[S] rank of each spec's quality of service class."""
    return np.array([_QOS.get(spec.qos, 1) for spec in snapshot.columns.specs], np.int64)
