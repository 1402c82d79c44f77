"""The plugins of that descheduler, and the extension point at which each of them runs."""

from __future__ import annotations

from typing import Literal

from descheduler.policy.v1alpha2.evictor import NAME as EVICTOR

Point = Literal["deschedule", "balance"]

STRATEGIES: dict[str, Point] = {
    "HighNodeUtilization": "balance",
    "LowNodeUtilization": "balance",
    "PodLifeTime": "deschedule",
    "RemoveDuplicates": "balance",
    "RemoveFailedPods": "deschedule",
    "RemovePodsHavingTooManyRestarts": "deschedule",
    "RemovePodsViolatingInterPodAntiAffinity": "deschedule",
    "RemovePodsViolatingNodeAffinity": "deschedule",
    "RemovePodsViolatingNodeTaints": "deschedule",
    "RemovePodsViolatingTopologySpreadConstraint": "balance",
}
KNOWN = (EVICTOR, *STRATEGIES)
