"""What metrics.k8s.io tells of nodes and pods: the newest sample of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from descheduler.model.pods import Amounts

NODE_METRICS, POD_METRICS = "metrics.k8s.io/NodeMetrics", "metrics.k8s.io/PodMetrics"


@dataclass(frozen=True, slots=True)
class Sample:
    """What was used at one time; of a pod by all of its containers. `at` in unix seconds, 0.0: not told."""

    namespace: str
    name: str
    at: float
    usage: Amounts


@dataclass(frozen=True, slots=True)
class Metrics:
    """The samples of nodes by name, of pods by (namespace, name); `problem` says why there are none."""

    nodes: Mapping[str, Sample] = field(default_factory=dict)
    pods: Mapping[tuple[str, str], Sample] = field(default_factory=dict)
    problem: str = ""
