"""Profiles given to others: as metrics that each scrape reads, and as Koordinator's Recommendation objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from descheduler.model.errors import DeschedulerError, LeadershipLost
from descheduler.model.format import horizon
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.policy import Policy
from descheduler.policy.publish import PublishPolicy
from descheduler.publish.advice import Advice, Profiles, advice_of, chosen
from descheduler.publish.recommendations import API_VERSION, Written
from descheduler_profiling.export import usage as usage_of

log = structlog.get_logger(__name__)
_LABELS = ("namespace", "kind", "workload", "signal")

Samples = tuple[tuple[tuple[str, ...], float], ...]


class Publisher(Protocol):
    """Whoever keeps the Recommendation objects: `Recommendations`, where the cluster has them."""

    def publish(self, advice: Sequence[Advice], now: float) -> Written: ...


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a scrape reads; replaced as a whole, so that no scrape sees half of a cycle."""

    usage: Samples = ()
    confidence: Samples = ()
    margins: Samples = ()
    left_out: int = 0
    recommended: tuple[int, int, int, int] = (0, 0, 0, 0)
    failures: int = 0


class Published(Collector):
    """Keeps what is published up to date with each cycle; `leading` says whether it is ours to show.

    Of a history that is not complete, and of workloads without a profile, there is a confidence of 0 and no usage.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        recommendations: Callable[[], Publisher | None],
        leading: Callable[[], bool] = lambda: True,
    ) -> None:
        self._recommendations = recommendations
        self._leading = leading
        self._shown = _Shown()
        self._problems: tuple[str, ...] = ()
        registry.register(self)

    def update(self, policy: Policy, snapshot: ClusterSnapshot, profiles: Profiles, now: float) -> None:
        """Publish what the policy names. What goes wrong is counted and logged, and stops nothing.

        Raises:
            LeadershipLost: another replica leads.
        """
        publish = policy.publish
        keys, left_out = chosen(publish, snapshot, profiles)
        usage, confidence = _samples(publish, profiles, keys)
        recommended, failures = self._shown.recommended, self._shown.failures
        if publish.recommendations.enabled:
            try:
                recommended = self._recommend(advice_of(publish, snapshot, profiles, keys), now)
            except LeadershipLost:
                raise
            except DeschedulerError as error:
                failures += 1
                log.warning("recommendations not written", error=str(error))
        margins = tuple(((signal,), made.layout.widened) for signal, made in sorted(profiles.items()))
        self._shown = _Shown(usage, confidence, margins, left_out, recommended, failures)

    def _recommend(self, advice: list[Advice], now: float) -> tuple[int, int, int, int]:
        writer = self._recommendations()
        if writer is None:
            self._log_new((f"the cluster has no {API_VERSION}: recommendations are not written",))
            return (0, 0, 0, 0)
        done = writer.publish(advice, now)
        self._log_new(done.problems)
        return done.written, done.unchanged, done.deleted, len(done.problems)

    def _log_new(self, problems: tuple[str, ...]) -> None:
        """Log what is new; the same sentence in every cycle would say no more."""
        for problem in problems:
            if problem not in self._problems:
                log.warning("recommendation not written", problem=problem)
        self._problems = problems

    def collect(self) -> Iterator[Metric]:
        """The metrics, for the registry."""
        shown = self._shown if self._leading() else _Shown()
        made = (
            (
                "usage",
                "Forecast usage of one replica at a time within the horizon.",
                ("quantile", "horizon"),
                shown.usage,
            ),
            ("confidence", "Trust in the profile, 0 (there is none) to 1.", (), shown.confidence),
            ("left_out", "Workloads beyond publish.maxWorkloads.", None, (((), float(shown.left_out)),)),
        )
        for name, text, more, samples in made:
            labels = () if more is None else (*_LABELS, *more)
            family = GaugeMetricFamily(f"descheduler_profile_{name}", text, labels=labels)
            for values, value in samples:
                family.add_metric(values, value)
            yield family
        margins = GaugeMetricFamily(
            "descheduler_profile_margins",
            "Margins of forecasts as multiples of what fits say, by what became of earlier forecasts.",
            labels=("signal",),
        )
        for values, value in shown.margins:
            margins.add_metric(values, value)
        yield margins
        states = GaugeMetricFamily("descheduler_recommendations", "Latest cycle's Recommendations.", labels=("result",))
        for result, count in zip(("written", "unchanged", "deleted", "refused"), shown.recommended, strict=True):
            states.add_metric((result,), float(count))
        yield states
        failed = CounterMetricFamily("descheduler_recommendation_failures", "Cycles that wrote no Recommendations.")
        failed.add_metric((), float(shown.failures))
        yield failed


def _samples(publish: PublishPolicy, profiles: Profiles, keys: Sequence[WorkloadKey]) -> tuple[Samples, Samples]:
    usage: list[tuple[tuple[str, ...], float]] = []
    confidence: list[tuple[tuple[str, ...], float]] = []
    for signal in publish.signals:
        if signal not in profiles:
            continue
        made = profiles[signal]
        rows = made.rows(keys)
        trust = np.where(rows >= 0, made.confidence[rows], 0.0) if made.complete and made.keys else np.zeros(len(keys))
        labels = [(key.namespace, key.kind, key.name, signal) for key in keys]
        confidence += [(label, float(value)) for label, value, row in zip(labels, trust, rows, strict=True) if row >= 0]
        known = np.flatnonzero(trust > 0)
        names = [horizon(bucket.seconds) for bucket in made.layout.buckets]
        for q in publish.quantiles:
            table = usage_of(made, rows[known], q).tolist()
            for i, values in zip(known.tolist(), table, strict=True):
                usage += [((*labels[i], f"{q:g}", name), value) for name, value in zip(names, values, strict=True)]
    return tuple(usage), tuple(confidence)
