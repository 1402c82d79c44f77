"""A cluster as slim wire objects: what a recording holds, and what generated clusters are made of.

Kind keys are those of `kinds`: the plural of core kinds ("pods"), "group/Kind" of optional ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.discovery import read_release
from descheduler.kube.client.lists import LIMIT
from descheduler.kube.client.object_store import ObjectStore
from descheduler.kube.client.read_cluster import Progress, gather_kinds
from descheduler.kube.client.read_metrics import gather_metrics
from descheduler.kube.convert.assembly import assemble, fresh
from descheduler.kube.convert.decoding import Codec, Items
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import KINDS
from descheduler.kube.convert.stand_ins import Broken
from descheduler.kube.convert.wire import Object
from descheduler.model.errors import BadAnswer, ClusterError, UsageError
from descheduler.model.release import Release
from descheduler.model.snapshot import ClusterSnapshot

JsonObject = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ClusterObjects:
    """`lines`: for each kind that was read, its objects as JSON (one object, no newline, each).

    A kind that is absent was not served. `as_of` (unix seconds by kind) is when each was read. `release` is that of the
    API server, None where it is not known.
    """

    taken_at: float
    lines: Mapping[str, tuple[bytes, ...]]
    cluster: str = ""
    as_of: Mapping[str, float] = dataclasses.field(default_factory=dict)
    anonymized: bool = False
    release: Release | None = None

    def snapshot(self, annotations: Iterable[str] = ()) -> ClusterSnapshot:
        """The same cluster in the words of the model; `annotations` as in `read_cluster`.

        Raises: BadAnswer when a line is no object with a name.
        """
        stores = {key: _store(key, lines, tuple(annotations)) for key, lines in self.lines.items()}
        freshness = fresh(self.taken_at, self.lines)
        for key, as_of in self.as_of.items():
            freshness[key] = dataclasses.replace(freshness[key], as_of=as_of)
        return assemble(
            {key: store.objects.values() for key, store in stores.items()},
            taken_at=self.taken_at,
            cluster=self.cluster,
            freshness=freshness,
            problems=[problem for store in stores.values() for problem in store.problems.values()],
            release=self.release,
        )


def cluster_objects(
    objects: Mapping[str, Iterable[JsonObject]], *, taken_at: float, cluster: str = ""
) -> ClusterObjects:
    """Wire objects given as plain JSON dictionaries, as the API server would write them.

    An optional kind that is to count as served but empty is there with no objects.

    Raises:
        UsageError: a kind key is unknown, or an object has no readable name.
    """
    lines = {key: tuple(_slim_lines(key, found)) for key, found in objects.items()}
    return ClusterObjects(taken_at, lines, cluster)


def snapshot_from_objects(
    objects: Mapping[str, Iterable[JsonObject]], taken_at: float, cluster: str = ""
) -> ClusterSnapshot:
    """The snapshot of `cluster_objects`, converted by the same code as a live cluster's."""
    return cluster_objects(objects, taken_at=taken_at, cluster=cluster).snapshot()


def record_cluster(
    client: KubeClient,
    *,
    clock: Callable[[], float],
    progress: Progress | None = None,
    annotations: Iterable[str] = (),
    limit: int = LIMIT,
) -> ClusterObjects:
    """List every kind once and keep the slim wire objects. Raises as `read_cluster` does.

    Without what nodes and pods use now, where that cannot be read.
    """
    taken_at = clock()
    found = dict(gather_kinds(client, _Lines, clock=clock, progress=progress, annotations=annotations, limit=limit))
    with suppress(ClusterError):
        found |= gather_metrics(client, _Lines, clock, limit)
    return ClusterObjects(
        taken_at=taken_at,
        lines={key: tuple(lines.lines) for key, (lines, _) in found.items()},
        cluster=client.name,
        as_of={key: freshness.as_of for key, (_, freshness) in found.items()},
        release=read_release(client),
    )


class _Lines:
    """Gathers the slim form of each object that is worth keeping."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.lines: list[bytes] = []

    def page(self, items: Items) -> None:
        each: tuple[Object | Broken, ...] = (*items.good, *items.broken)
        for found in each:
            entry = self._codec.entry(found)
            if entry.model is not None or entry.problem:
                self.lines.append(self._codec.slim(found))


def slim_lines(key: str, lines: Iterable[bytes]) -> tuple[bytes, ...]:
    """Lines of a recording, whoever wrote it, with what is read of them and no more.

    Raises: BadAnswer when a line is no object with a name.
    """
    codec = _codec(key, ())
    return tuple(codec.slim(codec.one(line)) for line in lines)


def _slim_lines(key: str, objects: Iterable[JsonObject]) -> Iterator[bytes]:
    codec = _codec(key, ())
    for found in objects:
        try:
            yield codec.slim(codec.one(msgspec.json.encode(found)))
        except (BadAnswer, TypeError) as e:
            raise UsageError(f"{key}: {e}") from e


def _store(key: str, lines: Iterable[bytes], annotations: tuple[str, ...]) -> ObjectStore:
    codec = _codec(key, annotations)
    store = ObjectStore(codec)
    for line in lines:
        store.put(codec.one(line))
    return store


def _codec(key: str, annotations: tuple[str, ...]) -> Codec:
    kind = KINDS.get(key)
    if kind is None:
        raise UsageError(f"{key!r} is no kind that is read; these are: {', '.join(KINDS)}")
    return Codec(kind.at(kind.versions[0]), Interner(annotations))
