"""Every source of devices. A new one is one file with its `SOURCE`, its line here, and its rank in `GpuSource`."""

from descheduler.kube.devices.source import DeviceSource
from descheduler.kube.devices.sources import dra, indices, kai, koordinator, statuses, vgpu

SOURCES: tuple[DeviceSource, ...] = (
    dra.SOURCE,
    koordinator.SOURCE,
    statuses.SOURCE,
    vgpu.SOURCE,
    kai.SOURCE,
    indices.SOURCE,
)
