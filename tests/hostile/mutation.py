"""What an object becomes in the hands of somebody who means ill, or who just errs."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import msgspec

from descheduler.kube.convert.kinds import KINDS
from hostile import values
from hostile.fields import key as any_key
from hostile.fields import some_fields
from hostile.objects import NAMES, NODES, TENANTS, owner
from hostile.words import field_names, label_keys

Json = Any

DEEP = 9
"""Levels that a walk into an object goes down at the most."""


def mutated(rng: Random, kind: str, found: dict[str, Json]) -> dict[str, Json]:
    """The object with up to four things wrong, sometimes none."""
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 4))):
        match rng.randrange(8):
            case 0 | 1:
                _mark(rng, found)
            case 2 | 3:
                _known_fields(rng, kind, found)
            case 4:
                _refer(rng, found)
            case _:
                _somewhere(rng, found)
    return found


def _mark(rng: Random, found: dict[str, Json]) -> None:
    """Labels and annotations that mean something to somebody."""
    meta = found.get("metadata")
    if not isinstance(meta, dict):
        return
    place = rng.choice(("annotations", "annotations", "labels"))
    marks = meta.get(place)
    marks = dict(marks) if isinstance(marks, dict) else {}
    for _ in range(rng.choice((1, 1, 2, 5))):
        value = rng.choice((*NAMES[:3], "1", "2", "a/b")) if rng.random() < 0.4 else values.text(rng)
        marks[rng.choice(label_keys())] = value
    meta[place] = marks


def _known_fields(rng: Random, kind: str, found: dict[str, Json]) -> None:
    """Fields that are read, set to what their type allows; of objects without a schema, words that are looked for."""
    schema = KINDS[kind].wire
    part = rng.choice(("spec", "status"))
    struct = {f.encode_name: f.type for f in msgspec.structs.fields(schema)}.get(part)
    if not (isinstance(struct, type) and issubclass(struct, msgspec.Struct)):
        more = {rng.choice(field_names()): values.anything(rng) for _ in range(rng.choice((1, 2)))}
        if "spec" not in {f.encode_name for f in msgspec.structs.fields(schema)}:
            more = some_fields(rng, schema, 1)
            found.update(more)
            return
    else:
        more = some_fields(rng, struct, rng.choice((1, 1, 2)))
    held = found.get(part)
    found[part] = {**held, **more} if isinstance(held, dict) else more


def _refer(rng: Random, found: dict[str, Json]) -> None:
    """Owners that go in a circle, are the object itself, somebody else's, or very many."""
    meta = found.get("metadata")
    if not isinstance(meta, dict):
        return
    own = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": meta["name"], "uid": meta["uid"]}
    chosen = rng.randrange(5)
    if chosen == 0:
        meta["ownerReferences"] = [{**own, "controller": True}]
    elif chosen == 1:
        meta["ownerReferences"] = [owner(rng) for _ in range(rng.choice((2, 50)))]
    elif chosen == 2:
        meta["ownerReferences"] = [
            {**owner(rng), rng.choice(("kind", "apiVersion", "name", "uid")): str(values.text(rng))}
        ]
    elif chosen == 3:
        meta["ownerReferences"] = [
            {**owner(rng), "name": rng.choice(FOREIGN), "uid": f"uid-shop-{rng.choice(FOREIGN)}"}
        ]
    else:
        meta["deletionTimestamp"] = rng.choice(("0001-01-01T00:00:00Z", "2026-10-29T12:00:00Z", "9999-12-31T23:59:59Z"))


FOREIGN = ("checkout-7d9f8c", "cart-7d9f4c", "postgres", "solver", "pretrain")
"""Objects of other people that are healthy."""


def _somewhere(rng: Random, found: dict[str, Json]) -> None:
    """One thing anywhere in it: gone, of another type, absurd, doubled, deep."""
    # Not in its metadata, whose types and values a server checks for every kind.
    at, holder, place = {key: value for key, value in found.items() if key != "metadata"}, found, None
    for _ in range(DEEP):
        if isinstance(at, dict) and at:
            holder, place = (found if place is None else at), rng.choice(tuple(at))
        elif isinstance(at, list) and at:
            holder, place = at, rng.randrange(len(at))
        else:
            break
        at = holder[place]
        if rng.random() < 0.2:
            break
    if place is None:
        return
    match rng.randrange(8):
        case 0:
            del holder[place]
        case 1 if isinstance(at, list) and at:
            holder[place] = [copy.deepcopy(rng.choice(at)) for _ in range(rng.choice((2, 20)))]
        case 1 if isinstance(at, dict):
            at[any_key(rng)] = values.anything(rng)
        case 2 if isinstance(at, str):
            holder[place] = at + str(rng.choice(("", " ", "\x00", at, at * 9)))
        case 3 if isinstance(at, str):
            holder[place] = rng.choice((*NAMES, *NODES, *TENANTS, *FOREIGN))
        case 3 if isinstance(at, int):
            holder[place] = -at
        case 4:
            holder[place] = str(at)[:200] if isinstance(at, (int, float)) else [at]
        case 5:
            holder[place] = None
        case _:
            holder[place] = values.anything(rng)
