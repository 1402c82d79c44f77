"""What nodes and pods use now, from metrics.k8s.io: listed when somebody asks, for nobody can watch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.discovery import discover
from descheduler.kube.client.lists import LIMIT, Gather, read_list
from descheduler.kube.client.object_store import ObjectStore
from descheduler.kube.convert.assembly import samples_of
from descheduler.kube.convert.decoding import Codec
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import MEASURED
from descheduler.model.errors import ClusterError
from descheduler.model.metrics import Metrics
from descheduler.model.snapshot import ClusterSnapshot, Freshness

G = TypeVar("G", bound=Gather)


def measured(client: KubeClient, taken: ClusterSnapshot, clock: Callable[[], float]) -> ClusterSnapshot:
    """The snapshot with the newest samples of its nodes and pods, or with why there are none; never raises for that."""
    try:
        found = gather_metrics(client, ObjectStore, clock)
    except ClusterError as error:
        return replace(taken, metrics=Metrics(problem=str(error)))
    if len(found) < len(MEASURED):
        return replace(taken, metrics=Metrics(problem="the API server does not serve it: metrics-server is not there"))
    samples = samples_of({key: store.objects.values() for key, (store, _) in found.items()})
    problems = {text for store, _ in found.values() for text in store.problems.values()}
    return replace(
        taken,
        metrics=samples,
        freshness={**taken.freshness, **{key: fresh for key, (_, fresh) in found.items()}},
        problems=tuple(sorted({*taken.problems, *problems})),
    )


def gather_metrics(
    client: KubeClient, gather: Callable[[Codec], G], clock: Callable[[], float], limit: int = LIMIT
) -> dict[str, tuple[G, Freshness]]:
    """List nodes' and pods' samples into what `gather` makes; of what is not served there is nothing.

    Raises: ClusterError and its kinds.
    """
    found: dict[str, tuple[G, Freshness]] = {}
    for endpoint in discover(client, MEASURED, verbs=("list",)).served:
        codec, as_of = Codec(endpoint, Interner(())), clock()
        into, _ = read_list(client, codec, partial(gather, codec), limit=limit)
        found[endpoint.kind.key] = into, Freshness(endpoint.kind.key, as_of)
    return found
