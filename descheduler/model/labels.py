"""Immutable, hashable label and annotation maps, so that equal ones can be shared and compared by identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn


class Labels(dict[str, str]):
    """A frozen `dict[str, str]`; hashable, so it can be interned and take part in signatures."""

    __slots__ = ("_hash",)
    _hash: int

    def __hash__(self) -> int:  # type: ignore[override]  # dict sets __hash__ to None; this one cannot change
        try:
            return self._hash
        except AttributeError:
            self._hash = hash(frozenset(self.items()))
            return self._hash

    def _frozen(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("Labels are immutable")

    __setitem__ = __delitem__ = __ior__ = _frozen
    clear = pop = popitem = setdefault = update = _frozen

    def with_(self, other: Mapping[str, str]) -> Labels:
        """A copy with `other` laid over it."""
        return Labels({**self, **other})


NO_LABELS = Labels()
