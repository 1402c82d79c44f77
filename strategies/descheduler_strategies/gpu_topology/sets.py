"""Which sets of GPUs are left on nodes in a state, and how wide the set would be that a pod gets there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Floats, Ints, Mask, Positions
from descheduler.model.devices import MAX_DEVICES, WHOLE
from descheduler.topology import Board, set_of


@dataclass(frozen=True, slots=True)
class Holding:
    """What one pod holds on its node: `count` whole GPUs of `board`, those of `devices` (bits; 0: not known which)."""

    pod: int
    count: int
    board: Board | None
    devices: int

    @property
    def uniform(self) -> bool:
        """Whether all sets of its size are linked alike, so that it does not matter which it holds."""
        if self.board is None:
            return False
        return self.count < 2 or self.board.rings.worst_in(self.count)[-1] == self.board.rings.best(self.count)

    @property
    def bandwidth(self) -> float:
        """GB/s of its set: infinite for a single GPU, the best of its size where it is not known which it holds."""
        if self.board is None or self.count < 2:
            return float("inf")
        return float(self.board.rings.bandwidth[self.devices]) if self.devices else self.board.rings.best(self.count)

    @property
    def score(self) -> float:
        """Its bandwidth as a fraction of the best for so many GPUs on such a node."""
        if self.board is None or self.count < 2 or not self.devices:
            return 1.0
        return self.board.rings.score(self.devices)


class DeviceSets:
    """Holdings of pods in the snapshot, and the sets that are left on nodes in a later state."""

    def __init__(self, view: RebalanceView, *, best: bool) -> None:
        self._view = view
        self._links = view.topology.links
        self._best = best
        models = [
            n.gpus.model or next((d.model for d in n.gpus.devices), "") if n.gpus else "" for n in view.snapshot.nodes
        ]
        self._model_of = np.unique(models, return_inverse=True)[1]  # [N]
        self._needs = view.start.gpu_needs()
        self._sliced = [n.gpus is not None and n.gpus.sliced for n in view.snapshot.nodes]
        self._left = self._links.usable.copy()  # [N] bits that no located pod of the snapshot holds any part of
        for at, node in enumerate(view.snapshot.nodes):
            if node.gpus is not None:
                kept = tuple(s.index for s in node.gpus.reserved if 0 <= s.index < MAX_DEVICES)
                self._left[at] = int(self._left[at]) & ~set_of(kept)
        self._reported = np.ones(len(view.snapshot.nodes), np.bool_)  # [N] all pods with whole GPUs say which
        for pod in view.snapshot.columns.order.tolist():
            node = view.snapshot.columns.pod_node[pod]
            if view.snapshot.pods[pod].gpu_indices:
                self._left[node] = int(self._left[node]) & ~set_of(view.snapshot.pods[pod].gpu_indices)
            elif self.count(pod):
                self._reported[node] = False

    def count(self, pod: int) -> int:
        """Whole GPUs that the pod asks for; 0 for one that asks for none, or for parts or turns."""
        columns = self._view.snapshot.columns
        need, node = self._needs[columns.pod_spec[pod]], int(columns.pod_node[pod])
        if need is None or need.milli < WHOLE or (node >= 0 and self._sliced[node]):
            return 0
        return int(need.count)

    def holding(self, pod: int) -> Holding:
        """What the pod holds on its node in the snapshot."""
        count = self.count(pod)
        board = self._links.board(int(self._view.snapshot.columns.pod_node[pod]))
        devices = set_of(self._view.snapshot.pods[pod].gpu_indices)
        known = devices.bit_count() == count and board is not None and devices < len(board.rings.bandwidth)
        return Holding(pod, count, board, devices if known else 0)

    def widths(self, state: Scenario, held: Holding, nodes: Positions, mates: Collection[int] = ()) -> Floats:
        """[K] GB/s of the set that the pod may be sure of on each node; 0 on other models, and where none is left.

        Pods that do not say what they hold may hold anything: every set of what nobody located is then possible. Where
        nothing is known of the links of its model, one node is as good as another (infinite). Whatever is sure is so in
        whichever order the moves of a plan are carried out; `mates` are the pods that move together with this one.
        """
        left = self._left_in(state)
        taken = self._taken(state, mates)
        out = np.zeros(len(nodes))
        same = self._model_of[nodes] == self._model_of[self._view.snapshot.columns.pod_node[held.pod]]
        board_of = self._links.board_of[nodes]
        if held.board is None:
            out[same] = np.inf
            return out
        for at in np.unique(board_of[same & (board_of >= 0)]).tolist():
            here = np.flatnonzero(same & (board_of == at))
            out[here] = self._sure(self._links.boards[at], held.count, left, taken, nodes[here])
        return out

    def best_widths(self, state: Scenario, held: Holding) -> Floats:
        """[N] GB/s of the best set that may be free on each node of the pod's model: what it could get with luck."""
        left = self._left_in(state)
        out = np.zeros(len(left))
        same = self._model_of == self._model_of[self._view.snapshot.columns.pod_node[held.pod]]
        for at, board in enumerate(self._links.boards):
            here = np.flatnonzero(same & (self._links.board_of == at))
            out[here] = board.rings.best_in(held.count)[left[here]]
        return out

    def _sure(self, board: Board, count: int, left: Ints, taken: Mask, nodes: Positions) -> Floats:
        worst = board.rings.worst_in(count)[left[nodes]]
        sure: Floats = np.where(np.isfinite(worst) | (count < 2), worst, 0.0)
        if not self._best or count < 2:
            return sure
        # The best of what is free already: later it can only be more. Where another job is to arrive nothing is sure.
        best = board.rings.best_in(count)[self._left[nodes]]
        return np.where(taken[nodes], 0.0, np.where(self._reported[nodes] & (best > 0), best, sure))

    def _taken(self, state: Scenario, mates: Collection[int]) -> Mask:
        """[N] nodes on which pods with GPUs are to arrive, other than the mates."""
        out = np.zeros(len(self._left), np.bool_)
        for pod, node in state.moved.items():
            if node >= 0 and pod not in mates and self.count(pod):
                out[node] |= node != self._view.snapshot.columns.pod_node[pod]
        return out

    def _left_in(self, state: Scenario) -> Ints:
        """[N] what may be free in a state: what pods that left held is free again, what they took is not known."""
        left = self._left
        columns = self._view.snapshot.columns
        moved = [p for p in state.moved if self._view.snapshot.pods[p].gpu_indices]
        if not moved:
            return left
        left = left.copy()
        for pod in moved:
            node = int(columns.pod_node[pod])
            if state.node_of(pod) != node and self.count(pod):
                left[node] |= set_of(self._view.snapshot.pods[pod].gpu_indices) & int(self._links.usable[node])
        return left
