"""HorizontalPodAutoscalers (autoscaling/v2): whose replicas they set, within which bounds, and by which use of CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from descheduler.gangs.spec_reading import child, children, integer
from descheduler.model.fence import fenced
from descheduler.model.objects import CustomObject, Json
from descheduler.model.quantity import amount
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey

AUTOSCALERS: Final = "autoscaling/HorizontalPodAutoscaler"
_STABILIZATION: Final = 300
"""Seconds before there are fewer replicas, where the object does not say (autoscaling/v2 HPAScalingRules)."""
_SHARE: Final = 0.8
"""Of an object without metrics (kubernetes pkg/apis/autoscaling defaults: DefaultCPUUtilization)."""


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """`least` to `most` replicas.

    `share` (of the request) or `cores` is the use of CPU at which a replica is kept; both are 0 where it is not by CPU,
    or not by CPU alone. `down`, `up`: seconds of stabilization; `fewer`, `more`: whether it may change the number that
    way. `active`: it does anything at all now.
    """

    name: str
    least: int
    most: int
    share: float = 0.0
    cores: float = 0.0
    down: int = _STABILIZATION
    up: int = 0
    fewer: bool = True
    more: bool = True
    active: bool = True


def autoscalers(snapshot: ClusterSnapshot) -> dict[WorkloadKey, Autoscaler | None] | None:
    """By the workload whose replicas are set; None of one that several set, or whose autoscaler makes no sense.

    None where autoscalers cannot be read: then nobody knows who has one.
    """
    fresh = snapshot.freshness.get(AUTOSCALERS)
    if AUTOSCALERS not in snapshot.objects or (fresh is not None and (fresh.error or not fresh.synced)):
        return None
    found: dict[WorkloadKey, Autoscaler | None] = {}
    for one in snapshot.objects[AUTOSCALERS]:
        kind, name = child(one.spec, "scaleTargetRef", "kind"), child(one.spec, "scaleTargetRef", "name")
        if isinstance(kind, str) and isinstance(name, str):
            key = WorkloadKey(one.namespace, kind, name)
            found[key] = None if key in found else fenced(lambda one=one: _autoscaler(one), lambda _why: None)  # type: ignore[misc]
    return found


def _autoscaler(one: CustomObject) -> Autoscaler | None:
    least, most = integer(one.spec.get("minReplicas", 1)), integer(one.spec.get("maxReplicas"))
    if one.problem or least is None or most is None or not 0 <= least <= most or most < 1:
        return None
    share, cores = _targets(one)
    active = {child(c, "status") for c in children(one.status, "conditions") if child(c, "type") == "ScalingActive"}
    return Autoscaler(
        name=one.name,
        least=max(1, least),
        most=most,
        share=share,
        cores=cores,
        down=_seconds(one, "scaleDown", _STABILIZATION),
        up=_seconds(one, "scaleUp", 0),
        fewer=child(one.spec, "behavior", "scaleDown", "selectPolicy") != "Disabled",
        more=child(one.spec, "behavior", "scaleUp", "selectPolicy") != "Disabled",
        active="False" not in active,
    )


def _targets(one: CustomObject) -> tuple[float, float]:
    """The use of CPU at which a replica is kept, as a share of its request, or in cores."""
    metrics = children(one.spec, "metrics")
    if not metrics:
        return _SHARE, 0.0
    only = metrics[0]
    if len(metrics) > 1 or child(only, "type") != "Resource" or child(only, "resource", "name") != "cpu":
        return 0.0, 0.0
    share, value = integer(_target(only, "averageUtilization")), _target(only, "averageValue")
    if share is not None:
        return max(0, share) / 100.0, 0.0
    return 0.0, amount("cpu", str(value)) / 1000.0 if isinstance(value, str | int) else 0.0


def _target(metric: Json, name: str) -> Json:
    return child(metric, "resource", "target", name)


def _seconds(one: CustomObject, way: str, default: int) -> int:
    found = integer(child(one.spec, "behavior", way, "stabilizationWindowSeconds"))
    return default if found is None else max(0, found)
