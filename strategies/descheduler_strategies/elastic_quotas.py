"""The ElasticQuotas of scheduler-plugins (`scheduling.x-k8s.io`, KEP-9): one for each namespace.

What a namespace uses up to `min` is guaranteed. What others leave of theirs may be borrowed, up to `max`; all that is
used together stays within the sum of all `min` (pkg/capacityscheduling/capacity_scheduling.go, PreFilter). Use is
counted from pods, with init containers and overhead: the status leaves out pods that are bound and do not run yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats, added_up
from descheduler.model.objects import CustomObject, Json
from descheduler.model.quantity import InvalidQuantity, amount

KIND = "scheduling.x-k8s.io/ElasticQuota"
_FIELDS = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True, eq=False, slots=True)
class ElasticQuotas:
    """Q quotas over R resources, by namespace, ascending; namespaces whose quota cannot be read are left out.

    `least` [Q, R] is guaranteed (0 where nothing is said), `most` [Q, R] the limit (infinite where nothing is said),
    `used` [Q, R] by pods that have a node. `counted` [R] are the resources of which a `min` speaks, `of_pod` [P] the
    quota of each pod, -1 for none.
    """

    namespaces: tuple[str, ...]
    least: Floats
    most: Floats
    used: Floats
    counted: NDArray[np.bool_]
    of_pod: NDArray[np.int32]

    @property
    def borrowed(self) -> Floats:
        """[Q, R] what each uses beyond what it is guaranteed."""
        found: Floats = np.where(self.counted, np.maximum(self.used - self.least, 0.0), 0.0)
        return found

    @property
    def lent(self) -> Floats:
        """[Q, R] what each is guaranteed and does not use."""
        found: Floats = np.where(self.counted, np.maximum(self.least - self.used, 0.0), 0.0)
        return found

    @property
    def unused(self) -> Floats:
        """[R] what all together may still use; infinite for what no `min` speaks of."""
        found: Floats = np.where(self.counted, (self.least - self.used).sum(axis=0), np.inf)
        return found


def elastic_quotas(view: RebalanceView) -> ElasticQuotas:
    """Those of the cluster, as the plan leaves them so far; of several in one namespace none counts, for nobody can say
    which holds."""
    columns, looks = view.snapshot.columns, view.snapshot.looks.namespaces
    by_namespace: dict[str, list[CustomObject]] = {}
    for quota in view.snapshot.objects.get(KIND, ()):
        by_namespace.setdefault(quota.namespace, []).append(quota)
    read = {
        name: found
        for name, several in sorted(by_namespace.items())
        if len(several) == 1 and (found := _read(several[0], columns.resources)) is not None
    }
    names = tuple(read)
    place = {name: at for at, name in enumerate(names)}
    of_pod: NDArray[np.int32] = np.array([place.get(name, -1) for name in looks.values], np.int32)[looks.rows]
    there = columns.pod_live.copy()
    there[[pod for pod, node in view.start.moved.items() if node < 0]] = False  # let go by this plan already
    there[[seat.pod for proposal in view.granted for seat in proposal.seats]] = True
    live = np.flatnonzero(there & (of_pod >= 0)).astype(np.int32)
    width = len(columns.resources)
    least = np.array([least for least, _ in read.values()], np.float64).reshape(-1, width)
    return ElasticQuotas(
        namespaces=names,
        least=least,
        most=np.array([most for _, most in read.values()], np.float64).reshape(-1, width),
        used=added_up(len(names), of_pod[live], columns.requests(live)).astype(np.float64),
        counted=np.array((least > 0).any(axis=0), np.bool_),
        of_pod=of_pod,
    )


def _read(quota: CustomObject, resources: tuple[str, ...]) -> tuple[list[float], list[float]] | None:
    """Its `min` and `max` by resource."""
    least, most = quota.spec.get("min") or {}, quota.spec.get("max") or {}
    if quota.problem or quota.deleting or not isinstance(least, dict) or not isinstance(most, dict):
        return None
    try:
        return _amounts(least, resources, 0.0, 0.0), _amounts(most, resources, np.inf, 0.0 if most else np.inf)
    except InvalidQuantity:
        return None


def _amounts(
    written: Mapping[str, Json], resources: tuple[str, ...], absent: float, absent_field: float
) -> list[float]:
    """What is not written; the scheduler has `_FIELDS` as fields, which are 0 then where anything is written."""
    return [
        float(amount(name, str(written[name]))) if name in written else absent_field if name in _FIELDS else absent
        for name in resources
    ]
