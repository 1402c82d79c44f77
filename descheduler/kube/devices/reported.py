"""What a pod's own object says of the devices that it holds."""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.kube.convert.wire import PodStatusWire
from descheduler.kube.devices import indices, koordinator, statuses, vgpu
from descheduler.model.devices import GpuStatement


def statements(status: PodStatusWire, annotations: Mapping[str, str]) -> tuple[GpuStatement, ...]:
    """What each source says, the most trusted first."""
    found: list[GpuStatement | None] = []
    if status.container_statuses or status.init_container_statuses:
        found.append(statuses.allocated(status))
    if annotations:
        found += [koordinator.allocated(annotations), indices.gpushare(annotations), indices.gpu_index(annotations)]
        found += vgpu.allocated(annotations)
    said = [one for one in found if one is not None]
    return tuple(sorted(said, key=lambda one: one.source.trust)) if said else ()
