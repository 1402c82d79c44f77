"""From the scores of several seeds to figures with their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from descheduler.backtest.score import Score
from descheduler.report.backtests.document import FIGURES, Estimate

CONFIDENCE = 0.95
_SHARES = frozenset({"precision", "recall", "recall_before", "coverage_cpu", "coverage_memory"})


def figures(scores: Sequence[Score], nobody: Sequence[Score], *, gpus: bool) -> dict[str, Estimate]:
    """The figures of one contender, by name in the order of FIGURES; what is unknown in every seed is left out.

    `nobody` are the walks of the same seeds without anybody. `gpus`: the cluster has some.
    """
    each = [_values(score, base, gpus) for score, base in zip(scores, nobody, strict=True)]
    found = {name: [value for one in each if (value := one.get(name)) is not None] for name in FIGURES}
    return {name: estimate(values, most=1.0 if name in _SHARES else None) for name, values in found.items() if values}


def estimate(values: Sequence[float], most: float | None = None) -> Estimate:
    """The mean with Student's t interval (n - 1 degrees of freedom) of values that are 0 or more, and at `most`.

    Seeds are independent draws of where pods land, and there are few of them, so that the normal one were too narrow.
    """
    each = np.asarray(values, np.float64)
    mean, exact = float(each.mean()), tuple(_rounded(value) for value in each.tolist())
    if len(each) < 2:
        return Estimate(_rounded(mean), None, None, exact)
    wide = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each)))
    least = 0.0 if each.min() >= 0 else -np.inf
    high = mean + wide if most is None else min(most, mean + wide)
    return Estimate(_rounded(mean), _rounded(max(least, mean - wide)), _rounded(high), exact)


def mean_of(counts: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """By key the mean of counts; who is not counted is 0. The largest first."""
    keys = {key for one in counts for key in one}
    means = {key: sum(one.get(key, 0) for one in counts) / len(counts) for key in keys}
    return {key: _rounded(means[key]) for key in sorted(keys, key=lambda k: (-means[k], k))}


def _values(score: Score, nobody: Score, gpus: bool) -> Mapping[str, float | None]:
    acts = score.contender != nobody.contender
    found: dict[str, float | None] = {
        "hot_minutes": score.hot_minutes,
        "spared": 1 - score.hot_minutes / nobody.hot_minutes if acts and nobody.hot_minutes else None,
        "excess": score.excess,
        "gpu_slots": score.gpu_slots if gpus else None,
        "pending_gpu_hours": score.pending_gpu_hours if gpus else None,
    }
    if acts:
        found |= {
            "caused": score.caused,
            "evictions": score.evictions,
            "restarts": sum(score.restarts.values()),
            "ping_pong": score.ping_pong,
            "pending_minutes": score.pending,
        }
    if score.forecast is not None:
        found |= {
            "precision": score.forecast.precision,
            "recall": score.forecast.recall,
            "recall_before": score.forecast.before,
            **{f"coverage_{signal}": share for signal, share in score.forecast.coverage.items()},
            "plans": score.plans,
            "paused": score.paused,
        }
    return found


def _rounded(value: float) -> float:
    """Seven digits: what is behind them is not the same on every machine."""
    return float(f"{value:.7g}")
