"""What the kubelet writes of the devices that its plug-ins gave to a pod's containers (feature ResourceHealthStatus).

`status.containerStatuses[].allocatedResourcesStatus[].resources[]` has a device's id and health (k8s.io/api core/v1).
NVIDIA's plug-in names devices by UUID, by index where it is told to (DEVICE_ID_STRATEGY), and with "::<replica>" behind
it where they are time-sliced (NVIDIA/k8s-device-plugin internal/rm). Of claims (named "claim:<claim>/<request>", with
ids "<driver>/<pool>/<device>", kubernetes pkg/kubelet/cm/dra) only what is unhealthy is news.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from descheduler.kube.convert.wire import ContainerStatusWire, PodStatusWire, Slim
from descheduler.kube.devices.resources import whole_resource
from descheduler.kube.devices.source import DeviceSource
from descheduler.model.devices import UNREPORTED, GpuShare, GpuSource, GpuStatement
from descheduler.model.dra import of_gpus
from descheduler.model.fence import fenced


class HealthWire(Slim, frozen=True, gc=False):
    resource_id: str = msgspec.field(default="", name="resourceID")
    health: str = ""


class AllocatedWire(Slim, frozen=True, gc=False):
    name: str = ""
    resources: tuple[HealthWire, ...] | None = None


_decoder = msgspec.json.Decoder(tuple[AllocatedWire, ...] | None)


def allocated(status: PodStatusWire) -> GpuStatement | None:
    """The GPUs that the statuses name; None when they name none."""
    if not any(_containers(status)):
        return None
    found = fenced(
        lambda: GpuStatement(GpuSource.STATUS, _shares(status)),
        lambda why: GpuStatement(GpuSource.STATUS, problem=f"status.containerStatuses.allocatedResourcesStatus: {why}"),
    )
    return found if found.shares or found.problem else None


def _shares(status: PodStatusWire) -> tuple[GpuShare, ...]:
    shares: dict[str, GpuShare] = {}
    for container in _containers(status):
        for found in _decoder.decode(bytes(container.allocated_resources_status)) or ():
            if found.name.startswith("claim:"):
                shares.update({h.resource_id: _of_claim(h) for h in found.resources or () if _news(h)})
            elif whole_resource(found.name):
                shares.update({h.resource_id: _of_status(h) for h in found.resources or () if h.resource_id})
    return tuple(shares.values())


def _containers(status: PodStatusWire) -> Iterable[ContainerStatusWire]:
    for statuses in (status.container_statuses, status.init_container_statuses):
        for one in statuses or ():
            if bytes(one.allocated_resources_status):
                yield one


def _news(found: HealthWire) -> bool:
    return found.health == "Unhealthy" and of_gpus(found.resource_id)


def _of_claim(found: HealthWire) -> GpuShare:
    return GpuShare(-1, found.resource_id.rpartition("/")[2], UNREPORTED, healthy=False)


def _of_status(found: HealthWire) -> GpuShare:
    device, _, replica = found.resource_id.partition("::")
    milli = UNREPORTED if not replica else 0  # of a time-sliced device everyone has everything
    healthy = found.health != "Unhealthy"
    if device.isdecimal() and len(device) <= 4:
        return GpuShare(int(device), "", milli, healthy=healthy)
    return GpuShare(-1, device, milli, healthy=healthy)


SOURCE = DeviceSource(of_status=allocated)
