"""Dynamic resource allocation: the pools of ResourceSlices, and what ResourceClaims took of them for whom."""

from __future__ import annotations

from descheduler.kube.devices.claims import held_by_claims
from descheduler.kube.devices.pools import pools_of
from descheduler.kube.devices.source import Cluster, DeviceSource, Report
from descheduler.model.dra import CLAIMS, SLICES, ResourceClaim, ResourceSlice


def report(cluster: Cluster) -> Report:
    """What drivers publish, and what pods hold by their claims."""
    pools = pools_of(s for s in cluster.objects.get(SLICES, ()) if isinstance(s, ResourceSlice))
    claims = [c for c in cluster.objects.get(CLAIMS, ()) if isinstance(c, ResourceClaim)]
    # Where claims are not served, one that is missing is no news.
    using = [i for i, pod in enumerate(cluster.pods) if pod.device_claims] if CLAIMS in cluster.objects else []
    found = held_by_claims(cluster.pods, using, claims, pools)
    found.nodes = pools.nodes
    found.problems += pools.problems
    return found


SOURCE = DeviceSource(of_cluster=report)
