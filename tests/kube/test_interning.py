"""Equal values are one object, and values that nothing uses any more are let go."""

from __future__ import annotations

import msgspec
import pytest

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


@pytest.mark.parametrize("what", ["labels", "spec", "owners"])
def test_what_a_tenant_makes_again_and_again_is_let_go(what: str) -> None:
    """A pod whose labels, spec or owner are others each time, beside some that stay."""
    codec = Codec(KINDS["pods"].at("v1"), Interner())
    store, most = ObjectStore(codec), 0
    put(codec, store, "a", "b")
    for i in range(9_000):
        owner = {"apiVersion": "v1", "kind": "ReplicaSet", "name": "web", "uid": f"u-{i}", "controller": True}
        metadata = {
            "labels": {"app": "web", f"l-{i}": "x"} if what == "labels" else {"app": "web"},
            "ownerReferences": [owner] if what == "owners" else [],
        }
        wanted = {"cpu": f"{i + 1 if what == 'spec' else 1}m"}
        store.put(codec.one(msgspec.json.encode(pod("c", container(requests=wanted), metadata=metadata))))
        if codec.interner.worn:  # as a watch asks after each event
            codec.interner.sweep(store.objects.values())
        most = max(most, len(codec.interner.specs), len(codec.interner._labels), len(codec.interner._owners))
    assert 1_000 < most < 2_100
    first, second = pods(store)[:2]
    assert first.spec is second.spec
    assert first.labels is second.labels


def test_annotations_are_told_apart_however_often_they_were_seen() -> None:
    kept = AnnotationFilter(["team.example.com/"])
    found = {"checksum": "1", "team.example.com/a": "2", "volcano.sh/b": "3"}
    for _ in range(3):
        assert kept(found) == {"team.example.com/a": "2", "volcano.sh/b": "3"}
        assert kept({"checksum": "4"}) == {}
    assert kept(None) == {}
