"""Where pods with resource claims may be (kube-scheduler's DynamicResources plug-in)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Indices, Ints, Mask
from descheduler.model.devices import WHOLE, GpuSource, NodeGpus
from descheduler.model.dra import MOST_OPTIONS, SLICES, ClaimedDevice, ResourceSlice, of_gpus
from descheduler.model.fence import Unreadable
from descheduler.model.pods import PodSpec
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler.claims.demands import Demand
from descheduler.scheduler.claims.pools import Pools
from descheduler.scheduler.claims.table import Base, ClaimTable, Standing
from descheduler.scheduler.claims.uses import Uses
from descheduler.scheduler.claims.wanted import Wanted, wishes_of
from descheduler.scheduler.domains import NodeLabels
from descheduler.scheduler.predicates import Predicate

_UNKNOWN, _FITS, _LACKS, _FAILS = -1, 0, 1, 2
Codes = NDArray[np.int8]


class DeviceClaims:
    """The claims and devices of a snapshot. Never changes; remembers what it has worked out. N nodes."""

    def __init__(self, snapshot: ClusterSnapshot, labels: NodeLabels) -> None:
        self._snapshot = snapshot
        self._wishes = wishes_of(snapshot)
        slices = (s for s in snapshot.objects.get(SLICES, ()) if isinstance(s, ResourceSlice))
        self._pools = Pools(slices, [node.name for node in snapshot.nodes], labels)
        standing = tuple(self._standing())
        self._base = Base(self._pools, standing, frozenset(self._lasting()))
        self._uses = Uses.of(device for one in standing for device in one.devices)
        self._codes: dict[tuple[Demand, ...], Codes] = {}

    def table(self) -> ClaimTable:
        """The state of the snapshot itself."""
        return ClaimTable(self._base, self._uses.fork(), {}, {})

    def held(self, pod: int) -> tuple[int, ...]:
        """The claims that a pod with a node holds in the snapshot."""
        return self._wishes.held(self._snapshot.pods[pod])

    def wanted(self, pod: int, spec: PodSpec) -> Wanted | None:
        """What the pod, or what comes in its place, wants where it is put next; None where nobody can say."""
        one = self._snapshot.pods[pod]
        try:
            if one.node:
                return self._wishes.replacement(one.namespace, spec)
            return self._wishes.waiting(one)
        except Unreadable:
            return None

    def differ(self, pod: int, spec: PodSpec, node: int) -> bool:
        """Whether claims that are made for what comes in the pod's place, on the node, ask for what its own do not."""
        wanted = self.wanted(pod, spec)
        if wanted is None:
            return False
        new = Counter(one.spec for one in wanted.on(node) if isinstance(one, Demand))
        own = (self._wishes.claims[at] for at in self.held(pod))
        return new != Counter(one.asked for one in own if one.controller is not None and one.controller.kind == "Pod")

    def judge(self, namespace: str, spec: PodSpec) -> None:
        """Raises Unreadable where nobody can say what replacements of pods of this spec want."""
        self._wishes.replacement(namespace, spec)

    def claiming(self, spec: PodSpec) -> bool:
        """Whether pods of the spec may hold devices by claims."""
        return self._wishes.claiming(spec)

    def served(self, spec: PodSpec) -> Mapping[str, Mask]:
        """[N] by extended resource of the spec: nodes on which devices stand for it."""
        return self._wishes.served(spec)

    def drivers(self, spec: PodSpec, resources: Collection[str]) -> Counter[str]:
        """By driver of GPUs, how many whole ones the spec asks for as these of its extended resources."""
        return self._wishes.drivers(spec, resources)

    def verdicts(self, wanted: Wanted, table: ClaimTable, nodes: Indices) -> NDArray[np.uint8]:
        """[K] the predicate that fails on each of the nodes, 0 where the claims can be had."""
        out = np.zeros(len(nodes), np.uint8)
        if table.full(wanted):
            out[:] = Predicate.CLAIM_IN_USE
            return out
        elsewhere = table.elsewhere(wanted)
        if elsewhere is not None:
            out[~elsewhere[nodes]] = Predicate.CLAIM_ELSEWHERE
        codes = np.full(len(nodes), _FITS, np.int8)
        for claims, at in wanted.among(nodes):
            demands = table.demands(claims)
            if demands:
                codes[at] = self._allocated(demands, table, nodes[at])
        out[codes == _LACKS] = Predicate.DEVICE_CLAIMS
        spoiled = [bool(code == _LACKS) and self._spoiled(int(n)) for code, n in zip(codes, nodes, strict=True)]
        out[np.array(spoiled, np.bool_)] = Predicate.DEVICE_POOLS
        if (codes == _FAILS).any():
            out[:] = Predicate.SELECTOR_FAILS  # the scheduler gives the pod up
        return out

    def scores(self, wanted: Wanted, table: ClaimTable, nodes: Indices) -> Ints | None:
        """[K] more, the earlier the alternatives stand that the claims would be given; None where there are none."""
        demands = table.demands(wanted.claims)
        if not any(ask.listed for one in demands for ask in one.spec.asks):
            return None
        every = ((table.demands(wanted.on(node)), node) for node in nodes.tolist())
        return np.array([self._score(asked, node, table.uses) for asked, node in every], np.int64)

    def _score(self, demands: tuple[Demand, ...], node: int, uses: Uses) -> int:
        found = self._base.search(demands, node, uses)
        if not isinstance(found, tuple):
            return 0
        chosen = {(at, one.request, one.option) for at, devices in enumerate(found) for one in devices if one.listed}
        return sum(MOST_OPTIONS - option for _, _, option in chosen)

    def _allocated(self, demands: tuple[Demand, ...], table: ClaimTable, nodes: Indices) -> Codes:
        known = self._codes.get(demands)
        if known is None:
            known = self._codes[demands] = np.full(len(self._snapshot.nodes), _UNKNOWN, np.int8)
            if any(one.options for one in demands) and not self._pools.spoiled:
                known[~self._pools.somewhere] = _LACKS
        changed = {node for pool in table.uses.touched for node in self._pools.seers(pool)}
        out = known[nodes]
        for i, node in enumerate(nodes.tolist()):
            if node in changed:
                out[i] = self._code(demands, node, table.uses)
            elif out[i] == _UNKNOWN:
                out[i] = known[node] = self._code(demands, node, self._uses)
            if out[i] == _FAILS:
                break
        return out

    def _code(self, demands: tuple[Demand, ...], node: int, uses: Uses) -> int:
        found = self._base.search(demands, node, uses)
        if found is None:
            return _LACKS
        return _FAILS if isinstance(found, str) else _FITS

    def _spoiled(self, node: int) -> bool:
        return any(not pool.valid for pool in self._pools.of_node(node))

    def _standing(self) -> Iterator[Standing]:
        live = self._snapshot.columns.pod_live
        users = Counter(at for i, pod in enumerate(self._snapshot.pods) if live[i] for at in self._wishes.held(pod))
        for at, claim in enumerate(self._wishes.claims):
            where: Mask | None = None if claim.terms is None else self._pools.selected(claim.terms)
            yield Standing(users[at], claim.allocated, claim.devices, where)

    def _lasting(self) -> Iterator[int]:
        """Claims that are no pod's own. They lose their devices when their last pod is gone, but the next may have been
        made before that, and is then scheduled to where they are: a pod that takes such a place is never elsewhere."""
        for at, claim in enumerate(self._wishes.claims):
            owner = claim.controller
            if owner is None or owner.kind != "Pod":
                yield at


@dataclass(frozen=True, eq=False, slots=True)
class Claiming:
    """A pod's claims in one state: `wanted` is None where nobody can say what they are."""

    rules: DeviceClaims
    wanted: Wanted | None
    table: ClaimTable

    def verdicts(self, nodes: Indices) -> NDArray[np.uint8]:
        """[K] the predicate that fails on each of the nodes, 0 where the claims can be had."""
        if self.wanted is None:
            return np.full(len(nodes), Predicate.UNREADABLE, np.uint8)
        return self.rules.verdicts(self.wanted, self.table, nodes)

    def scores(self, nodes: Indices) -> Ints | None:
        """[K] the plug-in's score before it is scaled; None where it has none."""
        return None if self.wanted is None else self.rules.scores(self.wanted, self.table, nodes)


def parts(gpus: NodeGpus | None, devices: tuple[ClaimedDevice, ...]) -> tuple[tuple[int, int], ...]:
    """Which GPUs of a node the devices are, or are parts of: pairs of an index and thousandths, by index."""
    if gpus is None or gpus.source is not GpuSource.DRA:
        return ()
    named = {one.name: one for one in gpus.devices if one.name}
    slices = {one.name: one for one in gpus.slices}
    by_uuid = {one.uuid: one for one in gpus.devices if one.uuid}
    out: dict[int, int] = defaultdict(int)
    for one in devices:
        if not of_gpus(one.driver) or one.admin:
            continue
        memory = next((int(value) for name, value in one.consumed if name == "memory"), 0)
        device = named.get(one.device)
        if device is None and one.device in slices:
            part = slices[one.device]
            device, memory = by_uuid.get(part.parent), part.memory
        if device is not None:
            out[device.index] += min(WHOLE, -(-memory * WHOLE // device.memory)) if memory and device.memory else WHOLE
    return tuple(sorted(out.items()))
