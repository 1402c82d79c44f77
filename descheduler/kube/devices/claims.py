"""ResourceClaims: which pods hold which devices by them, and which devices are taken by nobody that is seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from descheduler.kube.devices.pools import Place, Pools
from descheduler.kube.devices.source import Report
from descheduler.model.devices import WHOLE, GpuShare, GpuSource, GpuStatement
from descheduler.model.dra import ClaimedDevice, ResourceClaim, of_gpus
from descheduler.model.pods import Amounts, GpuRequest, Pod, PodSpec


def held_by_claims(pods: Sequence[Pod], using: Iterable[int], claims: Iterable[ResourceClaim], pools: Pools) -> Report:
    """What claims give to pods and keep for nobody here. `using`: positions of the pods that name claims."""
    out = Report()
    by_name = {(c.namespace, c.name): c for c in claims}
    holders: dict[tuple[str, str], list[int]] = defaultdict(list)
    shares: dict[int, list[GpuShare]] = defaultdict(list)
    failed: dict[int, str] = {}
    for i in using:
        pod = pods[i]
        for name in pod.device_claims:
            if pod.node and not pod.terminal:
                if (pod.namespace, name) in by_name:
                    holders[pod.namespace, name].append(i)
                else:
                    failed[i] = f"ResourceClaim {pod.namespace}/{name} is not there"
    for key, claim in by_name.items():
        if claim.problem:
            out.problems.append(f"ResourceClaim {claim.namespace}/{claim.name}: {claim.problem}")
            failed |= dict.fromkeys(holders[key], f"ResourceClaim {claim.name}: {claim.problem}")
        for device in claim.devices:
            if not of_gpus(device.driver) or device.admin:
                continue
            place = pools.places.get((device.driver, device.pool, device.device))
            if place is None:
                why = f"{device.driver} publishes no device {device.pool}/{device.device}"
                failed |= dict.fromkeys(holders[key], why)
            elif not holders[key]:
                out.reserved.setdefault(place.node, []).append(_part(device, place, 0, 1))
            else:
                failed |= _give(device, place, holders[key], pods, shares, out)
    for i, found in shares.items():
        out.statements[i] = GpuStatement(GpuSource.DRA, tuple(sorted(found, key=lambda s: (s.index, s.uuid))))
    for i, why in failed.items():
        out.statements[i] = GpuStatement(GpuSource.DRA, problem=why)
    return out


def _give(
    device: ClaimedDevice,
    place: Place,
    holders: Sequence[int],
    pods: Sequence[Pod],
    shares: dict[int, list[GpuShare]],
    out: Report,
) -> dict[int, str]:
    """Divides one device among those who share its claim; returns who cannot have it, and why."""
    failed = {}
    for rank, i in enumerate(holders):
        if pods[i].node == place.node:
            shares[i].append(_part(device, place, rank, len(holders)))
        else:
            failed[i] = f"is on {pods[i].node}, its device {device.device} on {place.node}"
    if place.whole and holders[0] not in failed:
        counts = out.counts.setdefault(holders[0], {})
        counts[device.driver] = counts.get(device.driver, 0) + 1
    return failed


def _part(device: ClaimedDevice, place: Place, rank: int, among: int) -> GpuShare:
    """The part of one of `among` who share a device, such that all parts together are what the claim holds."""
    taken = next((int(value) for name, value in device.consumed if name == "memory"), 0)
    if among == 1 and not taken:
        return place.share
    milli, memory = place.share.milli, taken or place.share.memory
    if taken and place.memory:
        milli = min(milli, -(-taken * WHOLE // place.memory))
    return replace(place.share, milli=milli * (rank + 1) // among - milli * rank // among, memory=memory)


def asking_for(spec: PodSpec, counts: Mapping[str, int], shares: Sequence[GpuShare], resource: str) -> PodSpec:
    """The spec of a pod with claims as if its devices were asked for as a resource, `resource` of its node."""
    driver = min(counts)
    requests: Amounts = spec.requests
    if resource in counts:
        requests = tuple(sorted((*spec.requests, (resource, counts[resource]))))
    milli = max((s.milli for s in shares), default=WHOLE)
    gpu = GpuRequest(resource if resource in counts else driver, sum(counts.values()), milli)
    return replace(spec, requests=requests, gpu=spec.gpu or gpu)
