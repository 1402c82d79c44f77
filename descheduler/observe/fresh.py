"""Fresh pictures of the cluster for acting: from the watch cache, refused when a part of it is not current."""

from __future__ import annotations

from collections.abc import Callable

from descheduler.controller.pauses import unsynced
from descheduler.kube.client.cache import ClusterCache
from descheduler.model.errors import ClusterError
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy import Policy


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
        blocked = unsynced(snapshot.freshness)
        if blocked is not None:
            raise ClusterError(blocked.detail)
        policy = self._policy()
        if policy is not None:
            for kind, fresh in snapshot.freshness.items():
                allowed = policy.freshness.kinds.get(kind, policy.freshness.max_age).total_seconds()
                if fresh.served and snapshot.taken_at - fresh.as_of > allowed:
                    raise ClusterError(f"what is known of {kind} is {snapshot.taken_at - fresh.as_of:.0f} s old")
        return snapshot
