"""A live cluster: read once by lists, or from the cache that watches keep current."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from descheduler.kube.client.cache import ClusterCache
from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.reading import Progress, read_cluster
from descheduler.model.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class ListedCluster:
    """Every kind is listed; again only when what was read has aged. `now` gives unix seconds."""

    client: KubeClient
    now: Callable[[], float]
    progress: Progress | None = None

    def snapshot(self) -> ClusterSnapshot:
        return read_cluster(self.client, clock=self.now, progress=self.progress)

    def renewed(self, taken: ClusterSnapshot, max_age: float) -> ClusterSnapshot:
        return self.snapshot() if self.now() - taken.taken_at > max_age / 4 else taken


@dataclass(frozen=True, slots=True)
class WatchedCluster:
    """The cache knows the cluster as it is; asking it again costs no request. `now` gives unix seconds."""

    cache: ClusterCache
    now: Callable[[], float]

    def snapshot(self) -> ClusterSnapshot:
        return self.cache.snapshot()

    def renewed(self, taken: ClusterSnapshot, max_age: float) -> ClusterSnapshot:
        return self.cache.snapshot()
