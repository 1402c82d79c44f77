"""Karpenter's `karpenter.sh/do-not-disrupt` on pods: for good, or for a time that counts from the pod's start.

Source: karpenter pkg/utils/pod/scheduling.go (`IsDoNotDisruptActive`). One difference, towards caution: a value that
is neither "true", "false" nor a duration opts out for good, where Karpenter takes no notice of it.
"""

from __future__ import annotations

import math
import re

import numpy as np

from descheduler.model.arrays import Mask
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.context import Filter, FilterContext

DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"([+-]?)((?:{_PART.pattern})+|0)")


def do_not_disrupt_filter(context: FilterContext) -> Filter:
    """Pods that are within the time for which they must not be disrupted; an unknown start protects."""
    annotations = context.looks.annotations
    seconds = np.array([_protected_for(a.get(DO_NOT_DISRUPT, "")) for a in annotations.values] or [0.0])[
        annotations.rows
    ]
    mask: Mask = np.isposinf(seconds)
    for pod in np.flatnonzero((seconds > 0) & ~mask).tolist():
        started = context.pods[pod].started
        mask[pod] = started <= 0 or context.now - started < seconds[pod]

    def explain(pod: int) -> Blocked:
        found = context.pods[pod]
        detail = found.annotations[DO_NOT_DISRUPT]
        if math.isfinite(seconds[pod]):
            ran = f"runs since {context.now - found.started:.0f} s" if found.started > 0 else "its start is not known"
            detail = f"{detail} from its start, {ran}"
        return Blocked(Reason.OPTED_OUT, f"annotation {DO_NOT_DISRUPT}", detail)

    return Filter(Reason.OPTED_OUT, mask, explain)


def _protected_for(value: str) -> float:
    """Seconds from the start of a pod, `inf` for good. Durations are Go's (time.ParseDuration): "2h30m45s", "1.5h"."""
    if value in ("", "false"):
        return 0.0
    found = _DURATION.fullmatch(value)
    if found is None:
        return math.inf
    sign = -1.0 if found[1] == "-" else 1.0
    return sign * sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(found[2]))
