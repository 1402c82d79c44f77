"""What is published of which workloads, and what it amounts to as a recommendation of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.existing import existing
from descheduler.policy.publish import PublishPolicy
from descheduler_profiling.profiles import SignalProfiles

Profiles = Mapping[str, SignalProfiles]


@dataclass(frozen=True, slots=True)
class Advice:
    """What to recommend for one workload.

    `amounts` are by resource (cores, bytes), for one replica; None: what is there stays as it is. `pod` is one of its
    pods, whose containers the amounts are divided among.
    """

    workload: WorkloadKey
    api_version: str
    uid: str
    pod: str
    amounts: Mapping[str, float] | None
    note: str = ""


def chosen(publish: PublishPolicy, snapshot: ClusterSnapshot, profiles: Profiles) -> tuple[list[WorkloadKey], int]:
    """The workloads of the cluster that the policy names, by name, and how many there are beyond its limit."""
    if not publish.workloads:
        return [], 0
    there = existing(snapshot)
    signals = [profiles[signal] for signal in publish.signals if signal in profiles]
    keys = sorted({key for one in signals for key in one.keys if publish.names(key)} & there)
    return keys[: publish.max_workloads], max(0, len(keys) - publish.max_workloads)


def advice_of(
    publish: PublishPolicy, snapshot: ClusterSnapshot, profiles: Profiles, keys: Sequence[WorkloadKey]
) -> list[Advice]:
    """What to recommend to those workloads that have a pod: CPU at the worst time of the day ahead, memory at its peak.

    Without a trustworthy profile of both, nothing: a recommendation that is there stays, and its time tells its age.
    """
    first: dict[WorkloadKey, str] = {}
    for pod in snapshot.pods:
        if not pod.terminal:
            first.setdefault(snapshot.root(pod), pod.name)
    out = []
    for key in keys:
        if key not in first:
            continue
        workload = snapshot.workloads.get(key)
        amounts, confidence = _amounts(publish, profiles, key)
        wanted = publish.recommendations
        note = f"p{100 * wanted.quantile:g} of the next 24 h + {wanted.margin:.0%}, confidence {confidence:.2f}"
        if any(key in one.strain.throttled for one in profiles.values()):
            note += ", a lower bound: its limit throttles it"
        version, uid = (workload.api_version, workload.uid) if workload else ("", "")
        out.append(Advice(key, version, uid, first[key], amounts, note))
    return out


def _amounts(publish: PublishPolicy, profiles: Profiles, key: WorkloadKey) -> tuple[dict[str, float] | None, float]:
    wanted = publish.recommendations
    out: dict[str, float] = {}
    confidence = 1.0
    for signal in ("cpu", "memory"):
        made = profiles.get(signal)
        row = made.row(key) if made is not None and made.complete else -1
        if made is None or row < 0:
            return None, 0.0
        confidence = min(confidence, float(made.confidence[row]))
        built = wanted.quantile in made.quantiles
        curve = (
            made.forecast(np.array([row]), wanted.quantile) if built else made.curve(made.vectors[row], wanted.quantile)
        )
        most = float(curve.max(initial=0.0))
        if signal == "memory":
            most = max(most, float(made.peaks[row, 1]))
        out[signal] = most * (1.0 + wanted.margin)
    return (out if confidence > 0 and confidence >= wanted.min_confidence else None), confidence
