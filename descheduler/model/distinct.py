"""Which objects of a long sequence are one and the same: what is asked per object is then asked once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

V = TypeVar("V")


class Distinct(NamedTuple, Generic[V]):
    """`values` [D] without repeats, in order of first appearance; `rows` [P] the position of each item among them."""

    values: list[V]
    rows: NDArray[np.int32]


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
