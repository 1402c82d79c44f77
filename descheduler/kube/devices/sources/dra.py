"""Dynamic resource allocation: the pools of ResourceSlices, and what ResourceClaims took of them for whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from descheduler.kube.devices.claims import held_by_claims
from descheduler.kube.devices.dra_waiting import Asked
from descheduler.kube.devices.pools import pools_of
from descheduler.kube.devices.source import Cluster, DeviceSource, Report
from descheduler.model.dra import (
    CLAIMS,
    CLASSES,
    SLICES,
    TEMPLATES,
    DeviceClass,
    ResourceClaim,
    ResourceClaimTemplate,
    ResourceSlice,
)


def report(cluster: Cluster) -> Report:
    """What drivers publish, and what pods hold by their claims."""
    pools = pools_of(s for s in cluster.objects.get(SLICES, ()) if isinstance(s, ResourceSlice))
    claims = [c for c in cluster.objects.get(CLAIMS, ()) if isinstance(c, ResourceClaim)]
    # Where claims are not served, one that is missing is no news.
    using = [i for i, pod in enumerate(cluster.pods) if pod.device_claims] if CLAIMS in cluster.objects else []
    found = held_by_claims(cluster.pods, using, claims, pools)
    found.nodes = pools.nodes
    found.problems += pools.problems
    drivers = {one.driver for one in pools.nodes.values() if one.driver}
    if drivers:
        found.wanted = _asked(cluster, claims, drivers).waiting(cluster.pods)
    return found


def _asked(cluster: Cluster, claims: Sequence[ResourceClaim], drivers: Collection[str]) -> Asked:
    templates = (t for t in cluster.objects.get(TEMPLATES, ()) if isinstance(t, ResourceClaimTemplate))
    classes = (c for c in cluster.objects.get(CLASSES, ()) if isinstance(c, DeviceClass))
    return Asked(
        {(c.namespace, c.name): c for c in claims},
        {(t.namespace, t.name): t for t in templates},
        {c.name: c for c in classes},
        drivers,
        {name for node in cluster.nodes for name, amount in node.allocatable if amount},
    )


SOURCE = DeviceSource(of_cluster=report)
