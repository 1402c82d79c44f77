"""What one tenant may write beside others: anything of theirs that is carried over with its names, uids and marks, or
his own with references to theirs.

His pods ask for nothing, and run, if at all, on a node that nobody else may use, so that no resource is shared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from generated.town import EVIL, FRIEND, HONEST, KOORD, OWN_NODE, QUOTA, Objects, town
from kube.wire_objects import Json

NAMESPACED = frozenset(town()) - {
    "namespaces",
    "nodes",
    "storageclasses",
    "persistentvolumes",
    "scheduling.koordinator.sh/Device",
    "resource.k8s.io/ResourceSlice",
}
STATUS_OF_THE_SYSTEM = NAMESPACED - {kind for kind in NAMESPACED if "/" in kind} | {"resource.k8s.io/ResourceClaim"}
"""Kinds whose status no tenant writes; an object of a custom resource has one that its author may have written."""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield key
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _marks(objects: Objects) -> dict[str, list[str]]:
    """Labels and annotations that are in use, with their values."""
    out: dict[str, dict[str, None]] = {}
    for found in (one for several in objects.values() for one in several):
        for key, value in {**found["metadata"].get("labels", {}), **found["metadata"].get("annotations", {})}.items():
            out.setdefault(key, {})[value] = None
    return {key: list(values) for key, values in out.items()}


BASE = town()
THEIRS = [(kind, one) for kind in sorted(NAMESPACED) for one in BASE[kind]]
NAMES = sorted({one["metadata"]["name"] for _, one in THEIRS})
PAIRS = sorted({f"{one['metadata']['namespace']}/{one['metadata']['name']}" for _, one in THEIRS})
MARKS = _marks(BASE) | {
    f"{QUOTA}/namespaces": [json.dumps([HONEST, FRIEND])],
    f"{QUOTA}/runtime": ['{"cpu": 0}'],
    f"{QUOTA}/preemptible": ["false"],
    f"{QUOTA}/parent": NAMES[:2],
    f"{QUOTA}/is-parent": ["true"],
    f"{KOORD}/match-policy": ["only-waiting"],
    f"{KOORD}/total-number": ["99"],
    "kueue.x-k8s.io/pod-group-name": NAMES[:3],
    "kueue.x-k8s.io/pod-group-total-count": ["2"],
    "kueue.x-k8s.io/workload": ["job-sums"],
    "kueue.x-k8s.io/managed": ["true"],
    "volcano.sh/job-name": NAMES[:2],
    "kruise.io/related-pub": ["web"],
    "descheduler.alpha.kubernetes.io/eviction-in-progress": ["true"],
    "descheduler.alpha.kubernetes.io/evict": ["true", "false"],
    "app.kubernetes.io/name": ["descheduler"],
    "fluid.io/dataset": NAMES[:1],
    "scheduling.koordinator.sh/reservation-allocated": ['{"name": "r", "uid": "r"}'],
    "rebalance.descheduler.dev/deadline": ["2030-01-31T12:00:00Z"],
    "batch.kubernetes.io/job-index-failure-count": ["9"],
    "pod-template-hash": ["1"],
    "controller-revision-hash": ["x"],
}
_REFERENCES: list[Json] = [r for _, one in THEIRS for r in one["metadata"].get("ownerReferences", ())]
_SPEC_KEYS = sorted({text for _, one in THEIRS for text in _texts(one.get("spec")) if text.isidentifier()})

_several = st.lists(st.sampled_from(PAIRS), max_size=4).map(json.dumps)
_hostile = st.one_of(
    st.sampled_from([0, 1, 2, 1000, -1, None, True, False, "", "0", "100%", "*", [], {}, {"cpu": "0"}, "-5"]),
    st.sampled_from([*NAMES, *PAIRS, HONEST]),
    st.lists(st.sampled_from(NAMES), max_size=2),
)


@st.composite
def _written_marks(draw: st.DrawFn) -> dict[str, str]:
    keys = draw(st.lists(st.sampled_from(sorted(MARKS)), max_size=4, unique=True))
    return {
        key: draw(st.one_of(st.sampled_from(MARKS[key]), st.sampled_from([*NAMES, *PAIRS]), _several)) for key in keys
    }


def _paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Iterable[tuple[Any, object]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, one in items:
        yield (*path, key)
        yield from _paths(one, (*path, key))


def _put(found: Any, path: tuple[Any, ...], value: object) -> None:
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = deepcopy(value)


@st.composite
def objects_of(draw: st.DrawFn) -> tuple[str, Json]:
    """One object of the other tenant: its kind key, and what he writes."""
    kind, theirs = draw(st.sampled_from(THEIRS))
    mine = deepcopy(theirs)
    metadata = mine["metadata"]
    metadata["namespace"] = EVIL
    if draw(st.booleans()):
        metadata["name"] = draw(st.sampled_from([*NAMES, EVIL, "koordinator-default-quota"]))
    metadata["uid"] = draw(st.sampled_from([metadata["uid"], f"uid-evil-{metadata['name']}"]))
    for key in ("labels", "annotations"):
        if draw(st.booleans()):
            metadata[key] = {**metadata.get(key, {}), **draw(_written_marks())}
    if draw(st.booleans()):
        owners = draw(st.lists(st.sampled_from(_REFERENCES), max_size=2))
        metadata["ownerReferences"] = [{**one, "controller": i == 0} for i, one in enumerate(owners)]
    if draw(st.integers(0, 9)) == 0:
        metadata["deletionTimestamp"] = "2025-10-01T09:00:00Z"
    if kind == "pods":
        _without_resources(mine, bound=draw(st.booleans()))
        return kind, mine
    parts = ["spec"] if kind in STATUS_OF_THE_SYSTEM or "status" not in mine else ["spec", "status"]
    if kind in STATUS_OF_THE_SYSTEM:
        mine.pop("status", None)
    for part in parts:
        for _ in range(draw(st.integers(0, 2))):
            paths = sorted(_paths(mine.get(part)), key=str)
            if paths:
                _put(mine[part], draw(st.sampled_from(paths)), draw(_hostile))
    if draw(st.integers(0, 3)) == 0 and isinstance(mine.get("spec"), dict):
        mine["spec"][draw(st.sampled_from(_SPEC_KEYS))] = draw(_hostile)
    return kind, mine


def _without_resources(found: Json, *, bound: bool) -> None:
    spec = found["spec"]
    spec["containers"] = [{"name": one["name"], "image": one["image"]} for one in spec["containers"]]
    spec.pop("nodeName", None)
    if bound:
        spec["nodeName"] = OWN_NODE
    else:
        found["status"] = {"phase": "Pending"}


def with_tenant(written: Iterable[tuple[str, Json]], namespace: str = EVIL) -> Objects:
    """The town and what the other tenant holds beside it, in the namespace of that name; of two objects of one name the
    API has the later."""
    out = {kind: list(found) for kind, found in BASE.items()}
    his = {(kind, one["metadata"]["name"]): one for kind, one in written}
    for (kind, _), one in his.items():
        out[kind].append(json.loads(json.dumps(one).replace(EVIL, namespace)))
    return out
