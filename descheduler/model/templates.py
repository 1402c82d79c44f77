"""What a controller makes its pods from."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.pods import PodSpec


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """The template of a workload, read as its pods are; what admission adds to pods is not in it."""

    spec: PodSpec
    labels: Labels = NO_LABELS
    node: str = ""  # spec.nodeName: its pods go there past the scheduler
    gated: bool = False  # its pods wait until somebody lifts their scheduling gates
    problem: str = ""  # why it could not be read
