"""Fresh pictures of the cluster for acting: from the watch cache, refused when a part of it is not current."""

from __future__ import annotations

from collections.abc import Callable

from descheduler.kube.client.cache import ClusterCache
from descheduler.model.errors import ClusterError
from descheduler.model.freshness import FreshnessRules, kind_states
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy import Policy
from descheduler.policy.convert import freshness_rules


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
        policy = self._policy()
        rules = freshness_rules(policy) if policy is not None else FreshnessRules()
        stops = [kind.stop for kind in kind_states(snapshot.freshness, rules, snapshot.taken_at) if kind.stop]
        if stops:
            raise ClusterError("; ".join(stops))
        return snapshot
