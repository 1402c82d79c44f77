"""Bytes of one kind to objects of the model, with one broken object never hiding the others.

A page is decoded whole, which is fast; only when that fails are its items decoded one by one. There is a fence around
each of them: an object that cannot be read, for whatever reason, becomes a stand-in that stops what it touches, and a
problem in words.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import Endpoint, page_decoder
from descheduler.kube.convert.pieces import list_of, metadata_of
from descheduler.kube.convert.slimming import Slimmer
from descheduler.kube.convert.stand_ins import Broken, stand_in
from descheduler.kube.convert.wire import CustomWire, ListMetaWire, MetaWire, Object
from descheduler.kube.convert.workloads import MAKES_PODS
from descheduler.model.errors import BadAnswer
from descheduler.model.fence import fenced, in_words


@dataclass(frozen=True, slots=True)
class Items:
    """One decoded page: wire objects, and those that could not be decoded."""

    metadata: ListMetaWire
    good: tuple[Object, ...]
    broken: tuple[Broken, ...] = ()


@dataclass(frozen=True, slots=True)
class DecodedEntry:
    """One converted object. `model` None: nothing to keep (it may be only a problem)."""

    key: str  # `key_of`
    model: object | None
    problem: str = ""


def key_of(meta: MetaWire) -> str:
    """What an object of one kind is kept under: its name, which nobody else can have. Uids are not relied on to be
    unlike, for then one object could stand in the place of another."""
    return f"{meta.namespace}/{meta.name}"


class Codec:
    """Decodes and converts objects of one kind as one cluster serves it. Not shared between threads."""

    def __init__(self, endpoint: Endpoint, interner: Interner) -> None:
        self.endpoint = endpoint
        self.interner = interner
        self._convert = endpoint.converter()
        self._page = page_decoder(endpoint.kind.wire)
        self._one = msgspec.json.Decoder(endpoint.kind.wire)
        self._slimmer = Slimmer(
            endpoint.kind.wire, interner.kept_annotations, templates=endpoint.kind.name in MAKES_PODS
        )

    def page(self, data: bytes) -> Items:
        """Decode a list answer. Raises BadAnswer when it is none."""
        try:
            page = self._page.decode(data)
            return Items(page.metadata, page.items or ())
        except (msgspec.MsgspecError, RecursionError):
            return self._page_by_item(data)

    def _page_by_item(self, data: bytes) -> Items:
        try:
            metadata, items = list_of(data)
        except ValueError as e:
            raise BadAnswer(f"list {self.endpoint.kind.resource}: the answer is not a list: {e}") from e
        found = [self.one(item) for item in items]
        return Items(
            metadata,
            tuple(f for f in found if isinstance(f, Object)),
            tuple(f for f in found if isinstance(f, Broken)),
        )

    def one(self, data: bytes) -> Object | Broken:
        """Decode one object. Raises BadAnswer when it is none."""
        try:
            return self._one.decode(data)
        except (msgspec.MsgspecError, RecursionError) as e:
            try:
                return Broken(data, metadata_of(data), in_words(e))
            except ValueError as worse:
                raise BadAnswer(f"{self.endpoint.kind.resource}: an object cannot be read: {worse}") from worse

    def entry(self, found: Object | Broken) -> DecodedEntry:
        """Convert one object; what cannot be used becomes a stand-in with its problem."""
        key = key_of(found.metadata)
        if isinstance(found, Broken):
            return self._unreadable(key, found, found.why)
        return fenced(lambda: self._converted(key, found), lambda why: self._unreadable(key, found, why))

    def _converted(self, key: str, found: Object) -> DecodedEntry:
        model = self._convert(found, self.interner)
        problem = getattr(model, "problem", "") or getattr(getattr(model, "template", None), "problem", "")
        return DecodedEntry(key, model, self._problem(found.metadata, problem) if problem else "")

    def _unreadable(self, key: str, found: Object | Broken, why: str) -> DecodedEntry:
        stands = fenced(lambda: stand_in(self.endpoint, found, why, self.interner), lambda _why: None)
        return DecodedEntry(key, stands, self._problem(found.metadata, why))

    def _problem(self, meta: MetaWire, why: str) -> str:
        name = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
        return f"{self.endpoint.kind.name} {name}: {why}"

    def slim(self, found: Object | Broken) -> bytes:
        """The object as a line of a recording: only what our schemas read, annotations filtered."""
        # Items of built-in kinds have no apiVersion of their own.
        version = self.endpoint.api_version if issubclass(self.endpoint.kind.wire, CustomWire) else ""
        data = found.raw if isinstance(found, Broken) else msgspec.json.encode(found)
        return self._slimmer.line(data, found.metadata, version)
