"""Counters that stand still: no pod of a node used any CPU. That is a broken exporter, not an idle node.

Every node runs system pods, and these never rest for a quarter of an hour; `rate()` of a counter that is reported again
and again is exactly 0. So where all pods of a node are at 0, and one of them was not before or has memory that moves,
they count as not measured. A single pod that rests among busy ones is idle; so is a node where nothing ever moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

import numpy as np

from descheduler.model.arrays import Floats32, Ints, Mask, Positions
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.pods_here import PodsHere
from descheduler_profiling.history.ring import Ring

SIGNAL = "cpu"
_LONG = 900  # seconds
_SEVERAL = 2  # pods
_ASKED, _SAMPLE = 20, 5  # nodes, and pods of each, whose memory is asked for

Moving = Callable[[Sequence[tuple[str, str]]], Set[tuple[str, str]]]
"""Which of some pods have memory that moves."""


class Standstill:
    """Watches the pods of the nodes that may stand still, over the T columns of a window.

    Starts from the last hour: `values` [P, R] of `pods`, whose workloads are `keys`, on the last R columns. `moving`
    tells which of some pods have memory that moves.
    """

    def __init__(
        self,
        here: PodsHere,
        grid: Grid,
        pods: Sequence[tuple[str, str]],
        keys: Sequence[WorkloadKey],
        values: Floats32,
        moving: Moving,
    ) -> None:
        self._grid = grid
        self._moving = moving
        self._doubted: dict[int, bool] = {}  # by node: whether memory moves where no CPU was ever used
        node = _nodes(here, pods)
        still = _still(node, values, len(here.nodes), _long(grid.step))
        self.suspects = np.flatnonzero(still.any(axis=1))
        chosen = np.flatnonzero(np.isin(node, self.suspects))
        self._here = here
        self._pods = {pods[i]: at for at, i in enumerate(chosen.tolist())}
        self._keys = [keys[i] for i in chosen.tolist()]
        self._node = node[chosen]
        self._values = np.full((len(chosen), grid.count), np.nan, np.float32)
        self._told: dict[tuple[str, str], str] = {}
        self._workloads = {key: at for at, key in enumerate(dict.fromkeys(self._keys))}
        self._replicas = np.zeros((len(self._workloads), grid.count), np.int32)
        last = grid.count - values.shape[1]
        self.note(grid.part(last, values.shape[1]), pods, keys, values)

    def note(
        self, columns: Grid, pods: Sequence[tuple[str, str]], keys: Sequence[WorkloadKey], values: Floats32
    ) -> None:
        """Remember `values` [P, T] of `columns` of the pods that are watched; and how many replicas theirs had."""
        if not self._pods:
            return
        first = self._grid.column(columns.start)
        span = slice(first, first + columns.count)
        watched = [(at, row) for row, pod in enumerate(pods) if (at := self._pods.get(pod)) is not None]
        for at, row in watched:
            self._values[at, span] = values[row]
        self._replicas[:, span] = 0
        rows = [(at, row) for row, key in enumerate(keys) if (at := self._workloads.get(key)) is not None]
        if rows:
            into, of = np.array(rows).T
            np.add.at(self._replicas[:, span], into, np.isfinite(values[of]).astype(np.int32))

    def correct(self, ring: Ring, pods: Sequence[tuple[str, str]], values: Floats32) -> dict[tuple[str, str], str]:
        """Make gaps of it, in `values` [P, R] (in place) and in the workloads' means; the pods whose counters stand
        still now, and on which node.

        May be called again when more was noted.
        """
        found = self._found(ring)
        if not found.any():
            return self._told
        frozen = np.zeros((len(self._workloads), self._grid.count), np.int32)
        at = np.array([self._workloads[key] for key in self._keys], np.intp)
        np.add.at(frozen, at, (found & np.isfinite(self._values)).astype(np.int32))
        ring.leave_out(list(self._workloads), frozen, self._replicas)
        self._replicas -= frozen
        self._told |= self._still_now(found)
        self._values[found] = np.nan
        recent = found[:, self._grid.count - values.shape[1] :]
        for row, pod in enumerate(pods):
            watched = self._pods.get(pod)
            if watched is not None:
                values[row, recent[watched]] = np.nan
        return self._told

    def _found(self, ring: Ring) -> Mask:
        """[K, T] where the watched pods are at a standstill: of nodes on which anything was ever used, or moves."""
        still = _still(self._node, self._values, len(self._here.nodes), _long(self._grid.step))
        used = ring.ever_used(self._keys) | (self._values > 0).any(axis=1)
        alive = np.zeros(len(self._here.nodes), np.bool_)
        alive[self._node[used]] = True
        self._ask_of(np.flatnonzero(still.any(axis=1) & ~alive).astype(np.int64))
        alive[[node for node, moves in self._doubted.items() if moves]] = True
        found: Mask = (still & alive[:, None])[self._node]
        return found

    def _ask_of(self, nodes: Ints) -> None:
        """Ask of a few pods of each of the nodes that were not asked of before."""
        new = [node for node in nodes.tolist() if node not in self._doubted][:_ASKED]
        by_node = {node: [pod for pod, at in self._pods.items() if self._node[at] == node][:_SAMPLE] for node in new}
        pods = [pod for some in by_node.values() for pod in some]
        moving = self._moving(pods) if pods else set()
        self._doubted |= {node: not moving.isdisjoint(some) for node, some in by_node.items()}

    def _still_now(self, found: Mask) -> dict[tuple[str, str], str]:
        heard = np.isfinite(self._values)
        newest = self._grid.count - 1 - np.argmax(heard[:, ::-1], axis=1)
        now = heard.any(axis=1) & found[np.arange(len(found)), newest]
        return {pod: self._here.nodes[self._node[at]] for pod, at in self._pods.items() if now[at]}


def _long(step: int) -> int:
    return max(1, _LONG // step)


def _nodes(here: PodsHere, pods: Sequence[tuple[str, str]]) -> Positions:
    rows = here.rows(pods)
    nodes: Positions = np.append(here.node, np.int32(-1))[rows]
    return nodes


def _still(node: Positions, values: Floats32, count: int, long: int) -> Mask:
    """[N, T] columns of a run of `long` and more in which several pods of a node are measured, and all are at 0."""
    still = np.zeros((count, values.shape[1]), np.bool_)
    rows = np.argsort(node, kind="stable")
    rows = rows[np.searchsorted(node[rows], 0) :]  # without those on no known node
    if not rows.size:
        return still
    first = np.flatnonzero(np.diff(node[rows], prepend=-1))
    top = np.fmax.reduceat(values[rows], first, axis=0)
    resting = np.flatnonzero((top == 0).any(axis=1))
    for at in resting.tolist():
        own = rows[first[at] : first[at + 1] if at + 1 < len(first) else None]
        still[node[own[0]]] = (top[at] == 0) & (np.isfinite(values[own]).sum(axis=0) >= _SEVERAL)
    suspects = node[rows[first[resting]]]
    still[suspects] = _runs(still[suspects], long)
    return still


def _runs(marked: Mask, long: int) -> Mask:
    """[S, T] the marks that stand in a row of `long` or more."""
    if long <= 1 or not marked.size:
        return marked
    if marked.shape[1] < long:
        return np.zeros_like(marked)
    whole = np.lib.stride_tricks.sliding_window_view(marked, long, axis=1).all(axis=2)  # [S, T - long + 1]
    out = np.zeros_like(marked)
    for shift in range(long):
        out[:, shift : shift + whole.shape[1]] |= whole
    return out
