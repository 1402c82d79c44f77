"""Which objects of a long sequence are one and the same: what is asked per object is then asked once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from descheduler.model.arrays import Ints, Ints32, Mask
from descheduler.model.labels import Labels
from descheduler.model.owners import OwnerRef
from descheduler.model.pod_status import PodStatus
from descheduler.model.pods import Phase, Pod

V = TypeVar("V")


class Distinct(NamedTuple, Generic[V]):
    """`values` [D] without repeats, in order of first appearance; `rows` [P] the position of each item among them."""

    values: list[V]
    rows: Ints32

    @property
    def first(self) -> Ints:
        """[D] position of the first item of each."""
        first = np.zeros(len(self.values), np.int64)
        first[self.rows[::-1]] = np.arange(len(self.rows) - 1, -1, -1)
        return first


def distinct(items: Iterable[V]) -> Distinct[V]:
    """Tell apart by identity, which is cheap and finds what converters interned; equal objects merely cost a row.

    The caller keeps the items alive, so that no identity is used twice.
    """
    items = items if isinstance(items, (list, tuple)) else list(items)
    _, first, rows = np.unique(
        np.fromiter(map(id, items), np.int64, len(items)), return_index=True, return_inverse=True
    )
    order = np.argsort(first)
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return Distinct([items[at] for at in first[order].tolist()], place[rows])


def shared(owners: tuple[OwnerRef, ...]) -> object:
    """What stands for these owners by identity: pods of one controller share the reference, if not the tuple."""
    return owners[0] if len(owners) == 1 else owners


def apart(found: Distinct[V], by: Ints32) -> Distinct[V]:
    """The same items told apart `by` [P] as well; a value that is found under several gets a row for each."""
    home = np.zeros(len(found.values), np.int32)
    home[found.rows[::-1]] = by[::-1]
    others = np.flatnonzero(home[found.rows] != by)
    if not others.size:
        return found
    keys = found.rows[others].astype(np.int64) * (int(by.max()) + 1) + by[others]
    _, first, more = np.unique(keys, return_index=True, return_inverse=True)
    rows = found.rows.copy()
    rows[others] = len(found.values) + more.reshape(-1)
    return Distinct([*found.values, *(found.values[found.rows[others[i]]] for i in first.tolist())], rows)


class Looks:
    """What pods share, told apart once for everybody who asks."""

    def __init__(self, pods: Sequence[Pod]) -> None:
        self._pods = pods

    @cached_property
    def labels(self) -> Distinct[Labels]:
        return distinct([p.labels for p in self._pods])

    @cached_property
    def annotations(self) -> Distinct[Labels]:
        return distinct([p.annotations for p in self._pods])

    @cached_property
    def namespaces(self) -> Distinct[str]:
        return distinct([p.namespace for p in self._pods])

    @cached_property
    def phases(self) -> Distinct[Phase]:
        return distinct([p.phase for p in self._pods])

    @cached_property
    def statuses(self) -> Distinct[PodStatus]:
        return distinct([p.status for p in self._pods])

    @cached_property
    def terminal(self) -> Mask:
        """[P] pods that are over."""
        over = [phase in (Phase.SUCCEEDED, Phase.FAILED) for phase in self.phases.values]
        found: Mask = np.array(over, np.bool_)[self.phases.rows]
        return found

    @cached_property
    def owners(self) -> Distinct[object]:
        """One row for each controller (`shared`) of a namespace; ask questions of `first_of_owner`.

        Owners are of the namespace of whom they own. So who names the controller of another namespace, by its uid and
        all, names one of his own that is not there.
        """
        return apart(distinct([shared(p.owners) for p in self._pods]), self.namespaces.rows)

    @cached_property
    def first_of_owner(self) -> list[Pod]:
        """One pod for each row of `owners`."""
        return [self._pods[at] for at in self.owners.first.tolist()]
