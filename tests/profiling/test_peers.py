"""The rules of others, held against plain transcriptions of what upstream does sample by sample."""

import math

import numpy as np
import pytest

from descheduler_profiling.peers import (
    KOORDINATOR_CPU,
    VPA_CPU,
    Histogram,
    daily_peaks,
    flat_quantile,
    koordinator_peak,
    n_sigma,
    vpa_target,
)


def by_hand(rule: Histogram, values: np.ndarray, step: int, level: float) -> float:
    """util/histogram.go and decaying_histogram.go, one sample at a time."""
    weights = [0.0] * rule.buckets
    for age, value in enumerate(reversed(values.tolist())):
        index = 0
        if value >= rule.first:
            index = int(math.log(value * (rule.growth - 1) / rule.first + 1) / math.log(rule.growth))
        weights[min(index, rule.buckets - 1)] += rule.weight * 2 ** (-age * step / rule.half_life)
    lowest = next(i for i, w in enumerate(weights) if w > rule.epsilon)
    highest = max(i for i, w in enumerate(weights) if w > rule.epsilon)
    partial = 0.0
    at = lowest
    for at in range(lowest, highest + 1):
        partial += weights[at]
        if partial >= level * sum(weights):
            break
    return rule.first * (rule.growth ** (at + 1) - 1) / (rule.growth - 1)


def test_the_autoscaler_has_176_buckets_of_cpu() -> None:
    assert VPA_CPU.buckets == 176


@pytest.mark.parametrize("rule", [VPA_CPU, KOORDINATOR_CPU])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_percentiles_are_upstreams(rule: Histogram, level: float) -> None:
    values = np.random.default_rng(3).lognormal(-1, 1.5, (4, 900)).astype(np.float32)
    ours = rule.percentiles(values, 300, (level,))[:, 0]
    assert ours == pytest.approx([by_hand(rule, row, 300, level) for row in values], rel=1e-5)


def test_margins_of_the_rules() -> None:
    values = np.ones((1, 600), np.float32)
    edge = by_hand(VPA_CPU, values[0], 300, 0.9)
    assert vpa_target(values, 300)[0] == pytest.approx(edge * 1.15, rel=1e-5)
    edge = by_hand(KOORDINATOR_CPU, values[0], 300, 0.95)
    assert koordinator_peak(values, 300)[0] == pytest.approx(edge * 1.1, rel=1e-5)


def test_memory_is_one_peak_a_day() -> None:
    values = np.ones((1, 3 * 288), np.float32)
    values[0, 10], values[0, -1] = 5, 7
    assert daily_peaks(values, 300).tolist() == [[5, 1, 7]]


def test_flat_quantile_ignores_gaps_and_is_zero_without_samples() -> None:
    values = np.array([[1, np.nan, 3, 5], [np.nan] * 4], np.float32)
    assert flat_quantile(values, 300, 0.5, 1200).tolist() == [3, 0]
    assert n_sigma(np.full((1, 288), 2.0, np.float32), 300).tolist() == [2.0]
