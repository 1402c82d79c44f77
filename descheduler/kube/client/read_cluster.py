"""Reading a whole cluster once: for the command line, and for recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.discovery import discover, read_release
from descheduler.kube.client.lists import LIMIT, Gather, read_list
from descheduler.kube.client.object_store import ObjectStore
from descheduler.kube.convert.assembly import assemble, fresh
from descheduler.kube.convert.decoding import Codec, Items
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import CORE, Endpoint
from descheduler.model.errors import BadAnswer, Forbidden, NotFound
from descheduler.model.snapshot import ClusterSnapshot, Freshness

G = TypeVar("G", bound=Gather)


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a cluster is read: `objects` of `kind` (its key) so far, the `nth` of so many `kinds`."""

    kind: str
    objects: int
    nth: int
    kinds: int


Progress = Callable[[Reading], None]


def read_cluster(
    client: KubeClient,
    *,
    clock: Callable[[], float],
    progress: Progress | None = None,
    annotations: Iterable[str] = (),
    limit: int = LIMIT,
) -> ClusterSnapshot:
    """List every kind once and put the snapshot together.

    `annotations`: prefixes of annotations to keep besides those that the program itself reads.

    Raises:
        Forbidden: one or more permissions are missing; it names all of them.
        ClusterError: the API server cannot be used (and its other kinds).
    """
    taken_at = clock()
    gathered = gather_kinds(client, ObjectStore, clock=clock, progress=progress, annotations=annotations, limit=limit)
    return assemble(
        {key: store.objects.values() for key, (store, _) in gathered.items()},
        taken_at=taken_at,
        cluster=client.name,
        freshness=fresh(taken_at, gathered) | {key: freshness for key, (_, freshness) in gathered.items()},
        problems=[problem for store, _ in gathered.values() for problem in store.problems.values()],
        release=read_release(client),
    )


def gather_kinds(
    client: KubeClient,
    gather: Callable[[Codec], G],
    *,
    clock: Callable[[], float],
    progress: Progress | None = None,
    annotations: Iterable[str] = (),
    limit: int = LIMIT,
) -> Mapping[str, tuple[G, Freshness]]:
    """List every kind that the cluster serves into what `gather` makes for it, collecting all missing permissions."""
    annotations = tuple(annotations)
    refused: list[Forbidden] = []
    found: dict[str, tuple[G, Freshness]] = {}
    endpoints = _endpoints(client, refused)
    for nth, endpoint in enumerate(endpoints, start=1):
        codec = Codec(endpoint, Interner(annotations))
        as_of = clock()  # the first page is not older than its request
        try:
            begun = Reading(endpoint.kind.key, 0, nth, len(endpoints))
            into, _ = read_list(client, codec, partial(_Counting, gather, codec, begun, progress), limit=limit)
        except Forbidden as e:
            refused.append(e)
            continue
        except NotFound:
            if endpoint.kind.core:
                raise
            continue  # its definition was removed since discovery
        found[endpoint.kind.key] = into.inner, Freshness(endpoint.kind.key, as_of)
    if refused:
        raise missing_permissions(refused)
    return found


def missing_permissions(refused: Iterable[Forbidden]) -> Forbidden:
    """One error that names every missing permission."""
    refused = tuple(refused)
    rules = ", ".join(f"{e.verb} {e.resource}" for e in refused)
    verbs = "/".join(dict.fromkeys(e.verb for e in refused))
    error = Forbidden(verbs, ", ".join(e.resource for e in refused), f"missing permissions: {rules}")
    error.status, error.body = 403, refused[0].body
    return error


def _endpoints(client: KubeClient, refused: list[Forbidden]) -> list[Endpoint]:
    core = [kind.at(kind.versions[0]) for kind in CORE]
    try:
        found = discover(client)
    except Forbidden as e:
        refused.append(e)
        return core
    if found.unknown:
        raise BadAnswer("; ".join(f"{kind.key}: {why}" for kind, why in found.unknown))
    return [*(e for e in found.served), *core]


class _Counting(Generic[G]):
    """Tells the progress of each page of the gatherer that it wraps."""

    def __init__(self, gather: Callable[[Codec], G], codec: Codec, begun: Reading, progress: Progress | None) -> None:
        self.inner = gather(codec)
        self._reading = begun
        self._progress = progress

    def page(self, items: Items) -> None:
        self.inner.page(items)
        seen = self._reading.objects + len(items.good) + len(items.broken)
        self._reading = replace(self._reading, objects=seen)
        if self._progress is not None:
            self._progress(self._reading)
