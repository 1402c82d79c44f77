"""What a finding or a refusal is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SubjectKind(StrEnum):
    """The kinds that this program speaks of; a strategy may have a word of its own."""

    NODE = "node"
    POD = "pod"
    GANG = "gang"
    UNIT = "unit"
    WORKLOAD = "workload"
    WORKLOADS = "workloads"
    """Several that are not named one by one."""
    GPU = "gpu"
    """An objective of the GPUs of the cluster, or a resource of theirs."""
    GPUS = "gpus"
    """Devices that are not named one by one."""
    SLOTS = "slots"
    """Free slots of a shape, by the resource that counts."""
    STRATEGY = "strategy"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One object, or what is looked at as one. In a plan document it is written "kind/name"."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @classmethod
    def read(cls, text: str) -> Subject:
        """The subject that was written so."""
        kind, _, name = text.partition("/")
        return cls(kind, name)
