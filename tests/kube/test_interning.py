"""Equal values are one object, and values that nothing uses any more are let go."""

from __future__ import annotations

import msgspec

from descheduler.kube.client.object_store import ObjectStore
from descheduler.kube.convert.annotations import AnnotationFilter
from descheduler.kube.convert.decoding import Codec
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import KINDS
from descheduler.model.pods import Pod
from kube.wire_objects import container, pod


def put(codec: Codec, store: ObjectStore, *names: str, version: int = 0) -> None:
    for name in names:
        labels = {"labels": {"app": "web", "version": str(version)}}
        found = pod(name, container(requests={"cpu": f"{100 + version}m"}), metadata=labels)
        store.put(codec.one(msgspec.json.encode(found)))


def pods(store: ObjectStore) -> list[Pod]:
    return [found for found in store.objects.values() if isinstance(found, Pod)]


def test_a_sweep_forgets_what_is_gone_and_keeps_what_is_shared() -> None:
    codec = Codec(KINDS["pods"].at("v1"), Interner())
    store = ObjectStore(codec)
    for version in range(20):  # rollouts: each one a new label set and a new spec for the same pods
        put(codec, store, "a", "b", version=version)
    assert codec.interner.specs.fresh == 20
    codec.interner.sweep(store.objects.values())
    assert codec.interner.specs.fresh == 0
    assert len(codec.interner.specs) == 1
    put(codec, store, "c", version=19)
    first, second, third = pods(store)
    assert first.spec is second.spec is third.spec
    assert first.labels is second.labels is third.labels
    put(codec, store, "d", version=3)
    assert pods(store)[3].spec.requests == (("cpu", 103), ("pods", 1))


def test_annotations_are_told_apart_however_often_they_were_seen() -> None:
    kept = AnnotationFilter(["team.example.com/"])
    found = {"checksum": "1", "team.example.com/a": "2", "volcano.sh/b": "3"}
    for _ in range(3):
        assert kept(found) == {"team.example.com/a": "2", "volcano.sh/b": "3"}
        assert kept({"checksum": "4"}) == {}
    assert kept(None) == {}
