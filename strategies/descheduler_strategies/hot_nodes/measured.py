"""What is hot already, whatever the forecast says: load that rises as it never did before is in no forecast at first.

A node counts when it was above its threshold in every step of the last minutes, so that a burst which a move would be
too late for does not.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats


def lasting_level(view: RebalanceView, resource: str, seconds: float, limit: Floats) -> Floats:
    """[N] the mean load of the last steps, which are longer than `seconds` together, as a fraction of allocatable, of
    nodes above their `limit` [N] in all of them; 0 of all others.

    What runs outside of pods counts as in forecasts. Pods without history count as nothing: what is not measured makes
    no node hot.
    """
    loads, columns = view.loads[resource], view.snapshot.columns
    history, out = view.usage.get(loads.profiles.signal), np.zeros(len(limit))
    steps = int(seconds // history.step) + 1 if history is not None else 0  # for longer than `seconds`
    if history is None or history.values.shape[1] < steps or not history.keys:
        return out
    row_of = {key: row for row, key in enumerate(history.keys)}
    rows = np.array([row_of.get(key, -1) for key in columns.workloads], np.int64)
    pods = columns.order[rows[columns.pod_workload[columns.order]] >= 0]
    at = (columns.pod_node[pods], rows[columns.pod_workload[pods]])
    held = sparse.csr_matrix((loads.pod_weight[pods], at), shape=(len(limit), len(history.keys)))
    used = np.asarray(held @ np.nan_to_num(history.values[:, -steps:]), np.float64)  # [N, steps]
    outside = view.usage.get(loads.outside.signal)
    if outside is not None and outside.end == history.end and outside.values.shape[1] >= steps:
        used = used + loads.outside.lately(outside, steps)
    share = used / np.maximum(loads.capacity, 1e-9)[:, None]
    lasting = (share > limit[:, None]).all(axis=1) & ~loads.unknown
    out[lasting] = share[lasting].mean(axis=1)
    return out
