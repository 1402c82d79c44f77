"""Which quota of Koordinator counts a pod.

Its scheduler knows quotas by their names alone (pkg/scheduler/plugins/elasticquota `GetQuotaName`), though they are
objects of namespaces. So whoever may write in one namespace could take the name of a quota, or claim the pods, of
another. Here a quota of somebody's namespace counts the pods of that namespace, and those of others that name it by
their own label. Only a quota in a namespace of administrators claims pods of others that name none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Mask
from descheduler.model.objects import CustomObject, Json
from descheduler.planning.filters.context import FilterContext

NAME = "quota.scheduling.koordinator.sh/name"
DEFAULT_QUOTA = "koordinator-default-quota"


@dataclass(frozen=True, eq=False, slots=True)
class CountedIn:
    """`quota` [P] is the position of each pod's quota, -1 for none. `guest` [P] pods that are in the quota of another
    namespace by their own word alone."""

    quota: NDArray[np.int32]
    guest: Mask


def counted_in(
    context: FilterContext,
    quotas: Sequence[CustomObject],
    listed: Callable[[int], Json],
    administrators: Collection[str],
) -> CountedIn:
    """`listed`: the namespaces that a quota lists. A pod's label names its quota. One without a label is in the quota
    named after its namespace, else in one that lists it, else in the default one; so is one whose quota is not there.
    """
    names = _Names(quotas, listed, administrators)
    spaces, labels = context.looks.namespaces, context.looks.labels
    quota: NDArray[np.int32] = np.array([names.claiming(space) for space in spaces.values], np.int32)[spaces.rows]
    guest = context.nobody()
    naming = np.array([bool(found.get(NAME)) for found in labels.values], np.bool_)
    pods = np.flatnonzero(naming[labels.rows])
    looks, rows = np.unique(
        labels.rows[pods].astype(np.int64) * len(spaces.values) + spaces.rows[pods], return_inverse=True
    )
    found = np.empty(len(looks), np.int32)
    stranger = np.empty(len(looks), np.bool_)
    for row, look in enumerate(looks.tolist()):
        label, space = divmod(look, len(spaces.values))
        namespace = spaces.values[space]
        found[row] = at = names.named(labels.values[label][NAME], namespace)
        stranger[row] = at >= 0 and quotas[at].namespace not in (namespace, *administrators)
    rows = rows.reshape(-1)
    guest[pods] = stranger[rows] & (found[rows] != quota[pods])
    quota[pods] = found[rows]
    return CountedIn(quota, guest)


class _Names:
    def __init__(
        self, quotas: Sequence[CustomObject], listed: Callable[[int], Json], administrators: Collection[str]
    ) -> None:
        self._own = {(one.namespace, one.name): at for at, one in enumerate(quotas)}
        trusted = [at for at, one in enumerate(quotas) if one.namespace in administrators]
        # Koordinator's webhook lets nobody take a name that there is, so of two the first has it.
        by_age = sorted(range(len(quotas)), key=lambda at: (quotas[at].created or inf, quotas[at].namespace))
        self._first: dict[str, int] = {}
        for at in (*trusted, *by_age):
            self._first.setdefault(quotas[at].name, at)
        self._default = next((at for at in trusted if quotas[at].name == DEFAULT_QUOTA), -1)
        self._listed: dict[str, int] = {}
        for at, one in enumerate(quotas):
            found = listed(at)
            for namespace in found if isinstance(found, list) else ():
                if namespace == one.namespace or one.namespace in administrators:
                    self._listed.setdefault(str(namespace), at)

    def named(self, name: str, namespace: str) -> int:
        """The quota that a pod of the namespace means by a name."""
        return self._own.get((namespace, name), self._first.get(name, self._default))

    def claiming(self, namespace: str) -> int:
        """The quota of the pods of a namespace that name none."""
        own = self._own.get((namespace, namespace))
        return own if own is not None else self._listed.get(namespace, self._default)
