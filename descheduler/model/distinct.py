"""Which objects of a long sequence are one and the same: what is asked per object is then asked once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from descheduler.model.arrays import Ints32
from descheduler.model.labels import Labels
from descheduler.model.pods import Phase, Pod
from descheduler.model.workloads import OwnerRef

V = TypeVar("V")


class Distinct(NamedTuple, Generic[V]):
    """`values` [D] without repeats, in order of first appearance; `rows` [P] the position of each item among them."""

    values: list[V]
    rows: Ints32


def distinct(items: Iterable[V]) -> Distinct[V]:
    """Tell apart by identity, which is cheap and finds what converters interned; equal objects merely cost a row.

    The caller keeps the items alive, so that no identity is used twice.
    """
    items = items if isinstance(items, (list, tuple)) else list(items)
    # One hash table over plain integers; numpy's sort-based `unique` costs twice as much at 150,000 items.
    rows: dict[int, int] = {}
    at = [rows.setdefault(key, len(rows)) for key in map(id, items)]
    first = dict(zip(map(id, items), items, strict=True))
    return Distinct([first[key] for key in rows], np.array(at, np.int32))


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
    def owners(self) -> Distinct[object]:
        """One row for each controller (`shared`) of a namespace; ask questions of `first_of_owner`.

        Owners are of the namespace of whom they own. So who names the controller of another namespace, by its uid and
        all, names one of his own that is not there.
        """
        return apart(distinct([shared(p.owners) for p in self._pods]), self.namespaces.rows)

    @cached_property
    def first_of_owner(self) -> list[Pod]:
        """One pod for each row of `owners`."""
        rows = self.owners.rows
        first = np.zeros(len(self.owners.values), np.int64)
        first[rows[::-1]] = np.arange(len(rows) - 1, -1, -1)
        return [self._pods[i] for i in first.tolist()]
