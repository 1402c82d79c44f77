"""Filters about storage that could not follow a pod: it would be lost, or stay attached where the pod was.

Volumes that are made anew for every pod (generic ephemeral ones) are not concerned: they end with the pod.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.storage import Claim, Volume
from descheduler.planning.filters.context import Filter, FilterContext

_MANY_NODES = frozenset({"ReadWriteMany", "ReadOnlyMany"})
_ENDED = frozenset({"Released", "Failed"})


def storage_filters(context: FilterContext) -> Iterator[Filter]:
    """Claims and volumes that are going, and volumes that one node at a time can have attached."""
    holders = [at for at, pod in enumerate(context.pods) if pod.claims]
    if not holders:
        return
    storage = _Storage(context.snapshot, holders)
    for reason, judge in ((Reason.VOLUME_LOST, storage.losing), (Reason.VOLUME_SHARED, storage.sharing)):
        found = {at: blocked for at in holders if (blocked := judge(at)) is not None}
        mask = context.nobody()
        mask[list(found)] = True
        yield Filter(reason, mask, found.__getitem__)


class _Storage:
    """What becomes of the claims of pods of one snapshot."""

    def __init__(self, snapshot: ClusterSnapshot, holders: list[int]) -> None:
        self._snapshot = snapshot
        self._users = _live_users(snapshot, holders)

    def losing(self, at: int) -> Blocked | None:
        """A claim that is being deleted is kept by the pods that use it alone (pvc-protection): with its last user it
        goes, and what is made in its place is empty, or nothing."""
        for claim, volume in self._of(self._snapshot.pods[at]):
            by = f"claim/{claim.namespace}/{claim.name}"
            if claim.deleting:
                return Blocked(Reason.VOLUME_LOST, by, "it is being deleted, and only its users keep it")
            if claim.phase == "Lost":
                return Blocked(Reason.VOLUME_LOST, by, "it has lost its volume")
            if volume is not None and volume.deleting:
                return Blocked(Reason.VOLUME_LOST, by, f"its volume {volume.name} is being deleted")
            if volume is not None and volume.phase in _ENDED:
                return Blocked(Reason.VOLUME_LOST, by, f"its volume {volume.name} is {volume.phase}")
        return None

    def sharing(self, at: int) -> Blocked | None:
        """A volume of one node at a time stays where another pod uses it: elsewhere a replacement would wait for it
        (kubernetes pkg/controller/volume/attachdetach/reconciler, multi-attach), though the scheduler lets it in."""
        pod = self._snapshot.pods[at]
        own = pod.deleting is None and not pod.terminal
        for claim, volume in self._of(pod):
            key = (claim.namespace, claim.name)
            if self._users[key] > own and not self._on_many_nodes(claim, volume):
                return Blocked(Reason.VOLUME_SHARED, f"claim/{claim.namespace}/{claim.name}")
        return None

    def _of(self, pod: Pod) -> Iterator[tuple[Claim, Volume | None]]:
        for name in pod.claims:
            claim = self._snapshot.claims.get((pod.namespace, name))
            if claim is not None:
                yield claim, self._snapshot.volumes.get(claim.volume)

    def _on_many_nodes(self, claim: Claim, volume: Volume | None) -> bool:
        """Whether several nodes may have the volume at once; its own modes decide, for they may be more than its claim
        asks for."""
        if volume is None:
            return not _MANY_NODES.isdisjoint(claim.access_modes)
        driver = self._snapshot.csi_drivers.get(volume.csi_driver)
        if volume.networked or (driver is not None and not driver.attaches):
            return True
        return not _MANY_NODES.isdisjoint(volume.access_modes or claim.access_modes)


def _live_users(snapshot: ClusterSnapshot, holders: list[int]) -> Counter[tuple[str, str]]:
    """How many pods on nodes use each claim, and stay."""
    users: Counter[tuple[str, str]] = Counter()
    for at in holders:
        pod = snapshot.pods[at]
        if pod.node and pod.deleting is None and not pod.terminal:
            users.update((pod.namespace, name) for name in dict.fromkeys(pod.claims))
    return users
