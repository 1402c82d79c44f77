"""What a pod's own object reports of the devices that it holds."""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.kube.convert.wire import PodStatusWire
from descheduler.kube.devices.sources import SOURCES
from descheduler.model.devices import GpuStatement

_BY_STATUS = tuple(source.of_status for source in SOURCES if source.of_status is not None)
_BY_ANNOTATIONS = tuple(source.of_annotations for source in SOURCES if source.of_annotations is not None)
_ANNOTATIONS = frozenset[str]().union(*(source.annotations for source in SOURCES))


def statements(status: PodStatusWire, annotations: Mapping[str, str]) -> tuple[GpuStatement, ...]:
    """What each source reads there, the most trusted first."""
    found: list[GpuStatement | None] = []
    if status.container_statuses or status.init_container_statuses:
        found += [read(status) for read in _BY_STATUS]
    if annotations and not _ANNOTATIONS.isdisjoint(annotations):
        found += [one for several in _BY_ANNOTATIONS for one in several(annotations)]
    known = [one for one in found if one is not None]
    return tuple(sorted(known, key=lambda one: one.source.trust)) if known else ()
