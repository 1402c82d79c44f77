"""A live cluster: read once by lists, or from the cache that watches keep current."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from descheduler.kube.client.cache import ClusterCache
from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.read_cluster import Progress, read_cluster
from descheduler.kube.client.read_metrics import measured
from descheduler.model.errors import ClusterError
from descheduler.model.format import number
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.freshness import FreshnessRules, kind_states
from descheduler.observe.stages import UNWATCHED, Stages
from descheduler.policy import Policy, default_policy


def kinds_to(stages: Stages) -> Progress:
    """Tells which kind of a cluster is being read, and how many objects of it have been."""
    return lambda one: stages.note(f"kind {one.nth} of {one.kinds}: {number(one.objects)} {one.kind}")


@dataclass(frozen=True, slots=True)
class ListedCluster:
    """Every kind is listed; again only when what was read has aged. `now` gives unix seconds."""

    client: KubeClient
    now: Callable[[], float]
    stages: Stages = UNWATCHED

    def snapshot(self) -> ClusterSnapshot:
        return read_cluster(self.client, clock=self.now, progress=kinds_to(self.stages))

    def renewed(self, taken: ClusterSnapshot, max_age: float) -> ClusterSnapshot:
        return self.snapshot() if self.now() - taken.taken_at > max_age / 4 else taken

    def measured(self, taken: ClusterSnapshot) -> ClusterSnapshot:
        return measured(self.client, taken, self.now)


@dataclass(frozen=True, slots=True)
class WatchedCluster:
    """The cache knows the cluster as it is; asking it again costs no request. `now` gives unix seconds."""

    cache: ClusterCache
    now: Callable[[], float]

    def snapshot(self) -> ClusterSnapshot:
        return self.cache.snapshot()

    def renewed(self, taken: ClusterSnapshot, max_age: float) -> ClusterSnapshot:
        return self.cache.snapshot()

    def measured(self, taken: ClusterSnapshot) -> ClusterSnapshot:
        return self.cache.measured(taken)


class FreshSnapshots:
    """`take` gives a snapshot no part of which is older than the policy in force allows; `beat` hears of each."""

    def __init__(self, cache: ClusterCache, policy: Callable[[], Policy | None], beat: Callable[[], None]) -> None:
        self._cache = cache
        self._policy = policy
        self._beat = beat

    def take(self) -> ClusterSnapshot:
        """Raises ClusterError when something is not synced, or too old."""
        self._beat()
        snapshot = self._cache.snapshot()
        policy = self._policy() or default_policy()
        rules = FreshnessRules.of(policy.freshness, policy.history)
        stops = [kind.stop for kind in kind_states(snapshot.freshness, rules, snapshot.taken_at) if kind.stop]
        if stops:
            raise ClusterError("; ".join(stops))
        return snapshot
