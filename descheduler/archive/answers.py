"""What the archive answers: the same for pages and for programs. Times are unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cycle:
    """One plan and what came of it.

    `hot_nodes` are those of which the plan expected that they would be above the threshold of their strategy, without
    it; `hot_minutes` that number times the minutes to the next plan, of which at most an hour counts, None for the
    latest. `evicted` is None where nothing was carried out. `helped` and `missed` count actions that are judged.
    """

    plan: str
    at: float
    active: bool
    policy: str
    hot_nodes: float | None
    hot_minutes: float | None
    planned: int
    evicted: int | None
    helped: int
    missed: int
    findings: Mapping[str, int]  # by outcome
    problem: str


@dataclass(frozen=True, slots=True)
class Move:
    """One pod of a plan. `result`: planned, evicted, refused, partial, not-reached. `helped`: None until judged."""

    plan: str
    at: float
    action: str
    kind: str
    strategy: str
    executor: str
    pod: str
    workload: str
    source: str
    destination: str
    result: str
    reason: str
    detail: str
    landed: str
    ready_seconds: float | None
    helped: bool | None


@dataclass(frozen=True, slots=True)
class KeptFinding:
    """A finding of one plan."""

    plan: str
    at: float
    strategy: str
    subject: str
    measure: str
    resource: str
    value: float
    threshold: float
    after: float
    outcome: str
    text: str


@dataclass(frozen=True, slots=True)
class Hour:
    """The sums of an hour."""

    at: float
    hot_minutes: float
    planned: int
    evicted: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The plans of some days, newest first, of which `left_out` are not listed; sums are over all."""

    days: float
    hot_minutes: float
    evicted: int
    helped: int
    missed: int
    left_out: int
    hours: tuple[Hour, ...]
    cycles: tuple[Cycle, ...]


@dataclass(frozen=True, slots=True)
class PlanHistory:
    """One plan; `refusals` by reason."""

    cycle: Cycle
    findings: tuple[KeptFinding, ...]
    moves: tuple[Move, ...]
    refusals: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WorkloadHistory:
    """The moves of a workload's pods, newest first."""

    workload: str
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class NodeHistory:
    """What was found about a node, and the moves from it and to it, newest first."""

    node: str
    findings: tuple[KeptFinding, ...]
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class RefusalDay:
    """How often a reason was given on a day (UTC): by how many plans, and how often by one of them."""

    day: str
    reason: str
    plans: int
    mean: float
    most: int


@dataclass(frozen=True, slots=True)
class RefusalHistory:
    """Newest day first, the most frequent reasons of each first."""

    days: tuple[RefusalDay, ...]


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A policy that came into force, and what differs from the one before, line by line (unified diff)."""

    at: float
    hash: str
    text: str
    changed: str


@dataclass(frozen=True, slots=True)
class PolicyHistory:
    """Newest first: the first is in force."""

    policies: tuple[PolicyChange, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What has the text in its name."""

    text: str
    plans: tuple[str, ...]
    workloads: tuple[str, ...]
    nodes: tuple[str, ...]
    pods: tuple[str, ...]
