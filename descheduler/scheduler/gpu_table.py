"""GPU devices of nodes: who holds how much of which.

What a pod holds is what the sources of the snapshot say (`Pod.gpu_shares`). Whole GPUs of pods of which nobody says
which are counted, not located. Parts of a GPU are always located: where nobody says it, on the fullest device that has
room. Unhealthy devices and such as are cut into MIG slices are absent: nothing fits there, and what is held there is
not given back. The column of a device is its index.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Ints, Ints32, Mask
from descheduler.model.devices import WHOLE, NodeGpus
from descheduler.model.nodes import Node
from descheduler.model.pods import GpuRequest, Pod, PodSpec, amount_of
from descheduler.model.snapshot import ClusterSnapshot

Devices = tuple[int, ...]
_ABSENT = -1


@dataclass(frozen=True, slots=True)
class Held:
    """Devices of a node, and thousandths of each."""

    devices: Devices = ()
    milli: tuple[int, ...] = ()


NOTHING = Held()


@dataclass(frozen=True, eq=False, slots=True)
class GpuNeed:
    """What one pod takes of a node: `count` devices, `milli` of each, on nodes of `suitable` [N].

    `judged` [N] tells on which nodes the device table decides; elsewhere the plain resource count does. Who asks by
    memory takes another part of each model: `parts` [N] of each node, of which `milli` is the largest.
    """

    count: int
    milli: int
    suitable: Mask
    judged: Mask
    parts: Ints32 | None = None

    def part(self, node: int) -> int:
        """Thousandths of each device of a node."""
        return self.milli if self.parts is None else int(self.parts[node])


class GpuTable:
    """The devices of N nodes in one state. Copies share rows until they are written.

    `free` [N, D] thousandths left of each device, -1 where a node has no such device. `unlocated` [N] whole GPUs that
    are held by pods which do not say which; they are some of the wholly free ones. `described` [N]: the node's devices
    are listed, so that one that is absent cannot be used (elsewhere they are only counted).
    """

    def __init__(
        self,
        free: Ints32,
        unlocated: Ints32,
        described: Mask,
        held: dict[int, Held],
    ) -> None:
        self._free = free
        self._unlocated = unlocated
        self._described = described
        self._held = held
        self._shared = False

    def fork(self) -> GpuTable:
        self._shared = True
        twin = GpuTable(self._free, self._unlocated, self._described, self._held)
        twin._shared = True
        return twin

    def whole(self) -> Ints:
        """[N] wholly free devices."""
        free: Ints = (self._free == WHOLE).sum(axis=1) - self._unlocated
        return free

    def free(self) -> Ints32:
        """[N, D] thousandths left of each device; whole GPUs that nobody located are taken from the last free ones."""
        out = self._free.copy()
        for node in np.flatnonzero(self._unlocated):
            spare = np.flatnonzero(out[node] == WHOLE)
            taken = min(int(self._unlocated[node]), len(spare))
            out[node, spare[len(spare) - taken :]] = 0
        return out

    def fits(self, need: GpuNeed, freed: tuple[int, Held, int] | None = None) -> Mask:
        """[N] nodes whose devices have room. `freed`: (node, held, unlocated) given back first."""
        free, unlocated = self._free, self._unlocated
        if freed is not None:
            free, unlocated = free.copy(), unlocated.copy()
            _give(free, unlocated, *freed)
        room = np.maximum((free == WHOLE).sum(axis=1) - unlocated, 0)
        if need.parts is not None:
            room = room + ((free >= need.parts[:, None]) & (free < WHOLE)).sum(axis=1)
        elif need.milli < WHOLE:
            room = room + ((free >= need.milli) & (free < WHOLE)).sum(axis=1)
        fits: Mask = need.suitable & ((room >= need.count) | ~need.judged)
        return fits

    def holding(self, pod: int) -> Devices:
        """The usable devices that the pod holds, as far as they are located."""
        return self._held.get(pod, NOTHING).devices

    def held(self, pod: int) -> Held | None:
        """What the pod holds; None when it holds nothing or nobody located it."""
        return self._held.get(pod)

    def take(self, pod: int, node: int, need: GpuNeed | None, prefer: Held | None = None) -> None:
        """The pod takes its devices on a node: those of `prefer` if they have room, else the fullest that do.

        Without a `need` it takes those of `prefer` or none.
        """
        found = self._preferred(node, prefer) if prefer is not None else None
        if found is None and (need is None or not need.judged[node]):
            return
        self._own()
        row = self._free[node]
        if found is None and need is not None:
            part = need.part(node)
            if part >= WHOLE:
                self._unlocated[node] += need.count
                return
            devices = _fullest(row, part, need.count, int((row == WHOLE).sum() - self._unlocated[node]))
            found = Held(devices, (part,) * len(devices))
        if found is not None:
            for device, milli in zip(found.devices, found.milli, strict=True):
                row[device] -= milli
            self._held[pod] = found

    def _preferred(self, node: int, prefer: Held) -> Held | None:
        """What of `prefer` there is to take; None when it cannot be true. What is more than full is full."""
        row = self._free[node]
        taken: list[tuple[int, int]] = []
        for device, milli in zip(prefer.devices, prefer.milli, strict=True):
            if not 0 <= device < len(row):
                return None
            left = int(row[device])
            if left == _ABSENT:
                if not self._described[node]:
                    return None
            elif milli >= WHOLE and left < WHOLE:
                return None  # of two who say that they have the whole device, one has another
            else:
                taken.append((device, min(milli, left)))
        return Held(tuple(d for d, _ in taken), tuple(m for _, m in taken))

    def give(self, pod: int, node: int, need: GpuNeed | None) -> None:
        """The pod gives its devices back."""
        _, held, unlocated = self.freed(pod, node, need)
        if pod not in self._held and not unlocated:
            return
        self._own()
        self._held.pop(pod, None)
        _give(self._free, self._unlocated, node, held, unlocated)

    def freed(self, pod: int, node: int, need: GpuNeed | None) -> tuple[int, Held, int]:
        """What `fits` is to give back to judge a pod as if it had left its node."""
        held = self._held.get(pod)
        if held is not None:
            return node, held, 0
        lost = need is not None and bool(need.judged[node]) and need.part(node) >= WHOLE
        return node, NOTHING, need.count if need is not None and lost else 0

    def _own(self) -> None:
        if self._shared:
            self._free, self._unlocated, self._held = self._free.copy(), self._unlocated.copy(), dict(self._held)
            self._shared = False


def _give(
    free: Ints32,
    unlocated: Ints32,
    node: int,
    held: Held,
    whole: int,
) -> None:
    for device, milli in zip(held.devices, held.milli, strict=True):
        free[node, device] += milli
    unlocated[node] -= whole


def _fullest(row: Ints32, part: int, count: int, whole: int) -> Devices:
    """The devices that a part goes to: the fullest with room, then wholly free ones, of which there are `whole`.

    Where there are not enough it goes to fewer: a device that somebody holds whole is not opened for it.
    """
    able = np.flatnonzero(row >= part)
    opened = sorted(able[row[able] < WHOLE].tolist(), key=lambda d: (int(row[d]), d))
    return (*opened, *able[row[able] == WHOLE].tolist()[: max(0, whole)])[:count]


class GpuRules:
    """What pods need of devices, and the table of the snapshot."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self._nodes = snapshot.nodes
        self._resources = {n.gpus.resource for n in snapshot.nodes if n.gpus}
        self._needs: dict[GpuRequest, GpuNeed] = {}
        self._memory = np.fromiter((n.gpus.memory if n.gpus else 0 for n in snapshot.nodes), np.int64)
        self.any = bool(self._resources)

    def need(self, spec: PodSpec) -> GpuNeed | None:
        """What a pod of the spec takes, None when no GPU."""
        request = spec.gpu
        if request is None:
            for resource in sorted(self._resources):
                count = amount_of(spec.requests, resource)
                if count:
                    request = GpuRequest(resource, count)
                    break
            else:
                return None
        found = self._needs.get(request)
        if found is None:
            found = self._needs[request] = self._work_out(request, amount_of(spec.requests, request.resource) > 0)
        return found

    def _work_out(self, request: GpuRequest, counted: bool) -> GpuNeed:
        # A part of a GPU is always a matter of devices; whole ones only where the node's devices are of that resource.
        partial = request.milli < WHOLE
        gpus = [n.gpus for n in self._nodes]
        has = _mask(g is not None for g in gpus)
        same = _mask(g is not None and g.resource == request.resource for g in gpus)
        model = _mask(not request.models or (g is not None and g.model in request.models) for g in gpus)
        judged = has if partial or not counted else same
        suitable = model if counted and not partial else model & has
        # Units that are parts of a device, or turns on one, are nobody's to account for; and where devices cannot be
        # read, nothing fits.
        if not partial:
            judged = judged & ~_mask(g is not None and g.sliced for g in gpus)
        judged = judged | _mask(g is not None and bool(g.problem) for g in gpus)
        if not request.memory:
            return GpuNeed(request.count, request.milli, suitable, judged)
        parts = np.where(self._memory > 0, -(-request.memory * WHOLE // np.maximum(self._memory, 1)), WHOLE)
        parts = np.maximum(parts, request.milli)
        suitable = suitable & (parts <= WHOLE)
        parts = np.minimum(parts, WHOLE)
        return GpuNeed(request.count, int(parts[suitable].max(initial=1)), suitable, judged, parts.astype(np.int32))

    def table(self, snapshot: ClusterSnapshot) -> GpuTable:
        """The devices as the snapshot's live pods hold them."""
        table = GpuTable(*_empty(self._nodes), {})
        if not self.any:
            return table
        columns = snapshot.columns
        needs = [self.need(spec) for spec in columns.specs]
        asking = np.fromiter((n is not None for n in needs), np.bool_, len(needs))
        if any(n.gpus is not None and n.gpus.slices for n in self._nodes):
            # Who holds a MIG slice asks for no device of its own, and holds a part of one all the same.
            asking[:] = True
        pods = np.flatnonzero(columns.pod_live & asking[columns.pod_spec]) if len(needs) else np.empty(0, np.int64)
        rest: list[int] = []
        for pod in pods.tolist():
            node, need = int(columns.pod_node[pod]), needs[columns.pod_spec[pod]]
            reported = held_by(snapshot.pods[pod], need, node)
            if reported is None:
                rest.append(pod)
            else:
                table.take(pod, node, need, reported)
        for pod in rest:
            table.take(pod, int(columns.pod_node[pod]), needs[columns.pod_spec[pod]])
        return table


def held_by(pod: Pod, need: GpuNeed | None, node: int) -> Held | None:
    """What the sources say that the pod holds on its node; None when they do not say which devices."""
    indices = pod.gpu_indices
    if not indices:
        return None
    if len(pod.gpu_shares) == len(indices) and all(s.index == i for s, i in zip(pod.gpu_shares, indices, strict=True)):
        return Held(indices, tuple(s.milli for s in pod.gpu_shares))
    if need is None or len(indices) != need.count:
        return None
    return Held(tuple(sorted(indices)), (need.part(node),) * len(indices))


def _mask(values: Iterable[bool]) -> Mask:
    return np.array(list(values), np.bool_)


def _empty(nodes: Sequence[Node]) -> tuple[Ints32, Ints32, Mask]:
    """The table of nobody: thousandths [N, D], whole devices that are nobody's to give [N], described [N]."""
    usable = [_usable(n.gpus) for n in nodes]
    width = max((max(found) + 1 for found in usable if found), default=0)
    width = max(width, max((d.index + 1 for n in nodes if n.gpus for d in n.gpus.devices), default=0))
    free = np.full((len(nodes), width), _ABSENT, np.int32)
    unlocated = np.zeros(len(nodes), np.int32)
    described = np.zeros(len(nodes), np.bool_)
    for i, (node, found) in enumerate(zip(nodes, usable, strict=True)):
        gpus = node.gpus
        if gpus is None:
            continue
        described[i] = bool(gpus.devices)
        if not found:
            continue
        free[i, list(found)] = WHOLE
        if gpus.devices and gpus.units == 1:
            # More are listed than the node gives out.
            unlocated[i] = max(0, len(found) - gpus.count)
        for share in gpus.reserved:
            if 0 <= share.index < width and free[i, share.index] != _ABSENT:
                free[i, share.index] = max(0, int(free[i, share.index]) - share.milli)
            elif share.index < 0:
                unlocated[i] += 1
    return free, unlocated, described


def _usable(gpus: NodeGpus | None) -> Devices:
    """Indices of the devices that pods may be given."""
    if gpus is None or gpus.problem or gpus.sliced:
        return ()
    if gpus.devices:
        return tuple(d.index for d in gpus.devices if d.healthy and not d.mig)
    return tuple(range(gpus.count))
