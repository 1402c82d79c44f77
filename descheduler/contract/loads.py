"""Forecast load of nodes for one resource: sums of the aligned forecasts of the pods on them, and of what runs outside.

The load of a set of pods is the quantile of their summed series, never the sum of their quantiles: pods that peak at
different hours fit together. A forecast is a vector that adds (see descheduler_profiling), so asking "and with one more
pod?" is one vector addition.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from descheduler.contract.outside import OutsideLoad
from descheduler.model.arrays import Floats, Floats32, Mask, Positions
from descheduler.model.quantity import amount
from descheduler.model.snapshot import ClusterSnapshot
from descheduler_profiling.history.pods_here import SETTLED
from descheduler_profiling.profiles import SignalProfiles

UNIT = {"cpu": 1000.0}
"""Amounts (quantity.amount) per unit of the signal: cpu is measured in cores and requested in millicores."""

YOUNG = 3600.0
"""Seconds in which a pod need have no history yet."""
_FLOOR = {"cpu": float(amount("cpu", "10m")), "memory": float(amount("memory", "16Mi"))}


class NodeLoads:
    """Forecasts of one resource over N nodes and P pods; D is the width of a forecast vector.

    `outside` is what runs outside of pods, as far as it takes from what pods are offered; where that is not known, it
    is taken to keep to what is kept back for it.

    A pod without a profile counts with its request, constant in time; `covered` [N] is the share (by request) of a
    node's live pods that do have one, and `confidence` [N] the request-weighted confidence of those. `coverage` is the
    share of all live pods, an hour old or more, that have one: whether the history as a whole can be relied on.
    `unknown` [N] marks nodes whose counters stand still: what their pods use nobody knows, so nothing of it is covered.
    `pressed` [N] marks nodes on which tasks wait for the resource most of the time, and `throttled` [N] counts pods
    that their limits stop: both would use more than is measured. `closed` [N] nodes take no more: unknown or pressed.
    """

    def __init__(
        self,
        resource: str,
        snapshot: ClusterSnapshot,
        profiles: SignalProfiles,
        floor: float,
        outside: SignalProfiles | None = None,
    ) -> None:
        columns = snapshot.columns
        at = columns.resource(resource)
        unit = UNIT.get(resource, 1.0)
        self.resource = resource
        self.profiles = profiles
        self.capacity: Floats32 = (columns.allocatable[:, at] / unit).astype(np.float32)  # [N]
        self._share: Floats32 = (1.0 / np.maximum(self.capacity, 1e-9)).astype(np.float32)  # [N] of allocatable, a unit
        rows = profiles.rows(columns.workloads).astype(np.int32)
        self.pod_row: Positions = rows[columns.pod_workload] if rows.size else np.empty(0, np.int32)  # [P]
        usable = (self.pod_row >= 0) & (profiles.confidence[self.pod_row] >= floor) if rows.size else self.pod_row > 0
        self.pod_row = np.where(usable, self.pod_row, -1).astype(np.int32)
        requests = columns.spec_requests[columns.pod_spec, at].astype(np.float64)  # [P]
        self._requested: Floats32 = (requests / unit).astype(np.float32)
        self._remade: Floats32 = (columns.spec_requests[columns.pod_remade, at] / unit).astype(np.float32)
        self.pod_weight = self._weights(snapshot)  # [P]
        self.outside = OutsideLoad(
            resource,
            snapshot,
            outside,
            profiles.layout,
            unit=unit,
            floor=floor,
            unmeasured=self._unmeasured(snapshot) if outside is not None else np.zeros(len(snapshot.nodes), np.float32),
        )
        self._base = self._sums(snapshot) + self.outside.vectors  # [N, D]
        self._tops: dict[tuple[float, float], Floats32] = {}
        self.covered, self.confidence, self.coverage = self._coverage(
            snapshot, np.maximum(requests, _FLOOR.get(resource, 1.0))
        )
        self.unknown: Mask = np.isin([node.name for node in snapshot.nodes], profiles.standing_still)  # [N]
        self.covered[self.unknown] = 0.0
        self.pressed: Mask = np.isin([node.name for node in snapshot.nodes], list(profiles.strain.pressed))  # [N]
        self.closed: Mask = self.unknown | self.pressed
        stopped = np.array([key in profiles.strain.throttled for key in columns.workloads], np.bool_)
        pods = columns.order[stopped[columns.pod_workload[columns.order]]] if stopped.any() else columns.order[:0]
        self.throttled = np.bincount(columns.pod_node[pods], minlength=len(snapshot.nodes))  # [N]

    def _weights(self, snapshot: ClusterSnapshot) -> Floats32:
        weights = np.ones(len(snapshot.pods), np.float32)
        known = np.flatnonzero(self.pod_row >= 0)
        if known.size and self.profiles.pod_level:
            weights = self.profiles.weights(snapshot.pod_names, self.pod_row.astype(np.int64))
        return weights

    def _unmeasured(self, snapshot: ClusterSnapshot) -> Floats32:
        """[N] requests of pods that have run for long enough to have series, and have none."""
        columns, out = snapshot.columns, np.zeros(len(snapshot.nodes), np.float32)
        pods = columns.order[self.pod_row[columns.order] < 0]
        heard, names = self.profiles.pod_level, snapshot.pod_names
        silent = np.fromiter((names[at] not in heard for at in pods.tolist()), np.bool_, len(pods))
        begun = columns.pod_started[pods]
        silent &= (begun > 0) & (begun <= snapshot.taken_at - SETTLED)
        np.add.at(out, columns.pod_node[pods[silent]], self._requested[pods[silent]])
        return out

    def _sums(self, snapshot: ClusterSnapshot) -> Floats32:
        columns = snapshot.columns
        pods = columns.order
        nodes = columns.pod_node[pods]
        known = self.pod_row[pods] >= 0
        shape = (len(snapshot.nodes), self.profiles.vectors.shape[0])
        matrix = sparse.csr_matrix(
            (self.pod_weight[pods[known]], (nodes[known], self.pod_row[pods[known]])), shape=shape, dtype=np.float32
        )
        sums = np.asarray(matrix @ self.profiles.vectors, np.float32)
        constant = np.bincount(nodes[~known], self._requested[pods[~known]], minlength=shape[0]).astype(np.float32)
        sums[:, : self.profiles.layout.points] += constant[:, None]
        return sums

    def _coverage(self, snapshot: ClusterSnapshot, requests: Floats) -> tuple[Floats32, Floats32, float]:
        columns = snapshot.columns
        pods = columns.order
        nodes, weight, row = columns.pod_node[pods], requests[pods], self.pod_row[pods]
        size = len(snapshot.nodes)
        total = np.bincount(nodes, weight, minlength=size)
        known = np.bincount(nodes, weight * (row >= 0), minlength=size)
        trust = np.where(row >= 0, self.profiles.confidence[row], 0.0) if self.profiles.confidence.size else row * 0.0
        trusted = np.bincount(nodes, weight * trust, minlength=size)
        covered = np.divide(known, total, out=np.ones(size), where=total > 0)
        confidence = np.divide(trusted, known, out=np.ones(size), where=known > 0)
        born = np.where(columns.pod_started > 0, columns.pod_started, snapshot.taken_at)[pods]
        old = born <= snapshot.taken_at - YOUNG  # a pod that just began cannot have history, and proves nothing
        judged = row[old] if old.any() else row
        overall = float((judged >= 0).mean()) if judged.size else 1.0
        return covered.astype(np.float32), confidence.astype(np.float32), overall

    def of_nodes(self, nodes: Positions | None = None) -> Floats32:
        """[K, D] forecast vectors of nodes (all when None), as the snapshot has them."""
        return self._base if nodes is None else self._base[nodes]

    def outside_of_pods(self, nodes: Positions, q: float, horizon: float) -> Floats32:
        """[K] the highest point within `horizon` seconds of what runs on nodes outside of their pods and takes from
        what pods are offered, as a fraction of allocatable; NaN where it is not known."""
        level = self.hottest(self.outside.vectors[nodes], nodes, q, horizon)
        return np.where(self.outside.known[nodes], level, np.float32(np.nan))

    def of_pods(self, pods: Positions, *, remade: bool = False, width: int | None = None) -> Floats32:
        """[K, D] forecast vectors of pods, or of what will be made in their place; their first `width` columns, if it
        is given."""
        rows = self.pod_row[pods]
        requested = self._remade if remade else self._requested
        if not self.profiles.vectors.shape[0]:
            out = np.zeros((len(pods), self._base[:, :width].shape[1]), np.float32)
        else:
            out = self.profiles.vectors[:, :width][rows] * self.pod_weight[pods][:, None]
        out[rows < 0] = 0.0
        out[rows < 0, : self.profiles.layout.points] = requested[pods[rows < 0]][:, None]
        return out

    def curve(self, vectors: Floats32, nodes: Positions, q: float) -> Floats32:
        """[..., K, H] quantile `q` at each future step, as a fraction of the allocatable of each of the K nodes."""
        return self.profiles.curve(vectors, q) * self._share[nodes][:, None]

    def width(self, horizon: float) -> int:
        """How many columns of a vector tell how it is within `horizon` seconds."""
        layout = self.profiles.layout
        steps = max(1, int(horizon // layout.step))
        ends = [bucket.offset + bucket.size for bucket in layout.buckets if bucket.first <= steps]
        return max(ends, default=layout.width)

    def hottest(self, vectors: Floats32, nodes: Positions, q: float, horizon: float) -> Floats32:
        """[..., K] the highest point of the curve within `horizon` seconds, as a fraction of allocatable.

        The first columns of the vectors, as many as `width` says, are enough.
        """
        out: Floats32 = self.profiles.hottest(vectors, q, horizon) * self._share[nodes]
        return out

    def highest(self, vectors: Floats32, nodes: Positions, q: float, horizon: float) -> Floats32:
        """[..., K] quantile of the largest load within `horizon` seconds, as a fraction of allocatable.

        Not the top of the curve (`hottest`), above which a load is for one of twenty steps, and so for one step of
        every third or fourth hour: that tells where a load stands, this what it does not pass.
        """
        out: Floats32 = self.profiles.highest(vectors, q, horizon) * self._share[nodes]
        return out

    def tops(self, q: float, horizon: float) -> Floats32:
        """[N] how hot every node becomes as the snapshot has it (`hottest`); worked out once."""
        found = self._tops.get((q, horizon))
        if found is None:
            every = np.arange(len(self.capacity), dtype=np.int32)
            found = self._tops[q, horizon] = self.hottest(self._base, every, q, horizon)
        return found
