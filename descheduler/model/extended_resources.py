"""Extended resources that DeviceClasses stand for (KEP-5004): which class each is of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from descheduler.model.dra import DeviceClass
from descheduler.model.release import Release

IMPLICIT = "deviceclass.resource.kubernetes.io/"
"""With the name of a class behind it: the resource that every class is, whatever else it is called."""
_SINCE = Release(1, 36)
"""On by default; before that only where somebody has turned it on."""


def by_resource(classes: Iterable[DeviceClass], release: Release | None = None) -> Mapping[str, DeviceClass]:
    """The class of each resource. Of those that name the same one the newest has it, of equally old ones the first by
    name (k8s.io/dynamic-resource-allocation/deviceclass/extendedresourcecache). Where none names any, an older
    `release` serves nothing this way."""
    found: dict[str, DeviceClass] = {}
    ranked = sorted(classes, key=lambda one: (-one.created, one.name))
    for one in ranked:
        if "/" in one.extended:
            found.setdefault(one.extended, one)
    if not found and release is not None and release < _SINCE:
        return {}
    return found | {IMPLICIT + one.name: one for one in ranked}
