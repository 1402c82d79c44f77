"""How much more the namespaces of gangs may use by their ElasticQuotas (scheduler-plugins, KEP-9).

What is used is counted from pods: the status leaves out pods that are bound and do not run yet.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats
from descheduler.model.objects import CustomObject
from descheduler.model.quantity import InvalidQuantity, amount

KIND = "scheduling.x-k8s.io/ElasticQuota"


def room_by_namespace(view: RebalanceView) -> Mapping[str, Floats]:
    """[R] amounts by namespace, infinite for what its quota does not name; none of a namespace without a quota, or with
    one that cannot be read."""
    columns, pods = view.snapshot.columns, view.snapshot.pods
    left: dict[str, Floats] = {}
    for quota in view.snapshot.objects.get(KIND, ()):
        largest = _largest(quota, columns.resources)
        if largest is not None:
            left[quota.namespace] = np.minimum(left.get(quota.namespace, largest), largest)
    if left:
        for pod in np.flatnonzero(columns.pod_live).tolist():
            if pods[pod].namespace in left:
                left[pods[pod].namespace] = left[pods[pod].namespace] - columns.requests(np.array([pod], np.int32))[0]
    return left


def _largest(quota: CustomObject, resources: tuple[str, ...]) -> Floats | None:
    """[R] its `max`."""
    written = quota.spec.get("max")
    if quota.problem or quota.deleting or not isinstance(written, dict):
        return None
    try:
        return np.array([float(amount(r, str(written[r]))) if r in written else np.inf for r in resources])
    except InvalidQuantity:
        return None
