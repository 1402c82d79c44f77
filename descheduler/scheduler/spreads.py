"""Topology spread constraints as pods stand under them now, though schedulers look at newcomers only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from descheduler.model.arrays import Ints, Ints32, Mask, Positions
from descheduler.model.moves import Placed
from descheduler.model.pods import SpreadConstraint
from descheduler.scheduler.counters import Counter
from descheduler.scheduler.placement import Placement


@dataclass(frozen=True, eq=False)
class Spread:
    """One constraint of pods that are alike. Nodes without the label are in domain D, one past the last.

    `members` are the pods that count: they match, on nodes that count, `eligible` [N], and do not end; `base` [D + 1]
    is how many each domain has in the snapshot, `domain` [N] the domain of each node, `home` [P] the node of each pod
    there. `domains` [K] are those that have a node to be seen, `names` [D] what all are called.
    """

    topology_key: str
    names: tuple[str, ...]
    max_skew: int
    min_domains: int
    domain: Ints32
    eligible: Mask
    domains: Ints
    base: Ints
    members: Positions
    home: Positions

    def counts(self, state: Placed) -> Ints:
        """[D + 1] how many each domain has in a state."""
        found = self.base.copy()
        for pod, node in state.moved.items():
            if pod in self._members:
                found[self.domain[self.home[pod]]] -= 1
                if node >= 0 and self.eligible[node]:
                    found[self.domain[node]] += 1
        return found

    def skew(self, counts: Ints) -> int:
        """By counts [D + 1] how many more the fullest domain has than the emptiest; than none where there are too few
        domains (KEP-3022, minDomains)."""
        there = counts[self.domains]
        least = int(there.min()) if len(there) >= self.min_domains else 0
        return int(there.max()) - least

    def counted(self, pod: int) -> bool:
        """Whether it counts the pod."""
        return pod in self._members

    @cached_property
    def _members(self) -> frozenset[int]:
        return frozenset(self.members.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spread) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @cached_property
    def _key(self) -> tuple[str, int, int, bytes, bytes]:
        return self.topology_key, self.max_skew, self.min_domains, self.eligible.tobytes(), self.members.tobytes()


def uneven(placement: Placement, state: Placed, kinds: Collection[str], seen: Mask) -> Iterator[tuple[Spread, ...]]:
    """The constraints of these kinds (whenUnsatisfiable), together as one pod carries them, where one of them does not
    hold; those of pods that are alike once. `seen` [N] are nodes whose domains are looked at."""
    known: dict[tuple[int, int, int], Spread | None] = {}
    told: set[tuple[Spread, ...]] = set()
    carrying = [tuple(c for c in spec.spread if c.when_unsatisfiable in kinds) for spec in placement.classes.specs]
    for cls, spec in enumerate(placement.classes.spec.tolist()):
        if not carrying[spec] or not len(placement.classes.live_of(np.array([cls]))):
            continue
        made = [_made(placement, cls, one, seen, known) for one in carrying[spec]]
        found = tuple(dict.fromkeys(one for one in made if one is not None))
        if found not in told and any(one.skew(one.counts(state)) > one.max_skew for one in found):
            told.add(found)
            yield found


def _made(
    placement: Placement,
    cls: int,
    constraint: SpreadConstraint,
    seen: Mask,
    known: dict[tuple[int, int, int], Spread | None],
) -> Spread | None:
    """The constraint as the class carries it; None where there is nothing to spread over."""
    counter = placement.spread_counter(cls, constraint)
    key = (id(counter), constraint.max_skew, constraint.min_domains or 1)
    if key not in known:
        known[key] = _spread(placement, counter, constraint, seen)
    return known[key]


def _spread(placement: Placement, counter: Counter, constraint: SpreadConstraint, seen: Mask) -> Spread | None:
    topology = counter.topology
    eligible = topology.present if counter.eligible is None else counter.eligible & topology.present
    domains = np.unique(topology.domain[eligible & seen]).astype(np.int64)
    every = placement.classes.live_of(np.fromiter(counter.weights, np.int64, len(counter.weights)))
    counted = ~placement.terminating[every] & eligible[placement.node_of[every]]
    pods = np.sort(every[counted]).astype(np.int32)
    if not len(domains) or not len(pods):
        return None
    return Spread(
        constraint.topology_key,
        topology.values,
        constraint.max_skew,
        constraint.min_domains or 1,
        topology.domain,
        eligible,
        domains,
        counter.base,
        pods,
        placement.node_of,
    )
