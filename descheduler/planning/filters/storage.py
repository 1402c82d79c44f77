"""Filters about storage that could not follow a pod: it would be lost, or stay attached where the pod was.

Volumes that are made anew for every pod (generic ephemeral ones) are not concerned: they end with the pod.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.storage import Claim, Volume
from descheduler.planning.filters.context import Filter, FilterContext

ClaimKey = tuple[str, str]
_ENDED = frozenset({"Released", "Failed"})


def storage_filters(context: FilterContext) -> Iterator[Filter]:
    """Claims and volumes that are going, and volumes that one node at a time can have attached."""
    if context.snapshot.claims:
        yield _of_claims(context, Reason.VOLUME_LOST, dict(_going(context.snapshot)))
        yield _of_claims(context, Reason.VOLUME_SHARED, dict.fromkeys(_shared(context.snapshot), ""))


def _of_claims(context: FilterContext, reason: Reason, claims: Mapping[ClaimKey, str]) -> Filter:
    """Stops the pods that use one of the claims; for each the words about it."""

    def first(pod: Pod) -> ClaimKey | None:
        return next((key for name in pod.claims if (key := (pod.namespace, name)) in claims), None)

    def explain(at: int) -> Blocked:
        key = first(context.pods[at])
        assert key is not None
        return Blocked(reason, f"claim/{key[0]}/{key[1]}", claims[key])

    mask = context.nobody()
    if claims:
        mask[[at for at, pod in enumerate(context.pods) if pod.claims and first(pod) is not None]] = True
    return Filter(reason, mask, explain)


def _going(snapshot: ClusterSnapshot) -> Iterator[tuple[ClaimKey, str]]:
    """A claim that is being deleted is kept by the pods that use it alone (pvc-protection): with its last user it goes,
    and what is made in its place is empty, or nothing."""
    for key, claim in snapshot.claims.items():
        volume = snapshot.volumes.get(claim.volume)
        if claim.deleting:
            yield key, "it is being deleted, and only its users keep it"
        elif claim.phase == "Lost":
            yield key, "it has lost its volume"
        elif volume is not None and volume.deleting:
            yield key, f"its volume {volume.name} is being deleted"
        elif volume is not None and volume.phase in _ENDED:
            yield key, f"its volume {volume.name} is {volume.phase}"


def _shared(snapshot: ClusterSnapshot) -> Iterator[ClaimKey]:
    """A volume of one node at a time stays where another pod uses it: elsewhere a replacement would wait for it
    (kubernetes pkg/controller/volume/attachdetach/reconciler, multi-attach), though the scheduler lets it in."""
    users: Counter[ClaimKey] = Counter()
    for pod in snapshot.pods:
        if pod.claims and pod.node and pod.deleting is None and not pod.terminal:
            users.update((pod.namespace, name) for name in dict.fromkeys(pod.claims))
    for key, count in users.items():
        claim = snapshot.claims.get(key) if count > 1 else None
        if claim is not None and not _on_many_nodes(snapshot, claim, snapshot.volumes.get(claim.volume)):
            yield key


def _on_many_nodes(snapshot: ClusterSnapshot, claim: Claim, volume: Volume | None) -> bool:
    """Whether several nodes may have the volume at once. Its own modes decide, for they may be more than its claim asks
    for; that many nodes may read it helps only who does not write."""
    driver = snapshot.csi_drivers.get(volume.csi_driver) if volume is not None else None
    if (volume is not None and volume.networked) or (driver is not None and not driver.attaches):
        return True
    modes = (volume.access_modes if volume is not None else ()) or claim.access_modes
    return "ReadWriteMany" in modes or ("ReadOnlyMany" in modes and "ReadWriteOnce" not in claim.access_modes)
