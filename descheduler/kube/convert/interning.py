"""One object for equal values, so that 150,000 pods of 15,000 workloads cost little more than 15,000.

A table first looks a value up by what it looked like on the wire (bytes), which costs no decoding, and only then
by value.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from hashlib import blake2b
from typing import Generic, TypeVar

import msgspec

from descheduler.kube.convert.annotations import AnnotationFilter
from descheduler.kube.convert.wire import OwnerWire
from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.pod_status import PodStatus
from descheduler.model.pods import PodSpec
from descheduler.model.workloads import OwnerRef

V = TypeVar("V", bound=Hashable)

_FEW = 2_000  # new values that are not worth a sweep
_labels_decoder = msgspec.json.Decoder(dict[str, str] | None)


class Table(Generic[V]):
    """Values by what they looked like (`key`, shortened to 16 bytes) and by themselves."""

    __slots__ = ("_by_look", "_by_value", "fresh")

    def __init__(self) -> None:
        self._by_look: dict[bytes, V] = {}
        self._by_value: dict[V, V] = {}
        self.fresh = 0  # values met for the first time since the last `keep`

    def __len__(self) -> int:
        """Distinct values."""
        return len(self._by_value)

    def get(self, look: bytes, make: Callable[[], V]) -> V:
        """The value that looked like `look` before, else an equal one, else what `make` gives."""
        if len(look) > 16:
            look = blake2b(look, digest_size=16).digest()
        value = self._by_look.get(look)
        if value is None:
            self.fresh += 1
            made = make()
            value = self._by_look[look] = self._by_value.setdefault(made, made)
        return value

    def keep(self, used: set[int]) -> None:
        """Forget all but the values whose `id` is in `used`."""
        self._by_look = {look: value for look, value in self._by_look.items() if id(value) in used}
        self._by_value = {value: value for value in self._by_value if id(value) in used}
        self.fresh = 0


class Interner:
    """The tables of one kind's converter. Not shared between threads."""

    def __init__(self, annotations: Iterable[str] = ()) -> None:
        self._texts: dict[str, str] = {}
        self._instants: dict[str | None, float] = {}
        self._owners: dict[tuple[OwnerWire, ...], tuple[OwnerRef, ...]] = {}
        self._owners_kept = 0
        self._live = 0  # objects at the last sweep
        self._labels: Table[Labels] = Table()
        self.specs: Table[PodSpec] = Table()
        self.statuses: Table[PodStatus] = Table()
        self.kept_annotations = AnnotationFilter(annotations)

    def text(self, text: str) -> str:
        """The one object of this text; for texts that many objects share (namespaces, node names)."""
        return self._texts.setdefault(text, text)

    def instant(self, written: str | None) -> float:
        """A time as the API writes it, in unix seconds; 0 without one. Raises ValueError."""
        found = self._instants.get(written)
        if found is None:
            found = self._instants[written] = datetime.fromisoformat(written).timestamp() if written else 0.0
        return found

    def labels(self, raw: msgspec.Raw) -> Labels:
        look = bytes(raw)
        if len(look) <= 2:  # absent, or {}
            return NO_LABELS
        return self._labels.get(look, lambda: self._read_labels(look))

    def _read_labels(self, raw: bytes) -> Labels:
        found = _labels_decoder.decode(raw)
        if not found:
            return NO_LABELS
        return Labels({self.text(key): self.text(value) for key, value in found.items()})

    def annotations(self, found: dict[str, str] | None) -> Labels:
        """Those that some part reads (see `annotations`)."""
        kept = self.kept_annotations(found)
        return Labels({self.text(key): value for key, value in kept.items()}) if kept else NO_LABELS

    def owners(self, found: tuple[OwnerWire, ...] | None) -> tuple[OwnerRef, ...]:
        if not found:
            return ()
        owners = self._owners.get(found)
        if owners is None:
            owners = self._owners[found] = tuple(
                OwnerRef(self.text(o.api_version), self.text(o.kind), o.name, o.uid, bool(o.controller)) for o in found
            )
        return owners

    @property
    def worn(self) -> bool:
        """More new values were met since the last sweep than there are objects: most of them nobody uses any more.

        So no more is ever held for objects that are gone than for those that are there, whatever came and went.
        """
        owners = len(self._owners) - self._owners_kept
        small = (len(self._texts) + len(self._instants)) // 8
        fresh = max(self.specs.fresh, self.statuses.fresh, self._labels.fresh, owners, small)
        return fresh > max(_FEW, self._live)

    def sweep(self, live: Iterable[object]) -> None:
        """Forget what none of the objects in use refers to any more."""
        used: set[int] = set()
        self._live = 0
        for found in live:
            self._live += 1
            for one in (found, getattr(found, "template", None)):
                for name in ("spec", "status", "labels", "owners"):
                    used.add(id(getattr(one, name, None)))
        self.specs.keep(used)
        self.statuses.keep(used)
        self._labels.keep(used)
        self._owners = {look: owners for look, owners in self._owners.items() if id(owners) in used}
        self._owners_kept = len(self._owners)
        self._texts, self._instants = {}, {}
