"""What the scheduler sees of a snapshot: its nodes, its pods, and what each class of pods asks of nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property, partial

import numpy as np

from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.model.bounds import AMOUNT
from descheduler.model.columns import UNNAMED
from descheduler.model.dra import by_claims
from descheduler.model.fence import Unreadable, fenced
from descheduler.model.pods import PodSpec, SpreadConstraint
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler.attach_limits import AttachLimits
from descheduler.scheduler.claims.rules import DeviceClaims
from descheduler.scheduler.claims.wanted import wishes_of
from descheduler.scheduler.classes import PodClasses
from descheduler.scheduler.counters import Counter, PodsByClass
from descheduler.scheduler.domains import NodeLabels
from descheduler.scheduler.gpu_table import GpuNeed, GpuRules
from descheduler.scheduler.node_rules import StaticRules
from descheduler.scheduler.nominated import nominated
from descheduler.scheduler.pod_rules import Compiler, Rules
from descheduler.scheduler.predicates import Predicate
from descheduler.scheduler.scoring import Scorer, Scoring, nonzero_requests
from descheduler.scheduler.terms import Term, TermResolver, carried_terms
from descheduler.scheduler.volumes import VolumeRules, Volumes


class Placement:
    """The snapshot's nodes and pods as the scheduler sees them. Never changes; remembers what it has worked out, and
    for whom it could not.

    N nodes, P pods, R resources as in `snapshot.columns`.
    """

    def __init__(self, snapshot: ClusterSnapshot, scoring: Scoring | Mapping[str, Scoring]) -> None:
        columns = snapshot.columns
        self.snapshot = snapshot
        self.columns = columns
        self.labels = NodeLabels(snapshot.nodes)
        self.static = StaticRules(snapshot.nodes, self.labels)
        self.classes = snapshot.once(PodClasses, partial(PodClasses, snapshot))
        self.node_of: Positions = np.where(columns.pod_live, columns.pod_node, -1).astype(np.int32)  # [P]
        self.terminating = columns.pod_ending
        self.volumes = Volumes(snapshot, self.labels)
        self.attach_limits = AttachLimits(snapshot)
        self.gpus = GpuRules(snapshot)
        self.gpu_table = self.gpus.table(snapshot)
        self.rows = _free_rows(snapshot, wishes_of(snapshot).uncounted)
        self.nominated = nominated(snapshot)
        claiming = any(map(wishes_of(snapshot).claiming, columns.specs))
        self.devices = DeviceClaims(snapshot, self.labels) if claiming else None
        pods = PodsByClass(self.classes, self.node_of, self.terminating)
        resolver = TermResolver(snapshot.namespaces, dict.fromkeys(self.classes.groups.namespace))
        carried = carried_terms(self.classes, resolver)
        self._anti = carried.anti
        self._compiler = Compiler(self.classes, self.labels, self.static, pods, resolver, carried)
        self.scorer = Scorer(snapshot, scoring, self.classes, self.labels, self._compiler, pods, resolver, carried)
        self._rules: dict[int, Rules] = {}
        self._odd = dict(carried.odd)  # class -> why it cannot be judged

    def rules(self, cls: int) -> Rules:
        """The predicates of a class."""
        found = self._rules.get(cls)
        if found is None:
            found = self._rules[cls] = fenced(partial(self._compile, cls), partial(self._nowhere, cls))
        return found

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each class of pods of which it cannot be said where they could go, with the name of one."""
        return tuple(f"Pod {self._example(cls)}: {why}" for cls, why in sorted(self._odd.items()))

    @cached_property
    def gpu_needs(self) -> tuple[GpuNeed | None, ...]:
        """[S] what pods of each distinct spec, `columns.specs`, take of the GPUs of their node."""
        return tuple(self.gpus.need(spec) for spec in self.columns.specs)

    def volume_rules(self, pod: int) -> VolumeRules | None:
        """What the pod's claims ask, and those that are made with its replacement; None when it has none."""
        claims = self.snapshot.pods[pod].claims
        made = self.classes.spec_of(int(self.classes.remade[pod])).ephemeral
        return self.volumes.rules(self.snapshot.pods[pod].namespace, claims, made) if claims or made else None

    def anti_terms(self) -> Iterable[tuple[Term, Collection[int]]]:
        """Every required anti-affinity term that pods carry, with the classes that do."""
        return self._anti.each()

    def matching(self, term: Term) -> Collection[int]:
        """Classes whose pods the term matches."""
        return self._compiler.matching(term)

    def spread_counter(self, cls: int, constraint: SpreadConstraint) -> Counter:
        """The pods that a constraint of the class counts, on the nodes that have the labels of all its constraints of
        the same kind."""
        alike = (c for c in self.classes.spec_of(cls).spread if c.when_unsatisfiable == constraint.when_unsatisfiable)
        present = self.labels.all_of(c.topology_key for c in alike)
        return self._compiler.spread_counter(cls, constraint, present)[0]

    def amounts(self, cls: int) -> tuple[tuple[int, int], ...]:
        """(row of `rows`, amount) of all that a pod of the class takes from its node."""
        return self.scorer.amounts(int(self.classes.spec[cls]))

    def amounts_on(self, cls: int, node: int) -> tuple[tuple[int, int], ...]:
        """The same of one that is put there: where devices stand for what it asks for, these are taken."""
        amounts, spec, gpus = self.amounts(cls), self.classes.spec_of(cls), self.snapshot.nodes[node].gpus
        if self.devices is None or spec.resource_claims or not self.devices.claiming(spec):
            return amounts
        here = {self.columns.resource(name): name for name, on in self.devices.served(spec).items() if on[node]}
        names = self.columns.resources
        own = (c for c in amounts if c[0] >= len(names) or not (c[0] in here or by_claims(names[c[0]])))
        taken = self.devices.drivers(spec, here.values())
        driver = gpus.resource if gpus is not None and taken[gpus.resource] else ""
        return (*own, *([(self.columns.resource(driver), taken[driver])] if driver else ()))

    def set_aside(self, cls: int, why: str) -> None:
        """The class cannot be judged."""
        self._rules[cls] = self._nowhere(cls, why)

    def _example(self, cls: int) -> str:
        return self.snapshot.pods[int(self.classes.first[cls])].key

    def _nowhere(self, cls: int, why: str) -> Rules:
        """The rules of a class that cannot be judged: it goes nowhere, and what it holds where it is stays counted."""
        self._odd[cls] = why
        spec, row = self.classes.spec_of(cls), self.columns.spec_requests[self.classes.spec[cls]]
        size = len(self.snapshot.nodes)
        return Rules(
            spec=spec,
            requests=tuple((int(r), int(row[r])) for r in np.flatnonzero(row > 0)),
            static=np.full(size, Predicate.UNREADABLE, np.uint8),
            allowed=np.zeros(size, np.bool_),
            lasting=None,
            ports=None,
            gpu=fenced(partial(self.gpus.need, spec), lambda _: None),
            spread=(),
            affinity=None,
            anti=(),
            others=(),
        )

    def _compile(self, cls: int) -> Rules:
        if cls in self._odd:
            raise Unreadable("", self._odd[cls])
        spec = self.classes.spec_of(cls)
        self._check_preferences(cls, spec)
        row = self.columns.spec_requests[self.classes.spec[cls]]
        gpu, asked = self.gpus.need(spec), np.flatnonzero(row > 0)
        served: Mapping[str, Mask] = {}
        if self.devices is not None and self.devices.claiming(spec):
            self.devices.judge(self.classes.namespace_of(cls), spec)
            served = self.devices.served(spec)
            # What a pod holds by claims is counted as if it asked for it; what the next is given its claims decide.
            asked = asked[[self._is_asked(spec, self.columns.resources[r], served) for r in asked.tolist()]]
            gpu = None if spec.gpu is not None and by_claims(spec.gpu.resource) else gpu
        static = self.static.codes(spec)
        passing = (static == Predicate.LEAVING) | (static == Predicate.BRIEF)
        return Rules(
            spec=spec,
            requests=tuple((int(r), int(row[r])) for r in asked),
            static=static,
            allowed=(static == Predicate.OK) | passing,
            lasting=~passing if passing.any() else None,
            ports=self._compiler.ports(spec.host_ports),
            gpu=gpu,
            spread=self._compiler.spread(cls),
            affinity=self._compiler.affinity(cls),
            anti=self._compiler.anti(cls),
            others=self._compiler.others(cls),
            by_devices={self.columns.resource(name): where for name, where in served.items()},
        )

    def _is_asked(self, spec: PodSpec, resource: str, served: Collection[str]) -> bool:
        """Whether the spec itself asks for a resource, or for one of those that no node offers and no device serves."""
        if resource != UNNAMED:
            return not by_claims(resource)
        unnamed = (name for name, _ in spec.requests if name not in self.columns.resources)
        return any(not by_claims(name) and name not in served for name in unnamed)

    def _check_preferences(self, cls: int, spec: PodSpec) -> None:
        """Raises Unreadable where the scheduler would fail for a preference that it cannot read (NodeAffinity's
        PreScore), and whatever our own scores would."""
        for weight, term in spec.node_affinity.preferred:
            if weight and (fault := term.fault):
                raise Unreadable("spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution", fault)
        if spec.node_affinity.preferred or spec.affinity.preferred or spec.anti_affinity.preferred or spec.spread:
            self.scorer.rules(cls)


def _free_rows(snapshot: ClusterSnapshot, uncounted: Sequence[int]) -> tuple[Ints, ...]:
    """R + 2 arrays [N]: what is free of each resource, then of CPU and memory with the scheduler's minimum requests. Of
    those that are `uncounted`, because devices stand for them everywhere, no node ever runs out."""
    columns = snapshot.columns
    free = columns.allocatable - columns.requested
    free[:, uncounted] = AMOUNT
    rows = [np.ascontiguousarray(free[:, r]) for r in range(free.shape[1])]
    minimum = nonzero_requests(columns)  # [S, 2]
    live = columns.order
    for i in range(2):
        used = np.bincount(
            columns.pod_node[live],
            minimum[columns.pod_spec[live], i].astype(np.float64),
            len(snapshot.nodes),
        )
        rows.append(columns.allocatable[:, i] - used.astype(np.int64))
    return tuple(rows)
