"""Pools of devices as they look from each node (k8s.io/dynamic-resource-allocation/structured, `GatherPools`).

Only the newest generation of a pool counts of which a node sees anything, and only whole. Pools come by driver and
name, their slices by name, their devices as they are listed: in this order devices are tried.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np

from descheduler.model.arrays import Mask
from descheduler.model.dra import PooledDevice, Reach, ResourceSlice
from descheduler.scheduler.domains import NodeLabels

DeviceKey = tuple[str, str, str]
"""(driver, pool, device)."""
PoolKey = tuple[str, str]


@dataclass(frozen=True, eq=False, slots=True)
class Candidate:
    """A device as a slice lists it. Of one name there may be several, in slices of old generations."""

    key: DeviceKey
    facts: PooledDevice
    slice: ResourceSlice


@dataclass(frozen=True, eq=False, slots=True)
class NodePool:
    """A pool as one node sees it: `devices` it may use, `hidden` ones that only consume the pool's counters.

    Of one that is not `complete` (being replaced), or not `valid`, nothing is given out.
    """

    key: PoolKey
    complete: bool = True
    valid: bool = True
    devices: tuple[Candidate, ...] = ()
    hidden: tuple[Candidate, ...] = ()
    counters: Mapping[str, Mapping[str, Decimal]] | None = None

    @property
    def usable(self) -> bool:
        return self.complete and self.valid

    @property
    def waits(self) -> bool:
        """Whether some device must be made ready after it was given out: such pools come last."""
        return any(one.facts.waits for one in self.devices)


class Pools:
    """All pools of a cluster of N nodes. `blind` [N]: nodes of which a slice could not be read."""

    def __init__(self, slices: Iterable[ResourceSlice], nodes: Sequence[str], labels: NodeLabels) -> None:
        self._nodes, self._labels = nodes, labels
        self._at = {name: at for at, name in enumerate(nodes)}
        self._every: dict[PoolKey, list[ResourceSlice]] = defaultdict(list)
        self._local: dict[int, list[ResourceSlice]] = defaultdict(list)  # by node
        self._shared: dict[PoolKey, list[tuple[ResourceSlice, Mask]]] = defaultdict(list)
        self._counting: dict[PoolKey, list[ResourceSlice]] = defaultdict(list)  # every node looks at their counters
        self._masks: dict[tuple[object, ...], Mask] = {}
        self._views: dict[int, tuple[NodePool, ...]] = {}
        self._candidates: dict[int, tuple[Candidate, ...]] = {}  # by identity of their slice
        self.blind = np.zeros(len(nodes), np.bool_)
        for one in slices:
            self._add(one)

    def _add(self, one: ResourceSlice) -> None:
        if one.problem:
            self.blind |= self._reached(one.reach) if one.node else np.True_
            return
        key = (one.driver, one.pool)
        self._every[key].append(one)
        if one.counter_sets:
            self._counting[key].append(one)
        elif one.node:
            if one.node in self._at:
                self._local[self._at[one.node]].append(one)
        elif (mask := self._mask(one)).any():
            self._shared[key].append((one, mask))

    def _mask(self, one: ResourceSlice) -> Mask:
        if not one.per_device:
            return self._reached(one.reach)
        found = np.zeros(len(self._nodes), np.bool_)
        for device in one.devices:
            found |= self._reached(device.reach)
        return found

    def _reached(self, reach: Reach | None) -> Mask:
        mask = np.zeros(len(self._nodes), np.bool_)
        if reach is None:
            return mask
        if reach.node:
            if reach.node in self._at:
                mask[self._at[reach.node]] = True
            return mask
        return mask | True if reach.everywhere else self.selected(reach.terms or ())

    def selected(self, terms: tuple[object, ...]) -> Mask:
        """[N] nodes that the terms of a node selector select."""
        found = self._masks.get(terms)
        if found is None:
            found = self._masks[terms] = self._labels.any_term(terms)  # type: ignore[arg-type]
        return found

    def reaches(self, candidate: Candidate, node: int) -> bool:
        """Whether a node that sees the slice may use the device."""
        if not candidate.slice.per_device:
            return True
        reach = candidate.facts.reach
        if reach is None:
            return False
        if reach.node:
            return reach.node == self._nodes[node]
        return reach.everywhere or bool(self.selected(reach.terms or ())[node])

    @cached_property
    def somewhere(self) -> Mask:
        """[N] nodes that see any device at all."""
        found = np.zeros(len(self._nodes), np.bool_)
        found[list(self._local)] = True
        for seen in self._shared.values():
            for _, mask in seen:
                found |= mask
        return found

    def seers(self, pool: PoolKey) -> Iterable[int]:
        """Nodes that may see devices of a pool."""
        local = {self._at[one.node] for one in self._every.get(pool, ()) if one.node in self._at}
        for _, mask in self._shared.get(pool, ()):
            local.update(np.flatnonzero(mask).tolist())
        return local

    @cached_property
    def spoiled(self) -> bool:
        """Whether there is an unusable pool that nodes see which see none of its devices."""
        return bool(self._spoiled)

    @cached_property
    def _spoiled(self) -> Mapping[PoolKey, NodePool]:
        """Pools that are unusable for nodes, too, which see none of their devices: asking for all fails there."""
        seen = ((key, self._pool(key, slices)) for key, slices in self._counting.items())
        return {key: pool for key, pool in seen if pool is not None and not pool.usable}

    def of_node(self, node: int) -> tuple[NodePool, ...]:
        """The pools that a node sees, in the order in which their devices are tried."""
        found = self._views.get(node)
        if found is None:
            pools = sorted(self._gathered(node), key=lambda pool: (pool.waits, pool.key))
            found = self._views[node] = tuple(pools)
        return found

    def _gathered(self, node: int) -> Iterator[NodePool]:
        relevant: dict[PoolKey, list[ResourceSlice]] = defaultdict(list)
        for one in self._local.get(node, ()):
            relevant[one.driver, one.pool].append(one)
        for key, seen in self._shared.items():
            mine = [one for one, mask in seen if mask[node]]
            if mine:
                relevant[key].extend(mine)
        for key, slices in relevant.items():
            pool = self._pool(key, [*slices, *self._counting.get(key, ())])
            if pool is not None:
                yield pool
        yield from (pool for key, pool in self._spoiled.items() if key not in relevant)

    def _pool(self, key: PoolKey, relevant: Sequence[ResourceSlice]) -> NodePool | None:
        newest = max(one.pool_generation for one in relevant)
        mine = [one for one in relevant if one.pool_generation == newest]
        rest: list[ResourceSlice] = []
        if len(mine) != mine[0].pool_slices:
            if any(one.pool_generation > newest for one in self._every[key]):
                return None  # it is being replaced, and what replaces it is not for this node
            whole = [one for one in self._every[key] if one.pool_generation == newest]
            if len(whole) != mine[0].pool_slices:
                return NodePool(key, complete=False)
            taken = {id(one) for one in mine}
            rest = [one for one in whole if id(one) not in taken]
        devices = self._listed(one for one in sorted(mine, key=lambda s: s.name) if not one.counter_sets)
        hidden = self._listed(rest)
        sets = [found for one in mine for found in one.counter_sets]
        counters = {name: dict(amounts) for name, amounts in sets}
        named = {one.facts.name for one in devices}
        valid = len(named) == len(devices) and len(counters) == len(sets)
        valid = valid and all(_known(one, counters) for one in (*devices, *hidden))
        return NodePool(key, True, valid, devices, hidden, counters) if valid else NodePool(key, valid=False)

    def _listed(self, slices: Iterable[ResourceSlice]) -> tuple[Candidate, ...]:
        out: list[Candidate] = []
        for one in slices:
            found = self._candidates.get(id(one))
            if found is None:
                found = tuple(Candidate((one.driver, one.pool, d.name), d, one) for d in one.devices)
                self._candidates[id(one)] = found
            out.extend(found)
        return tuple(out)


def _known(one: Candidate, counters: Mapping[str, Mapping[str, Decimal]]) -> bool:
    return all(name in counters and all(c in counters[name] for c, _ in used) for name, used in one.facts.counters)
