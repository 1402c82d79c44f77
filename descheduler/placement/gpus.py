"""GPU devices of nodes: who holds how much of which.

Whole GPUs of pods that do not say which device they hold are counted, not located. Parts of a GPU are located: by the
pod's annotation where it has one, else on the fullest device that has room.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.nodes import Node
from descheduler.model.pods import GpuRequest, Pod, PodSpec, amount_of
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.placement.topology import Mask

WHOLE = 1000
Devices = tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class GpuNeed:
    """What one pod takes of a node: `count` devices, `milli` of each, on nodes of `suitable` [N].

    `judged` [N] tells on which nodes the device table decides; elsewhere the plain resource count does.
    """

    count: int
    milli: int
    suitable: Mask
    judged: Mask


class GpuTable:
    """The devices of N nodes in one state. Copies share rows until they are written.

    `free` [N, D] thousandths left of each device, -1 where a node has no such device. `unlocated` [N] whole GPUs that
    are held by pods which do not say which; they are some of the wholly free ones.
    """

    def __init__(self, free: NDArray[np.int32], unlocated: NDArray[np.int32], held: dict[int, Devices]) -> None:
        self._free = free
        self._unlocated = unlocated
        self._held = held
        self._shared = False

    def fork(self) -> GpuTable:
        self._shared = True
        twin = GpuTable(self._free, self._unlocated, self._held)
        twin._shared = True
        return twin

    def whole(self) -> NDArray[np.int64]:
        """[N] wholly free devices."""
        free: NDArray[np.int64] = (self._free == WHOLE).sum(axis=1) - self._unlocated
        return free

    def free(self) -> NDArray[np.int32]:
        """[N, D] thousandths left of each device; whole GPUs that nobody located are taken from the last free ones."""
        out = self._free.copy()
        for node in np.flatnonzero(self._unlocated):
            spare = np.flatnonzero(out[node] == WHOLE)
            taken = min(int(self._unlocated[node]), len(spare))
            out[node, spare[len(spare) - taken :]] = 0
        return out

    def fits(self, need: GpuNeed, freed: tuple[int, Devices, int] | None = None) -> Mask:
        """[N] nodes whose devices have room. `freed`: (node, devices, unlocated) given back first."""
        free, unlocated = self._free, self._unlocated
        if freed is not None:
            node, devices, whole = freed
            free, unlocated = free.copy(), unlocated.copy()
            _give(free, unlocated, node, need.milli, devices, whole)
        room = np.maximum((free == WHOLE).sum(axis=1) - unlocated, 0)
        if need.milli < WHOLE:
            room = room + ((free >= need.milli) & (free < WHOLE)).sum(axis=1)
        fits: Mask = need.suitable & ((room >= need.count) | ~need.judged)
        return fits

    def holding(self, pod: int) -> Devices:
        """The devices that the pod holds, as far as they are located."""
        return self._held.get(pod, ())

    def take(self, pod: int, node: int, need: GpuNeed, prefer: Devices = ()) -> None:
        """The pod takes its devices on a node: those of `prefer` if they have room, else the fullest that do."""
        if not need.judged[node]:
            return
        self._own()
        row = self._free[node]
        if len(prefer) == need.count and all(0 <= d < len(row) and row[d] >= need.milli for d in prefer):
            devices = prefer
        elif need.milli >= WHOLE:
            self._unlocated[node] += need.count
            return
        else:
            devices = _fullest(row, need, int(self._unlocated[node]))
        for device in devices:
            row[device] -= need.milli
        self._held[pod] = devices

    def give(self, pod: int, node: int, need: GpuNeed) -> None:
        """The pod gives its devices back."""
        if not need.judged[node]:
            return
        self._own()
        devices = self._held.pop(pod, ())
        unlocated = need.count if not devices and need.milli >= WHOLE else 0
        _give(self._free, self._unlocated, node, need.milli, devices, unlocated)

    def freed(self, pod: int, node: int, need: GpuNeed) -> tuple[int, Devices, int]:
        """What `fits` is to give back to judge a pod as if it had left its node."""
        devices = self.holding(pod)
        return node, devices, need.count if need.judged[node] and not devices and need.milli >= WHOLE else 0

    def _own(self) -> None:
        if self._shared:
            self._free, self._unlocated, self._held = self._free.copy(), self._unlocated.copy(), dict(self._held)
            self._shared = False


def _give(
    free: NDArray[np.int32],
    unlocated: NDArray[np.int32],
    node: int,
    milli: int,
    devices: Devices,
    whole: int,
) -> None:
    for device in devices:
        free[node, device] += milli
    unlocated[node] -= whole


def _fullest(row: NDArray[np.int32], need: GpuNeed, unlocated: int) -> Devices:
    """The devices that a part goes to: the fullest with room, wholly free ones last."""
    able = [int(d) for d in np.flatnonzero(row >= need.milli)]
    able.sort(key=lambda d: (int(row[d]), d))
    return tuple(able[: need.count])


class GpuRules:
    """What pods need of devices, and the table of the snapshot."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self._nodes = snapshot.nodes
        self._resources = {n.gpus.resource for n in snapshot.nodes if n.gpus}
        self._needs: dict[GpuRequest, GpuNeed] = {}
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
        has = np.fromiter((n.gpus is not None for n in self._nodes), np.bool_, len(self._nodes))
        same = np.fromiter(
            (n.gpus is not None and n.gpus.resource == request.resource for n in self._nodes), np.bool_, len(has)
        )
        model = np.fromiter(
            (not request.models or (n.gpus is not None and n.gpus.model in request.models) for n in self._nodes),
            np.bool_,
            len(has),
        )
        judged = has if partial or not counted else same
        suitable = model if counted and not partial else model & has
        return GpuNeed(request.count, request.milli, suitable, judged)

    def table(self, snapshot: ClusterSnapshot) -> GpuTable:
        """The devices as the snapshot's live pods hold them."""
        table = GpuTable(*_empty(self._nodes), {})
        if not self.any:
            return table
        columns = snapshot.columns
        needs = [self.need(spec) for spec in columns.specs]
        asking = np.fromiter((n is not None for n in needs), np.bool_, len(needs))
        pods = np.flatnonzero(columns.pod_live & asking[columns.pod_spec]) if len(needs) else np.empty(0, np.int64)
        located = [p for p in pods.tolist() if snapshot.pods[p].gpu_indices]
        known = set(located)
        for pod in (*located, *(p for p in pods.tolist() if p not in known)):
            need = needs[columns.pod_spec[pod]]
            if need is not None:
                table.take(pod, int(columns.pod_node[pod]), need, held_by(snapshot.pods[pod]))
        return table


def held_by(pod: Pod) -> Devices:
    """The devices that the pod's annotation names, ascending."""
    return tuple(sorted(pod.gpu_indices))


def _empty(nodes: tuple[Node, ...]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    width = max((n.gpus.count for n in nodes if n.gpus), default=0)
    counts = np.fromiter((n.gpus.count if n.gpus else 0 for n in nodes), np.int32, len(nodes))
    free = np.where(np.arange(width)[None, :] < counts[:, None], WHOLE, -1).astype(np.int32)
    return free, np.zeros(len(nodes), np.int32)
