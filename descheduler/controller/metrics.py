"""Every metric of the controller, in one registry of its own."""

from __future__ import annotations

import collections
import platform
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from descheduler import __version__
from descheduler.execution.outcomes import ActionOutcome, ExecutionReport
from descheduler.learning.ledger import Ledger
from descheduler.model.plan import ActionKind, PlanDocument
from descheduler.model.reasons import Blocked
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.freshness import SourceState

_CYCLE = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)
_NAMESPACE = "descheduler"
_READY = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Names follow Prometheus' conventions: base units, `_total` for counters.

    Gauges that carry labels describe the latest cycle and are rebuilt with it, so that what is gone is not shown.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        make = _Maker(self.registry)
        # The controller
        build = make.gauge("build_info", "Version of the program; always 1.", "version", "python")
        build.labels(__version__, platform.python_version()).set(1)
        self.leader = make.gauge("leader", "Whether this replica leads.")
        self.active = make.gauge("active", "Whether plans are carried out (1) or only made (0).")
        self.cycles = make.counter("cycles", "Cycles: acted, planned, paused, standby, failed.", "result")
        self.stage = make.histogram("stage_seconds", "Duration of a cycle's stages.", _CYCLE, "stage")
        self.last_cycle = make.gauge("last_cycle_timestamp_seconds", "When the last complete cycle ended.")
        self.errors = make.counter("loop_errors", "Cycles ended by an error that nobody expected.")
        self.paused = make.gauge("paused", "Why nothing is planned or moved at present.", "reason")
        self.policy_ok = make.gauge("policy_reload_success", "Whether the policy file is the policy in force.")
        self.policy_loaded = make.gauge("policy_loaded_timestamp_seconds", "When the policy in force was read.")
        self.interval = make.gauge("interval_seconds", "Time between the starts of two cycles, by the policy in force.")
        self.policy_info = make.gauge(
            "policy_info", "The policy in force, and the mode in effect; always 1.", "hash", "mode"
        )
        self.certificate_ok = make.gauge("certificate_reload_success", "Whether the files are the certificate in use.")
        self.certificate_ok.set(1)  # where there are none, nothing is wrong
        # What is seen
        self.cache_age = make.gauge("cache_age_seconds", "Since the server last confirmed a kind.", "kind")
        self.cache_synced = make.gauge("cache_synced", "Whether a kind is read without an error.", "kind")
        self.unreadable = make.gauge("unreadable_objects", "Objects that cannot be read.", "kind")
        self.history_age = make.gauge("history_age_seconds", "Age of the newest point.", "signal")
        self.history_fresh = make.gauge("history_fresh", "Whether a signal may be relied on.", "signal")
        self.kept_bytes = make.gauge(
            "kept_bytes", "Memory that is kept of a signal: history, profiles.", "signal", "what"
        )
        self.store_ok = make.gauge("history_store_success", "Whether all history that was read is kept on disk.")
        self.store_ok.set(1)  # where there is no store, nothing is wrong
        self.archive_ok = make.gauge("archive_success", "Whether plans and what came of them are kept on disk.")
        self.archive_ok.set(1)  # where there is no archive, nothing is wrong
        # What is decided: the latest plan
        self.findings = make.gauge("findings", "Findings of the latest plan.", "strategy", "outcome")
        self.planned = make.gauge("planned_moves", "Pods that the latest plan moves.", "strategy")
        self.planned_removals = make.gauge("planned_removals", "Pods that the latest plan removes.", "strategy")
        self.refusals = make.gauge("refusals", "What the latest plan does not do, by reason.", "reason")
        self.problems = make.gauge("plan_problems", "What went wrong in the latest plan, such as failed strategies.")
        # What is done
        self.planned_releases = make.gauge(
            "planned_releases", "Pods that let others start by the latest plan.", "strategy"
        )
        self.moves = make.counter("moves", "Pods of planned moves by what became of them.", "strategy", "result")
        self.releases = make.counter(
            "releases", "Pods of planned releases by what became of them.", "strategy", "result"
        )
        self.removals = make.counter(
            "removals", "Pods of planned removals by what became of them.", "strategy", "result"
        )
        self.evictions = make.counter("evictions", "Pods by the last answer to their eviction.", "result")
        self.refused = make.counter("execution_refusals", "Refusals while acting, by reason.", "reason")
        self.races = make.counter("budget_races", "Units broken by a budget race and finished.")
        self.resumed = make.counter("resumed_units", "Interrupted units that a later start took up again.")
        self.throttled = make.counter("throttled", "Answers by which the API server shed load.")
        self.ready_after = make.histogram(
            "replacement_ready_seconds", "From an eviction to a ready replacement.", _READY
        )
        self.event_failures = make.counter("event_failures", "Events that could not be written.")
        # What came of it
        self.pending = make.gauge("pending_after_eviction", "Evicted pods whose replacement is late.")
        self.circuit = make.gauge("circuit_open", "Whether all acting is paused because evicted pods stay pending.")
        self.circuit_until = make.gauge(
            "circuit_open_until_timestamp_seconds",
            "Until when late replacements pause whom.",
            "scope",
            "whom",
        )
        self.quarantined = make.gauge("quarantined_units", "Units that kept coming back and are left alone.")
        self.hit_rate = make.gauge("strategy_hit_rate", "Share of judged actions that hit their goal.", "strategy")
        self.strategy_paused = make.gauge(
            "strategy_paused", "Strategies that go on with their surest moves, for they miss.", "strategy", "pool"
        )
        self.held = make.gauge("held_workloads", "Workloads left alone, for their pods do not come up as planned.")
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)

    def saw(self, snapshot: ClusterSnapshot, now: float) -> None:
        """How current what is known of the cluster is."""
        served = {kind: fresh for kind, fresh in snapshot.freshness.items() if fresh.served}
        _show(self.cache_age, {(kind,): max(0.0, now - fresh.as_of) for kind, fresh in served.items()})
        _show(self.cache_synced, {(kind,): float(fresh.synced) for kind, fresh in served.items()})

    def keeps(self, histories: Mapping[str, int], profiles: Mapping[str, int]) -> None:
        """The bytes that are kept of each signal."""
        parts = (("history", histories), ("profiles", profiles))
        _show(self.kept_bytes, {(signal, what): size for what, sizes in parts for signal, size in sizes.items()})

    def cannot_read(self, objects: Iterable[str]) -> None:
        """Objects that cannot be read, a line each that begins with the kind."""
        _show(self.unreadable, _count((line.partition(" ")[0],) for line in objects))

    def policy_in_force(self, digest: str, mode: str) -> None:
        """The hash of the policy, and the mode that is in effect."""
        _show(self.policy_info, {(digest, mode): 1.0})

    def planned_now(self, plan: PlanDocument) -> None:
        """What the latest plan says."""
        _show(self.findings, _count((f.strategy, f.outcome) for f in plan.findings))
        planned = {
            ActionKind.MOVE: self.planned,
            ActionKind.REMOVE: self.planned_removals,
            ActionKind.RELEASE: self.planned_releases,
        }
        for kind, gauge in planned.items():
            _show(gauge, _count((a.strategy,) for a in plan.actions if a.kind is kind for _ in a.pods))
        _show(self.refusals, _count((r.reason,) for r in plan.refusals for _ in range(r.count)))
        self.problems.set(len(plan.problems))
        history = [row for row in plan.sources if row.signal]
        _show(self.history_age, {(row.signal,): row.age_seconds for row in history})
        _show(self.history_fresh, {(row.signal,): float(row.state == SourceState.FRESH) for row in history})

    def did(self, outcome: ActionOutcome) -> None:
        """One action is over (its replacements may still be on their way)."""
        counted = {
            ActionKind.MOVE: self.moves,
            ActionKind.REMOVE: self.removals,
            ActionKind.RELEASE: self.releases,
        }[outcome.action.kind]
        for pod in outcome.pods:
            refusal = pod.blocked or outcome.blocked
            result = "evicted" if pod.evicted else "refused" if refusal else "not-reached"
            counted.labels(outcome.action.strategy, result).inc()
            if pod.attempts:
                self.evictions.labels("evicted" if pod.evicted else str(refusal.reason) if refusal else "unknown").inc()
            if refusal and not pod.evicted:
                self.refused.labels(refusal.reason.value).inc()
        self.races.inc(outcome.raced)
        self.resumed.inc(outcome.resumed)

    def executed(self, report: ExecutionReport) -> None:
        """One plan is over."""
        self.throttled.inc(report.throttled)
        for outcome in report.actions:
            for pod in outcome.pods:
                if pod.ready_seconds is not None:
                    self.ready_after.observe(pod.ready_seconds)

    def remembers(self, ledger: Ledger, now: float) -> None:
        """What the ledger says."""
        self.pending.set(len(ledger.pending(now)))
        circuit = ledger.circuit(now)
        self.circuit.set(circuit.everyone is not None)
        _show(self.circuit_until, {(one.scope.value, one.name): one.until for one in circuit.openings()})
        self.quarantined.set(len(ledger.quarantined(now)))
        _show(self.hit_rate, {(strategy,): rate for strategy, rate in ledger.hit_rates(now).items()})
        _show(self.strategy_paused, {(pause.strategy, pause.pool): 1.0 for pause in ledger.paused(now)})
        self.held.set(len(ledger.held(now)))

    def pauses(self, why: Blocked | None) -> None:
        """Why nothing goes on, None when it does."""
        _show(self.paused, {(why.reason.value,): 1.0} if why else {})


class _Maker:
    """Metrics of one registry, all named `descheduler_…`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, namespace=_NAMESPACE, registry=self._registry)

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=_NAMESPACE, registry=self._registry)

    def histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, text, labels, namespace=_NAMESPACE, registry=self._registry, buckets=buckets)


def _show(gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
    gauge.clear()
    for labels, value in values.items():
        gauge.labels(*labels).set(value)


def _count(keys: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    return {key: float(count) for key, count in collections.Counter(keys).items()}
