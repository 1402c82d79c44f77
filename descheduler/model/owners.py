"""Who manages an object: references to owners."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OwnerRef:
    """metadata.ownerReferences[]: `controller` marks the one that manages the object."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False

    @property
    def group(self) -> str:
        """The API group that the reference names, empty for core."""
        return self.api_version.rpartition("/")[0]


def controller_of(owners: Iterable[OwnerRef]) -> OwnerRef | None:
    """The one of them that manages the object."""
    for owner in owners:
        if owner.controller:
            return owner
    return None
