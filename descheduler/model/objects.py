"""Objects of optional APIs (gangs, quotas, device topologies), found by discovery and kept as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.owners import OwnerRef, controller_of

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class CustomObject:
    """One object of an optional kind; `spec` and `status` as decoded, never changed."""

    api_version: str  # group/version
    kind: str
    namespace: str
    name: str
    uid: str = ""
    labels: Labels = NO_LABELS
    annotations: Labels = NO_LABELS
    owners: tuple[OwnerRef, ...] = ()
    generation: int = 0
    spec: Mapping[str, Json] = field(default_factory=dict)
    status: Mapping[str, Json] = field(default_factory=dict)
    deleting: bool = False  # has a deletion timestamp
    created: float = 0.0  # unix seconds; 0: unknown
    enforcers: tuple[str, ...] = ()  # of a Rollout: who wrote its replicas, and would set them back
    problem: str = ""  # why it cannot be read; then nothing but its name and its owners is known

    @property
    def controller(self) -> OwnerRef | None:
        return controller_of(self.owners)

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]
