"""What is hot already, whatever the forecast says: load that rises as it never did before is in no forecast at first.

A node counts when it was above its threshold in every step of the last minutes, so that a burst which a move would be
too late for does not.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats


def lasting_level(view: RebalanceView, resource: str, seconds: float, limit: Floats) -> Floats:
    """[N] the mean load of the last `seconds` as a fraction of allocatable, of nodes above their `limit` [N] in every
    step of it; 0 of all others.

    Pods without history count as nothing: what is not measured makes no node hot.
    """
    loads, columns = view.loads[resource], view.snapshot.columns
    history, out = view.usage.get(loads.profiles.signal), np.zeros(len(limit))
    steps = max(1, math.ceil(seconds / history.step)) if history is not None else 0
    if history is None or history.values.shape[1] < steps or not history.keys:
        return out
    row_of = {key: row for row, key in enumerate(history.keys)}
    rows = np.array([row_of.get(key, -1) for key in columns.workloads], np.int64)
    pods = columns.order[rows[columns.pod_workload[columns.order]] >= 0]
    at = (columns.pod_node[pods], rows[columns.pod_workload[pods]])
    held = sparse.csr_matrix((loads.pod_weight[pods], at), shape=(len(limit), len(history.keys)))
    used = held @ np.nan_to_num(history.values[:, -steps:])  # [N, steps]
    share = np.asarray(used, np.float64) / np.maximum(loads.capacity, 1e-9)[:, None]
    lasting = (share > limit[:, None]).all(axis=1) & ~loads.unknown
    out[lasting] = share[lasting].mean(axis=1)
    return out
