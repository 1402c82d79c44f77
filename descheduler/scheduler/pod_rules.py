"""What one class of pods asks of nodes, worked out once from the snapshot."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints, Mask
from descheduler.model.labels import Labels
from descheduler.model.pods import HostPort, PodAffinityTerm, PodSpec, SpreadConstraint
from descheduler.model.selectors import LabelSelector
from descheduler.scheduler.classes import PodClasses
from descheduler.scheduler.counters import Counter, PodsByClass
from descheduler.scheduler.domains import NodeLabels
from descheduler.scheduler.gpu_table import GpuNeed
from descheduler.scheduler.node_rules import StaticRules
from descheduler.scheduler.terms import Carried, Term, TermResolver, with_keys


@dataclass(frozen=True, eq=False, slots=True)
class SpreadRule:
    """One DoNotSchedule constraint. `domains` [K] are the domains that have an eligible node."""

    counter: Counter
    domains: Ints
    max_skew: int
    min_domains: int
    self_match: int

    def allowed(self, counts: Ints) -> Mask:
        """[D + 1] domains that may take one more."""
        least = int(counts[self.domains].min()) if len(self.domains) >= self.min_domains and len(self.domains) else 0
        allowed: Mask = counts + (self.self_match - least) <= self.max_skew
        allowed[-1] = False
        return allowed


@dataclass(frozen=True, eq=False, slots=True)
class AffinityRule:
    """All required affinity terms: one counter per topology key, over the pods that match every term."""

    counters: tuple[Counter, ...]
    everywhere: Mask  # [N] nodes that have all the labels
    self_match: bool


@dataclass(frozen=True, eq=False, slots=True)
class Rules:
    """The predicates of one class of pods. `static` [N] are the verdicts that no other pod changes. `by_devices` [N] by
    column: nodes that do not offer an extended resource, and give out devices for it."""

    spec: PodSpec
    requests: tuple[tuple[int, int], ...]  # (column, amount)
    static: NDArray[np.uint8]
    allowed: Mask  # where the scheduler finds nothing in `static`
    lasting: Mask | None  # where a pod would stay, too; None: wherever it is allowed
    ports: Counter | None
    gpu: GpuNeed | None
    spread: tuple[SpreadRule, ...]
    affinity: AffinityRule | None
    anti: tuple[Counter, ...]
    others: tuple[Counter, ...]
    by_devices: Mapping[int, Mask] = field(default_factory=dict)


class Compiler:
    """Works out spread, affinity and port rules; caches what classes share."""

    def __init__(
        self,
        classes: PodClasses,
        labels: NodeLabels,
        static: StaticRules,
        pods: PodsByClass,
        resolver: TermResolver,
        carried: Carried,
    ) -> None:
        self._classes = classes
        self._labels = labels
        self.static = static
        self._pods = pods
        self._resolver = resolver
        self._carried = carried
        self._ports: dict[tuple[HostPort, ...], Counter] = {}
        self._spread: dict[Hashable, Counter] = {}
        self._affinity: dict[tuple[Term, ...], tuple[Counter, ...]] = {}
        self._anti: dict[tuple[Term, ...], tuple[Counter, ...]] = {}
        self._others: dict[int, tuple[Counter, ...]] = {}

    def ports(self, wanted: tuple[HostPort, ...]) -> Counter | None:
        """Pods per node that hold a port which conflicts with a wanted one."""
        if not wanted:
            return None
        found = self._ports.get(wanted)
        if found is None:
            holds = [any(conflict(a, b) for a in wanted for b in spec.host_ports) for spec in self._classes.specs]
            weights = dict.fromkeys(np.flatnonzero(np.array(holds, np.bool_)[self._classes.spec]).tolist(), 1)
            found = self._ports[wanted] = self._pods.counter(self._labels.each, weights)
        return found

    def spread(self, cls: int) -> tuple[SpreadRule, ...]:
        """The DoNotSchedule constraints (kubernetes pkg/scheduler/framework/plugins/podtopologyspread/filtering.go)."""
        hard = [c for c in self._classes.spec_of(cls).spread if c.when_unsatisfiable == "DoNotSchedule"]
        if not hard:
            return ()
        present = self._labels.all_of(c.topology_key for c in hard)
        return tuple(self._spread_rule(cls, constraint, present) for constraint in hard)

    def _spread_rule(self, cls: int, constraint: SpreadConstraint, present: Mask) -> SpreadRule:
        counter, self_match = self.spread_counter(cls, constraint, present)
        eligible = counter.eligible
        topology = counter.topology
        domains = np.unique(topology.domain if eligible is None else topology.domain[eligible]).astype(np.int64)
        return SpreadRule(
            counter=counter,
            domains=domains[domains < topology.size],
            max_skew=constraint.max_skew,
            min_domains=constraint.min_domains or 1,
            self_match=self_match,
        )

    def spread_counter(
        self, cls: int, constraint: SpreadConstraint, present: Mask, *, per_node: bool = False
    ) -> tuple[Counter, int]:
        """Matching pods per domain on the nodes that count, and whether the pod matches itself (1 or 0).

        `present` [N]: the nodes that have the labels of all constraints.
        `per_node` (for scores on hostname): matching pods of each node, whatever the inclusion policies say.
        """
        spec, namespace, labels = self._who(cls)
        selector = with_keys(constraint.selector, constraint.match_label_keys, labels)
        inclusion = () if per_node else (present.tobytes(), *self._inclusion(spec, constraint))
        key = (namespace, selector, constraint.topology_key, inclusion)
        counter = self._spread.get(key)
        if counter is None:
            counter = self._spread[key] = self._pods.counter(
                self._labels.each if per_node else self._labels.topology(constraint.topology_key),
                dict.fromkeys(self._alike(namespace, selector), 1),
                eligible=None if per_node else present & self.included(spec, constraint),
                skip_terminating=True,
            )
        return counter, int(selector is not None and selector.matches(labels))

    def _alike(self, namespace: str, selector: LabelSelector | None) -> list[int]:
        """Classes that a spread constraint counts."""
        if selector is None or not selector.requirements:
            return []  # an empty selector counts nobody, though it matches the pod itself (countPodsMatchSelector)
        return self.matching(Term("", selector, frozenset((namespace,))))

    def _who(self, cls: int) -> tuple[PodSpec, str, Labels]:
        return self._classes.spec_of(cls), self._classes.namespace_of(cls), self._classes.labels_of(cls)

    @staticmethod
    def _inclusion(spec: PodSpec, constraint: SpreadConstraint) -> tuple[Hashable, Hashable]:
        """What of the spec decides which nodes count."""
        affinity = (spec.node_selector, spec.node_affinity.required)
        return (
            affinity if constraint.node_affinity_policy == "Honor" else None,
            spec.tolerations if constraint.node_taints_policy == "Honor" else None,
        )

    def included(self, spec: PodSpec, constraint: SpreadConstraint) -> Mask:
        """[N] nodes that the constraint's node inclusion policies let count."""
        mask = np.ones(len(self._labels.names), np.bool_)
        if constraint.node_affinity_policy == "Honor":
            mask = mask & self.static.affine(spec.node_selector, spec.node_affinity)
        if constraint.node_taints_policy == "Honor":
            mask = mask & ~self.static.untolerated(spec.tolerations)
        return mask

    def affinity(self, cls: int) -> AffinityRule | None:
        """Required pod affinity: only pods that match all terms count (interpodaffinity/filtering.go)."""
        required = self._classes.spec_of(cls).affinity.required
        if not required:
            return None
        terms = self._terms(cls, required)
        keys = dict.fromkeys(t.topology_key for t in terms)
        counters = self._affinity.get(terms)
        if counters is None:
            matching = set(self.matching(terms[0]))
            for term in terms[1:]:
                matching &= set(self.matching(term))
            weights = dict.fromkeys(sorted(matching), 1)
            counters = tuple(self._pods.counter(self._labels.topology(k), weights) for k in keys)
            self._affinity[terms] = counters
        _, namespace, labels = self._who(cls)
        self_match = all(t.matches(namespace, labels) for t in terms)
        return AffinityRule(counters, self._labels.all_of(keys), self_match)

    def anti(self, cls: int) -> tuple[Counter, ...]:
        """Required pod anti-affinity: per topology key, pods that match any term of it."""
        terms = self._terms(cls, self._classes.spec_of(cls).anti_affinity.required)
        found = self._anti.get(terms)
        if found is None:
            by_key: dict[str, dict[int, int]] = {}
            for term in terms:
                by_key.setdefault(term.topology_key, {}).update(dict.fromkeys(self.matching(term), 1))
            found = tuple(self._pods.counter(self._labels.topology(k), w) for k, w in by_key.items())
            self._anti[terms] = found
        return found

    def _terms(self, cls: int, raw: tuple[PodAffinityTerm, ...]) -> tuple[Term, ...]:
        _, namespace, labels = self._who(cls)
        return tuple(self._resolver.resolve(t, namespace, labels) for t in raw)

    def matching(self, term: Term) -> list[int]:
        """Classes whose pods the term matches."""
        classes = self._classes
        found: list[int] = classes.of_groups(classes.groups.matching(term.selector, term.namespaces)).tolist()
        return found

    def others(self, cls: int) -> tuple[Counter, ...]:
        """Required anti-affinity of running pods that concerns this one, per topology key."""
        group = int(self._classes.group[cls])
        found = self._others.get(group)
        if found is None:
            concerned = self._carried.anti.concerning(self._classes.namespace_of(cls), self._classes.labels_of(cls))
            found = tuple(self._pods.counter(self._labels.topology(k), w) for k, w in concerned.items())
            self._others[group] = found
        return found


def conflict(wanted: HostPort, held: HostPort) -> bool:
    """Whether two host ports exclude one another (kube-scheduler framework/types.go HostPortInfo.CheckConflict)."""
    if wanted.port <= 0 or held.port <= 0 or wanted.port != held.port:
        return False
    if (wanted.protocol or "TCP") != (held.protocol or "TCP"):
        return False
    wildcard = ("", "0.0.0.0")
    return wanted.ip in wildcard or held.ip in wildcard or wanted.ip == held.ip
