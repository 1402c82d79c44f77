"""May this data be relied on? Every kind and signal with its age, and what may not be used because of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from descheduler.model.plan import SourceRow
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.problems import Problem, ProblemKind
from descheduler.policy.history import HistoryPolicy
from descheduler.policy.planning import FreshnessPolicy
from descheduler_profiling.profiles import SignalProfiles

REQUIRED = ("nodes", "pods", "namespaces", "poddisruptionbudgets", "replicasets", "statefulsets", "jobs")
"""Kinds without which nothing is decided."""

_NAMED = 10  # unreadable objects that are named one by one


@dataclass(frozen=True, slots=True)
class FreshnessRules:
    """How old data may be, in seconds."""

    max_age_seconds: float
    by_kind: Mapping[str, float]
    history_max_age_seconds: float
    min_coverage: float  # share of the running pods' requests that must have history

    @classmethod
    def of(cls, freshness: FreshnessPolicy, history: HistoryPolicy) -> Self:
        return cls(
            max_age_seconds=freshness.max_age.total_seconds(),
            by_kind={kind: age.total_seconds() for kind, age in freshness.kinds.items()},
            history_max_age_seconds=history.max_staleness.total_seconds(),
            min_coverage=history.min_coverage,
        )


@dataclass(frozen=True, slots=True)
class Sources:
    """`usable`: signals that may be acted on. `stops`: why nothing may be executed at all, empty when it may."""

    rows: tuple[SourceRow, ...]
    usable: Mapping[str, SignalProfiles]
    stops: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


def judge_sources(
    snapshot: ClusterSnapshot, profiles: Mapping[str, SignalProfiles], rules: FreshnessRules, now: float
) -> Sources:
    """Judge every source; a signal that is partial or stale is not used, a stale kind stops everything."""
    rows, stops = _kinds(snapshot, rules, now)
    usable: dict[str, SignalProfiles] = {}
    problems = [Problem(ProblemKind.OBJECT, text) for text in unreadable(snapshot)]
    for name, signal in sorted(profiles.items()):
        row = _signal(signal, rules, now)
        rows.append(row)
        if row.state == "fresh":
            usable[name] = signal
        else:
            problems.append(Problem(ProblemKind.SIGNAL, f"history of {name} is {row.state}: {row.detail}", name))
    return Sources(tuple(rows), usable, tuple(stops), tuple(problems))


def _kinds(snapshot: ClusterSnapshot, rules: FreshnessRules, now: float) -> tuple[list[SourceRow], list[str]]:
    rows: list[SourceRow] = []
    stops: list[str] = []
    sizes = _sizes(snapshot)
    for kind, fresh in sorted(snapshot.freshness.items()):
        age = abs(now - fresh.as_of)  # from the future it is no better: a clock was set back, and the age is not known
        state = "fresh"
        if not fresh.served:
            state = "absent"
        elif not fresh.synced or fresh.error:
            state = "partial"
        elif age > rules.by_kind.get(kind, rules.max_age_seconds):
            state = "stale"
        rows.append(SourceRow(kind, state, age, sizes.get(kind, 0), fresh.error))
        if state in ("partial", "stale"):
            stops.append(f"{kind}: {fresh.error or f'{age:.0f} s old'}")
        elif state == "absent" and kind in REQUIRED:
            stops.append(f"{kind}: not served by the API server")
    return rows, stops


def unreadable(snapshot: ClusterSnapshot) -> Iterator[str]:
    """Objects that make no sense, the first of them by name; what they touch takes no part in the plan."""
    found = snapshot.problems
    yield from found[:_NAMED]
    if len(found) > _NAMED:
        yield f"{len(found) - _NAMED} more objects cannot be read"


def _sizes(snapshot: ClusterSnapshot) -> dict[str, int]:
    sizes = {
        "nodes": len(snapshot.nodes),
        "pods": len(snapshot.pods),
        "namespaces": len(snapshot.namespaces),
        "poddisruptionbudgets": len(snapshot.budgets),
        "priorityclasses": len(snapshot.priority_classes),
        "persistentvolumeclaims": len(snapshot.claims),
        "persistentvolumes": len(snapshot.volumes),
        "storageclasses": len(snapshot.storage_classes),
    }
    for key in snapshot.workloads:
        plural = f"{key.kind.lower()}s"
        sizes[plural] = sizes.get(plural, 0) + 1
    sizes.update({kind: len(found) for kind, found in snapshot.objects.items()})
    return sizes


def _signal(profiles: SignalProfiles, rules: FreshnessRules, now: float) -> SourceRow:
    age = abs(now - profiles.origin)  # as above: from the future it is no better
    state, detail = "fresh", "; ".join(profiles.problems)
    if not profiles.keys:
        state, detail = "absent", detail or "no series"
    elif not profiles.complete:
        state = "partial"
    elif age > rules.history_max_age_seconds:
        state = "stale"
        detail = f"newest point is {age:.0f} s old" if now > profiles.origin else f"{age:.0f} s from the future"
    return SourceRow(f"history/{profiles.signal}", state, age, len(profiles.keys), detail)


def missing(signals: Iterable[str], usable: Mapping[str, SignalProfiles]) -> tuple[str, ...]:
    """Those of `signals` that may not be used."""
    return tuple(name for name in signals if name not in usable)
