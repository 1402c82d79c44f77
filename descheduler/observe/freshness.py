"""The rule of freshness: may what is known be relied on? Kinds of the cluster and signals of the history alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from descheduler.model.rights import right_in
from descheduler.model.snapshot import Freshness
from descheduler.policy.history import HistoryPolicy
from descheduler.policy.planning import FreshnessPolicy

REQUIRED = ("nodes", "pods", "namespaces", "poddisruptionbudgets", "replicasets", "statefulsets", "jobs")
"""Kinds without which nothing is decided."""


class SourceState(StrEnum):
    """What a source is good for: only a fresh one is relied on."""

    FRESH = "fresh"
    STALE = "stale"
    PARTIAL = "partial"
    ABSENT = "absent"


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
class KindState:
    """One kind by the rule. `stop` says why nothing may be done because of it, empty when it stands in no way."""

    kind: str
    state: SourceState
    age: float  # seconds
    error: str = ""

    @property
    def stop(self) -> str:
        match self.state:
            case SourceState.PARTIAL:
                return f"{self.kind}: {self.error or 'still being read'}"
            case SourceState.STALE:
                return f"{self.kind}: {self.age:.0f} s old"
            case SourceState.ABSENT if self.kind in REQUIRED:
                return f"{self.kind}: not served by the API server"
        return ""


def state_of(as_of: float, now: float, max_age: float, *, there: bool, whole: bool) -> tuple[SourceState, float]:
    """The state of a source that was last confirmed at `as_of`, and its age in seconds.

    From the future it is no better than from the past: a clock was set back, and the age is not known.
    """
    age = abs(now - as_of)
    if not there:
        return SourceState.ABSENT, age
    if not whole:
        return SourceState.PARTIAL, age
    return (SourceState.STALE if age > max_age else SourceState.FRESH), age


def kind_states(freshness: Mapping[str, Freshness], rules: FreshnessRules, now: float) -> Iterator[KindState]:
    """Every kind by the rule, by name."""
    for kind, fresh in sorted(freshness.items()):
        allowed = rules.by_kind.get(kind, rules.max_age_seconds)
        whole = fresh.synced and not fresh.error
        yield KindState(kind, *state_of(fresh.as_of, now, allowed, there=fresh.served, whole=whole), fresh.error)


def unread(freshness: Iterable[Freshness]) -> str:
    """What has not been read, or cannot be, at any age; empty when all that is served has been."""
    served = [fresh for fresh in freshness if fresh.served]
    refused = [right_in(fresh.error) for fresh in served]
    rights = f"missing permissions: {', '.join(sorted(filter(None, refused)))}" if any(refused) else ""
    others = sorted(f"{x.kind}: {x.error}" for x, right in zip(served, refused, strict=True) if x.error and not right)
    failing = [*others, *([rights] if rights else [])]
    waiting = sorted(fresh.kind for fresh in served if not fresh.synced)
    return "; ".join(failing) or (f"still reading {', '.join(waiting)}" if waiting else "")
