"""The default scheduler's scores, with its default weights.

After kubernetes pkg/scheduler/framework/plugins and pkg/scheduler/apis/config/v1/default_plugins.go. ImageLocality is
left out: which images nodes hold is not in the snapshot. VolumeBinding scores only in special cases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from descheduler.model.arrays import Ints, Ints32, Mask
from descheduler.model.columns import Columns
from descheduler.model.nodes import HOSTNAME, VACATING, ZONE
from descheduler.model.pods import SpreadConstraint
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.scheduler.balance import BEST, Balance
from descheduler.scheduler.classes import PodClasses
from descheduler.scheduler.counters import Counter, PodsByClass
from descheduler.scheduler.domains import NodeLabels
from descheduler.scheduler.node_rules import tolerates
from descheduler.scheduler.pod_rules import Compiler
from descheduler.scheduler.question import At, Question
from descheduler.scheduler.terms import Carried, TermResolver

WEIGHTS = {"taints": 3, "affinity": 2, "fit": 1, "spread": 2, "inter_pod": 2, "balance": 1, "devices": 2}
DIRECTED = 100
"""Weight of the preference that replacements are directed by: the largest that the API lets a term have."""
MINIMUM = (100, 200 * 1024 * 1024)
"""What a container that asks for no CPU or memory counts as (pkg/scheduler/util/pod_resources.go)."""

_SYSTEM_DEFAULTS = ((HOSTNAME, 3), (ZONE, 5))
_SELECTING_OWNERS = ("ReplicaSet", "StatefulSet", "ReplicationController")


class Scoring(StrEnum):
    """Strategy of NodeResourcesFit: prefer empty nodes (the default) or full ones."""

    LEAST_ALLOCATED = "LeastAllocated"
    MOST_ALLOCATED = "MostAllocated"


@dataclass(frozen=True, eq=False, slots=True)
class SoftSpread:
    """One ScheduleAnyway constraint (or a system default one); on hostname every node is a domain of its own."""

    counter: Counter
    max_skew: int
    per_node: bool
    domain: Ints32  # [N] of the label itself
    present: Mask  # [N]


@dataclass(frozen=True, eq=False, slots=True)
class ScoreRules:
    """What one class of pods prefers."""

    soft_taints: Ints  # [N]
    steerable: bool  # it does not tolerate our taint
    preferences: Ints | None  # [N]
    spread: tuple[SoftSpread, ...]
    scored: Mask  # [N] nodes that have all labels of the constraints, where that is required
    require_all: bool
    inter_pod: tuple[Counter, ...]
    requests: tuple[int, int]  # CPU, memory
    minimum: tuple[int, int]  # the same with the scheduler's minimum
    most: bool  # its scheduler prefers full nodes


@dataclass(frozen=True, eq=False, slots=True)
class Scores:
    """Of a class of pods on the K nodes `at`: weighted sums [K] of `others` than those of taints and preferences."""

    at: At
    rules: ScoreRules
    others: Ints

    def totals(self, steered: Collection[int] = (), towards: Collection[int] = ()) -> Ints:
        """[K] weighted sums of all scores.

        `steered` nodes count one PreferNoSchedule taint more (ours) unless the class tolerates it. `towards` nodes
        are named by one preference more, of the weight `DIRECTED`; where the class prefers nodes of its own, all sums
        are scaled by the largest, as the scheduler does.
        """
        taints, preferences = self.rules.soft_taints, self.rules.preferences
        if steered and self.rules.steerable:
            taints = taints.copy()
            taints[list(steered)] += 1
        total = self.others + WEIGHTS["taints"] * _normalise(taints[self.at], reverse=True)
        if towards:
            preferences = np.zeros_like(taints) if preferences is None else preferences.copy()
            preferences[list(towards)] += DIRECTED
        if preferences is not None:
            total = total + WEIGHTS["affinity"] * _normalise(preferences[self.at], reverse=False)
        return total


def nonzero_requests(columns: Columns) -> Ints:
    """[S, 2] CPU and memory of each spec, with the minimum for those that ask nothing.

    The scheduler applies the minimum to each container, which `PodSpec.counted` holds; without it a pod counts as one.
    """
    derived = np.where(columns.spec_requests[:, :2] == 0, np.array(MINIMUM), columns.spec_requests[:, :2])
    counted = np.array([spec.counted for spec in columns.specs], np.int64).reshape(-1, 2)
    return np.where(counted.any(axis=1, keepdims=True), counted, derived)


class Scorer:
    """Scores of nodes for pods."""

    def __init__(
        self,
        snapshot: ClusterSnapshot,
        scoring: Scoring | Mapping[str, Scoring],
        classes: PodClasses,
        labels: NodeLabels,
        compiler: Compiler,
        pods: PodsByClass,
        resolver: TermResolver,
        carried: Carried,
    ) -> None:
        self._snapshot = snapshot
        self._columns = snapshot.columns
        self._scoring = scoring
        self._classes = classes
        self._labels = labels
        self._compiler = compiler
        self._pods = pods
        self._resolver = resolver
        self._carried = carried
        self._minimum = nonzero_requests(snapshot.columns)
        self._balance = Balance.of(snapshot.release)
        self._amounts: dict[int, tuple[tuple[int, int], ...]] = {}
        self._rules: dict[int, ScoreRules] = {}
        self._resources = len(self._columns.resources)

    def amounts(self, spec: int) -> tuple[tuple[int, int], ...]:
        """(row, amount) of all that a pod of the spec takes: its requests, then the minimum CPU and memory."""
        found = self._amounts.get(spec)
        if found is None:
            row = self._columns.spec_requests[spec]
            asked = [(int(r), int(row[r])) for r in np.flatnonzero(row)]
            least = [(self._resources + i, int(self._minimum[spec, i])) for i in range(2)]
            found = self._amounts[spec] = (*asked, *least)
        return found

    def scores(self, cls: int, question: Question) -> Scores:
        """Of the question's nodes, which must be those that passed the filters."""
        rules, at = self.rules(cls), question.at
        total = WEIGHTS["fit"] * self._fit(rules, question)
        left = np.stack((question.row(0), question.row(1)), axis=1)
        total = total + WEIGHTS["balance"] * self._balance.scores(
            self._columns.allocatable[at, :2], left, rules.requests
        )
        if rules.spread:
            total = total + WEIGHTS["spread"] * _spread(rules, question)
        if rules.inter_pod:
            total = total + WEIGHTS["inter_pod"] * _inter_pod(rules, question)
        devices = question.claimed.scores(np.arange(len(rules.soft_taints))[at]) if question.claimed else None
        if devices is not None:
            total = total + WEIGHTS["devices"] * _normalise(devices, reverse=False)
        return Scores(at, rules, total)

    def rules(self, cls: int) -> ScoreRules:
        """The preferences of a class."""
        found = self._rules.get(cls)
        if found is None:
            found = self._rules[cls] = self._compile(cls)
        return found

    def _compile(self, cls: int) -> ScoreRules:
        spec, row = self._classes.spec_of(cls), int(self._classes.spec[cls])
        static = self._compiler.static
        constraints = self._soft_constraints(cls)
        present = self._labels.all_of(c.topology_key for c in constraints)
        require_all = bool(spec.spread)
        scored = present if require_all else np.ones(len(present), np.bool_)
        asked = self._columns.spec_requests[row]
        return ScoreRules(
            soft_taints=static.soft_taints(spec.tolerations),
            steerable=not any(tolerates(x, VACATING) for x in spec.tolerations),
            preferences=static.preferences(spec.node_affinity) if spec.node_affinity.preferred else None,
            spread=tuple(self._soft_spread(cls, c, scored) for c in constraints),
            scored=scored,
            require_all=require_all,
            inter_pod=self._inter_pod(cls),
            requests=(int(asked[0]), int(asked[1])),
            minimum=(int(self._minimum[row, 0]), int(self._minimum[row, 1])),
            most=self._strategy(spec.scheduler_name) is Scoring.MOST_ALLOCATED,
        )

    def _strategy(self, scheduler: str) -> Scoring:
        if isinstance(self._scoring, Scoring):
            return self._scoring
        return self._scoring.get(scheduler, Scoring.LEAST_ALLOCATED)

    def _soft_constraints(self, cls: int) -> tuple[SpreadConstraint, ...]:
        spec = self._classes.spec_of(cls)
        if spec.spread:
            return tuple(c for c in spec.spread if c.when_unsatisfiable == "ScheduleAnyway")
        selector = self._owner_selector(cls)
        if selector is None or not selector.requirements:
            return ()
        return tuple(SpreadConstraint(skew, key, "ScheduleAnyway", selector) for key, skew in _SYSTEM_DEFAULTS)

    def _owner_selector(self, cls: int) -> LabelSelector | None:
        # plugins/helper/spread.go DefaultSelector, without Services: what they select, the owner's pods nearly always
        # share. Pods of one class share their owner unless two owners select the same labels.
        pod = self._snapshot.pods[int(self._classes.first[cls])]
        owner = pod.controller
        if owner is None or owner.kind not in _SELECTING_OWNERS:
            return None
        workload = self._snapshot.workloads.get(WorkloadKey(pod.namespace, owner.kind, owner.name))
        return workload.selector if workload else None

    def _soft_spread(self, cls: int, constraint: SpreadConstraint, present: Mask) -> SoftSpread:
        label = self._labels.topology(constraint.topology_key)
        per_node = constraint.topology_key == HOSTNAME
        counter, _ = self._compiler.spread_counter(cls, constraint, present, per_node=per_node)
        return SoftSpread(counter, constraint.max_skew, per_node, label.domain, label.present)

    def _inter_pod(self, cls: int) -> tuple[Counter, ...]:
        classes = self._classes
        spec, namespace, labels = classes.spec_of(cls), classes.namespace_of(cls), classes.labels_of(cls)
        by_key = self._carried.preferences.concerning(namespace, labels)
        for sign, preferred in ((1, spec.affinity.preferred), (-1, spec.anti_affinity.preferred)):
            for weight, raw in preferred:
                term = self._resolver.resolve(raw, namespace, labels)
                weights = by_key.setdefault(term.topology_key, {})
                for other in classes.of_groups(classes.groups.matching(term.selector, term.namespaces)).tolist():
                    weights[other] = weights.get(other, 0) + sign * weight
        return tuple(self._pods.counter(self._labels.topology(k), w) for k, w in by_key.items())

    def _fit(self, rules: ScoreRules, question: Question) -> Ints:
        """LeastAllocated or MostAllocated on CPU and memory (noderesources/least_allocated.go, most_allocated.go)."""
        score = np.zeros(len(rules.soft_taints[question.at]), np.int64)
        weights = np.zeros_like(score)
        for i in range(2):
            capacity = self._columns.allocatable[question.at, i]
            there = capacity > 0
            left = question.row(self._resources + i) - rules.minimum[i]
            safe = np.where(there, capacity, 1)
            part = np.clip(safe - left, 0, safe) if rules.most else np.maximum(left, 0)
            score += np.where(there, part * BEST // safe, 0)
            weights += there
        return score // np.maximum(weights, 1)


def _normalise(scores: Ints, *, reverse: bool) -> Ints:
    """helper.DefaultNormalizeScore."""
    most = int(scores.max(initial=0))
    if most == 0:
        return np.full(len(scores), BEST if reverse else 0, np.int64)
    scaled = BEST * scores // most
    return BEST - scaled if reverse else scaled


def _spread(rules: ScoreRules, question: Question) -> Ints:
    """PodTopologySpread's score (podtopologyspread/scoring.go)."""
    scored = rules.scored[question.at]
    total = np.zeros(len(scored), np.float64)
    for rule in rules.spread:
        domain, present = rule.domain[question.at], rule.present[question.at]
        size = int(scored.sum()) if rule.per_node else len(np.unique(domain[scored]))
        counts = question.counts(rule.counter)[rule.counter.topology.domain[question.at]]
        each = counts * np.log(float(size + 2)) + float(rule.max_skew - 1)
        total += np.where(present, each, 0.0)
    raw = np.floor(total + 0.5).astype(np.int64)
    if not scored.any():
        return np.zeros(len(scored), np.int64)
    least, most = int(raw[scored].min()), int(raw[scored].max())
    if most == 0:
        return np.where(scored, BEST, 0)
    return np.where(scored, BEST * (most + least - raw) // most, 0)


def _inter_pod(rules: ScoreRules, question: Question) -> Ints:
    """InterPodAffinity's score (interpodaffinity/scoring.go)."""
    raw = np.zeros(len(rules.scored[question.at]), np.int64)
    for counter in rules.inter_pod:
        raw += question.counts(counter)[counter.topology.domain[question.at]]
    if not len(raw):
        return raw
    least, most = int(raw.min()), int(raw.max())
    if least == most:
        return np.zeros_like(raw)
    return (BEST * ((raw - least) / (most - least))).astype(np.int64)
