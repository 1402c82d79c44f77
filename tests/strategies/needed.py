"""Arguments of strategies that cannot do without some."""

from __future__ import annotations

from descheduler.contract import StrategyArgs, load

NEEDED: dict[str, dict[str, object]] = {
    "LowNodeUtilization": {"thresholds": {"cpu": 30}, "targetThresholds": {"cpu": 50}},
    "HighNodeUtilization": {"thresholds": {"cpu": 30}},
    "PodLifeTime": {"maxPodLifeTimeSeconds": 3600},
    "RemovePodsViolatingNodeAffinity": {"nodeAffinityType": ["requiredDuringSchedulingIgnoredDuringExecution"]},
    "RemovePodsHavingTooManyRestarts": {"podRestartThreshold": 100},
}


def fewest_arguments(name: str) -> StrategyArgs:
    """The strategy's arguments, of which no more is given than must be."""
    return load(name).Args.model_validate(NEEDED.get(name, {}))
