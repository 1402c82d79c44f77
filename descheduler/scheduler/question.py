"""One question: where could this pod be now, if it were nowhere?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from descheduler.model.arrays import Indices, Ints, Mask
from descheduler.scheduler.claims.rules import Claiming
from descheduler.scheduler.counters import Counter, Shift
from descheduler.scheduler.gpu_table import GpuNeed, GpuTable
from descheduler.scheduler.pod_rules import AffinityRule, Rules
from descheduler.scheduler.predicates import Predicate
from descheduler.scheduler.volumes import ClaimKey, VolumeRules

At = slice | Indices


@dataclass(frozen=True, slots=True)
class Expected:
    """A pod without a place whose room on `node` is kept for it, and what it will take there."""

    pod: int
    cls: int
    node: int
    amounts: tuple[tuple[int, int], ...]
    gpu: GpuNeed | None


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """A pod, judged on a state without it. All answers are [K], over the nodes of `at` (a slice for all N).

    `rules` are those of what comes in its place. `node` is where the pod is in that state (-1: nowhere), `lifted` the
    shift that takes it away, `amounts` and `holds` what it leaves there; `users` counts the users of an exclusive claim
    other than the pod; `attachable` [N] are the nodes that can attach its volumes (None: all). `expected` are the pods
    that nodes are judged with, and once more without. `claimed` are its resource claims (None: it has none), asked
    last, and only of nodes that are good otherwise.
    """

    pod: int
    rules: Rules
    volumes: VolumeRules | None
    at: At
    node: int
    lifted: tuple[Shift, ...]
    rows: Sequence[Ints]
    amounts: tuple[tuple[int, int], ...]
    holds: GpuNeed | None
    gpus: GpuTable
    current: Callable[[Counter], Ints]
    users: Callable[[ClaimKey], int]
    attachable: Mask | None
    expected: tuple[Expected, ...] = ()
    claimed: Claiming | None = None

    def masks(self) -> Iterator[tuple[Predicate, Mask]]:
        """What each predicate allows [K], in the scheduler's order; predicates that allow everything are left out, and
        those about claims."""
        yield from self._with_and_without(Question._port_masks)
        for column, amount in self.rules.requests:
            yield Predicate.RESOURCES, self.enough(column, amount)
        if self.rules.gpu is not None:
            yield Predicate.GPU_DEVICES, self._devices()
        if self.volumes is not None:
            yield from self._volume_masks(self.volumes)
        yield from self._with_and_without(Question._masks_of_rules)

    def _with_and_without(
        self, masks: Callable[[Question], Iterator[tuple[Predicate, Mask]]]
    ) -> Iterator[tuple[Predicate, Mask]]:
        """What rules between pods say, and on nodes of expected pods what they say with these there."""
        yield from masks(self)
        if self.expected:
            arrivals = tuple((one.cls, one.node, 1, False) for one in self.expected)
            elsewhere = np.ones(len(self.rules.static), np.bool_)
            elsewhere[[one.node for one in self.expected]] = False
            for predicate, mask in masks(replace(self, lifted=(*self.lifted, *arrivals), expected=())):
                yield predicate, mask | elsewhere[self.at]

    def _port_masks(self) -> Iterator[tuple[Predicate, Mask]]:
        if self.rules.ports is not None:
            yield Predicate.PORTS, self.counts(self.rules.ports)[:-1][self.at] == 0

    def _masks_of_rules(self) -> Iterator[tuple[Predicate, Mask]]:
        yield from self._spread_masks()
        if self.rules.affinity is not None:
            yield Predicate.AFFINITY, self._affine(self.rules.affinity)
        for counter in self.rules.anti:
            yield Predicate.ANTI_AFFINITY, self._absent(counter)
        for counter in self.rules.others:
            yield Predicate.ANTI_AFFINITY_OF_OTHERS, self._absent(counter)

    def row(self, column: int) -> Ints:
        """[K] what is free of one resource, in its unit (or of the scheduler's minimum requests)."""
        row = self.rows[column]
        if self.node < 0:
            return row[self.at]
        free = row[self.at].copy()
        free[self.own()] += next((amount for c, amount in self.amounts if c == column), 0)
        return free

    def left(self, column: int) -> Ints:
        """[K] the same without what is kept for expected pods."""
        row = self.row(column)
        if not self.expected:
            return row
        kept = np.zeros(len(self.rules.static), np.int64)
        for one in self.expected:
            kept[one.node] += next((amount for c, amount in one.amounts if c == column), 0)
        left: Ints = row - kept[self.at]
        return left

    def enough(self, column: int, amount: int) -> Mask:
        """[K] whether so much is left of one resource, or it is none of the node's but a matter of claims."""
        found: Mask = self.left(column) >= amount
        by_devices = self.rules.by_devices.get(column)
        return found if by_devices is None else found | by_devices[self.at]

    def own(self) -> int | Mask:
        """Where in the answer the pod's own node is: a position, or a mask [K]."""
        return self.node if isinstance(self.at, slice) else np.equal(self.at, self.node)

    def counts(self, counter: Counter) -> Ints:
        """[D + 1] the counter in the state without the pod."""
        counts = self.current(counter)
        return counter.shift(counts, self.lifted) if self.lifted else counts

    def spread_over(self, counter: Counter, by_domain: Mask) -> Mask:
        """[K] the answer of each node's domain."""
        mask: Mask = by_domain[counter.topology.domain[self.at]]
        return mask

    def _devices(self) -> Mask:
        need = self.rules.gpu
        assert need is not None
        freed = self.gpus.freed(self.pod, self.node, self.holds) if self.node >= 0 else None
        gpus = self.gpus
        if any(one.gpu is not None for one in self.expected):
            gpus = gpus.fork()
            for one in self.expected:
                gpus.take(one.pod, one.node, one.gpu)
        return gpus.fits(need, freed)[self.at]

    def _volume_masks(self, volumes: VolumeRules) -> Iterator[tuple[Predicate, Mask]]:
        if any(self.users(claim) > 0 for claim in volumes.exclusive):
            yield Predicate.VOLUME_IN_USE, np.zeros(len(self.rules.static[self.at]), np.bool_)
        if self.attachable is not None:
            yield Predicate.VOLUME_LIMIT, self.attachable[self.at]
        for predicate, mask in volumes.allowed:
            yield predicate, mask[self.at]

    def _spread_masks(self) -> Iterator[tuple[Predicate, Mask]]:
        # The scheduler looks at one constraint after another, and at each first for the label.
        for rule in self.rules.spread:
            present = rule.counter.topology.present[self.at]
            if not present.all():
                yield Predicate.SPREAD_LABEL, present
            yield Predicate.SPREAD, self.spread_over(rule.counter, rule.allowed(self.counts(rule.counter)))

    def _affine(self, rule: AffinityRule) -> Mask:
        mask = rule.everywhere[self.at]
        nobody = True
        for counter in rule.counters:
            counts = self.counts(counter)
            nobody = nobody and not counts.any()
            mask = mask & self.spread_over(counter, counts > 0)
        if nobody and rule.self_match:
            # The first of a set of pods that want to be together may go anywhere that has the labels.
            return rule.everywhere[self.at]
        return mask

    def _absent(self, counter: Counter) -> Mask:
        return self.spread_over(counter, self.counts(counter) <= 0)
