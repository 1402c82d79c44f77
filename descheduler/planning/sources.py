"""May this data be relied on? Every kind and signal with its age, and what may not be used because of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from descheduler.model.budgets import PDB, PUB
from descheduler.model.plan import SourceRow
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.freshness import FreshnessRules, SourceState, kind_states, state_of
from descheduler.planning.problems import Problem, ProblemKind
from descheduler_profiling.history.outside_queries import RESOURCE
from descheduler_profiling.profiles import SignalProfiles

_NAMED = 10  # unreadable objects that are named one by one


@dataclass(frozen=True, slots=True)
class Sources:
    """`usable`: signals that may be acted on. `stops`: why nothing may be executed at all, empty when it may."""

    rows: tuple[SourceRow, ...]
    usable: Mapping[str, SignalProfiles]
    stops: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


def judge_sources(
    snapshot: ClusterSnapshot,
    profiles: Mapping[str, SignalProfiles],
    rules: FreshnessRules,
    now: float,
    relied_on: Collection[str] | None = None,
) -> Sources:
    """Judge every source; a signal that is partial or stale is not used, a stale kind stops everything.

    That the server has no series of a signal is a problem only of those that are `relied_on` (None: of all).
    """
    counts = sizes(snapshot)
    kinds = tuple(kind_states(snapshot.freshness, rules, now))
    rows = [SourceRow(one.kind, one.state, one.age, counts.get(one.kind, 0), one.error) for one in kinds]
    stops = tuple(one.stop for one in kinds if one.stop)
    usable: dict[str, SignalProfiles] = {}
    problems = [Problem(ProblemKind.OBJECT, text) for text in named(snapshot.problems)]
    for name, signal in sorted(profiles.items()):
        row = _signal(signal, rules, now)
        unread = signal.absent or (name in RESOURCE and not signal.keys)  # of nodes: plans were made without, and are
        optional = unread and relied_on is not None and name not in relied_on
        rows.append(replace(row, detail=f"optional: {row.detail}") if optional else row)
        if row.state == SourceState.FRESH:
            rows[-1] = replace(rows[-1], detail="; ".join(filter(None, (rows[-1].detail, *pressed(signal)))))
            usable[name] = signal
            problems.extend(Problem(ProblemKind.OBJECT, text) for text in standing_still(signal))
        elif not optional:
            problems.append(Problem(ProblemKind.SIGNAL, f"history of {name} is {row.state}: {row.detail}", name))
    return Sources(tuple(rows), usable, stops, tuple(problems))


def named(found: Sequence[str], others: str = "more objects cannot be read") -> Iterator[str]:
    """Objects that make no sense, the first of them by name; what they touch takes no part in the plan."""
    yield from found[:_NAMED]
    if len(found) > _NAMED:
        yield f"{len(found) - _NAMED} {others}"


def standing_still(signal: SignalProfiles) -> Iterator[str]:
    """The nodes whose counters stand still, the first of them by name; they are neither left nor gone to for load."""
    nodes = signal.standing_still
    if nodes:
        more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
        yield f"{signal.signal} counters stand still on {', '.join(nodes[:_NAMED])}{more}: nobody knows their load"


def pressed(signal: SignalProfiles) -> Iterator[str]:
    """The nodes on which tasks wait, the first of them by name; nothing goes to them."""
    found = sorted(signal.strain.pressed.items(), key=lambda item: (-item[1], item[0]))
    if found:
        some = ", ".join(f"{node} ({share:.0%} of the time)" for node, share in found[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        yield f"tasks wait for {signal.signal} on {some}{more}: they are no destinations"


def sizes(snapshot: ClusterSnapshot) -> dict[str, int]:
    """How many objects there are of each kind, by its key."""
    counts = {
        "nodes": len(snapshot.nodes),
        "pods": len(snapshot.pods),
        "namespaces": len(snapshot.namespaces),
        "poddisruptionbudgets": sum(b.kind == PDB for b in snapshot.budgets),
        "priorityclasses": len(snapshot.priority_classes),
        "runtimeclasses": len(snapshot.runtime_classes),
        "serviceaccounts": len(snapshot.service_accounts),
        "limitranges": len(snapshot.limit_ranges),
        "resourcequotas": len(snapshot.quotas),
        "persistentvolumeclaims": len(snapshot.claims),
        "persistentvolumes": len(snapshot.volumes),
        "storageclasses": len(snapshot.storage_classes),
        "csinodes": len(snapshot.csi_nodes),
        "csidrivers": len(snapshot.csi_drivers),
    }
    for key in snapshot.workloads:
        plural = f"{key.kind.lower()}s"
        counts[plural] = counts.get(plural, 0) + 1
    counts.update({kind: len(found) for kind, found in snapshot.objects.items()})
    counts["policy.kruise.io/PodUnavailableBudget"] = sum(b.kind == PUB for b in snapshot.budgets)
    return counts


def _signal(profiles: SignalProfiles, rules: FreshnessRules, now: float) -> SourceRow:
    there, whole = bool(profiles.keys), profiles.complete
    state, age = state_of(profiles.origin, now, rules.history_max_age_seconds, there=there, whole=whole)
    detail = "; ".join(profiles.problems)
    if state is SourceState.ABSENT:
        detail = detail or "no series"
    elif state is SourceState.STALE:
        detail = f"newest point is {age:.0f} s old" if now > profiles.origin else f"{age:.0f} s from the future"
    return SourceRow.of_signal(profiles.signal, state, age, len(profiles.keys), detail)


def missing(signals: Iterable[str], usable: Mapping[str, SignalProfiles]) -> tuple[str, ...]:
    """Those of `signals` that may not be used."""
    return tuple(name for name in signals if name not in usable)
