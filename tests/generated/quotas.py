"""Elastic quotas of random clusters: some with room, some just full, some over their limit since it was lowered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

from descheduler.model.labels import Labels
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Phase, Pod
from generated.workloads import NAMESPACES

RUNTIME = "quota.scheduling.koordinator.sh/runtime"
_LISTED = ("cpu", "memory")


def make_quotas(rng: Random, pods: Sequence[Pod]) -> list[CustomObject]:
    """One quota for some of the namespaces, all of one system; in most clusters none."""
    system = rng.choice(("", "", "", "scheduling.x-k8s.io", "scheduling.sigs.k8s.io"))
    return [_quota(rng, system, name, pods) for name in NAMESPACES if rng.random() < 0.7] if system else []


def _quota(rng: Random, system: str, namespace: str, pods: Sequence[Pod]) -> CustomObject:
    used = dict.fromkeys(_LISTED, 0)
    for pod in pods:
        if pod.namespace == namespace and pod.node and pod.phase in (Phase.PENDING, Phase.RUNNING):
            for name, amount in pod.spec.requests:
                if name in used:
                    used[name] += amount
    room = rng.choice((0.8, 1.0, 1.0, 1.1, 3.0, 3.0, 3.0))
    most = {name: _written(name, int(amount * room)) for name, amount in used.items()}
    least = {name: _written(name, int(amount * rng.choice((0.9, 1.0, 2.0)))) for name, amount in used.items()}
    spec: dict[str, Json] = {"max": dict(most), "min": dict(least)}
    marks = {}
    if system == "scheduling.sigs.k8s.io" and rng.random() < 0.5:
        share = rng.choice((0.9, 1.0, 1.5))
        marks[RUNTIME] = json.dumps({name: _written(name, int(amount * share)) for name, amount in used.items()})
    return CustomObject(
        f"{system}/v1alpha1",
        "ElasticQuota",
        namespace,
        namespace,
        f"uid-quota-{namespace}",
        annotations=Labels(marks),
        spec=spec,
    )


def _written(name: str, amount: int) -> str:
    return f"{amount}m" if name == "cpu" else str(amount)
