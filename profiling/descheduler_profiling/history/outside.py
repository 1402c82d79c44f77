"""What runs on a node outside of its pods: system daemons, the container runtime, the kernel.

It is what the whole node uses less what its pods use at the same time, which the server knows of the past, too: where
pods were is recorded nowhere else. Both come in one answer (`outside_queries`) and are put together here, by node;
where either is missing there is a gap, for nobody would know whose use it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from descheduler.model.arrays import Floats, Floats32
from descheduler_profiling.history.outside_queries import HOST, PODS, RESOURCE, ROOT
from descheduler_profiling.history.plausible import JITTER
from descheduler_profiling.history.pods_here import PodsHere, node_of
from descheduler_profiling.history.prometheus.wire import Series
from descheduler_profiling.history.rollup import group, reduce_rows


def of_nodes(
    signal: str, series: Sequence[Series], values: Floats32, here: PodsHere | None
) -> tuple[list[str], Floats32]:
    """Names of nodes [N], and values [N, T] of what is used outside of their pods, of `values` [S, T] of both parts.

    Never below 0, and no more than the machine has. Series of nodes that are not `here` are left out.
    """
    named = [node_of(one.labels, here) for one in series]
    kept = [row for row, node in enumerate(named) if node]
    distinct, index = group([(named[row], series[row].labels.get("part", "")) for row in kept])
    parts = reduce_rows(values[kept], index, len(distinct), "max")  # who is scraped twice is not used twice
    at = {key: row for row, key in enumerate(distinct)}
    nodes = sorted({node for node, _ in distinct})
    missing = np.full((1, values.shape[1]), np.nan, np.float32)
    padded = np.concatenate([parts, missing])
    root, host, pods = (padded[[at.get((node, part), -1) for node in nodes]] for part in (ROOT, HOST, PODS))
    whole = _possible(np.where(np.isfinite(root), root, host), _machines(signal, nodes, here))
    if RESOURCE.get(signal) == "cpu":  # some pod always runs: these are counters that stand still
        pods = np.where(pods > 0, pods, np.float32(np.nan))
    outside = np.maximum(whole - pods, np.float32(0))
    known = np.flatnonzero(np.isfinite(outside).any(axis=1))
    return [nodes[row] for row in known.tolist()], outside[known]


def _possible(whole: Floats32, machine: Floats) -> Floats32:
    """Values [N, T] of nodes without what no machine [N] can do; a little more than it has counts as all of it."""
    most = machine[:, None].astype(np.float32)
    return np.where(whole > most * JITTER, np.float32(np.nan), np.minimum(whole, most))


def _machines(signal: str, nodes: Iterable[str], here: PodsHere | None) -> Floats:
    sizes = here.of_node.get(RESOURCE.get(signal, "")) if here is not None else None
    if here is None or sizes is None:
        return np.array([np.inf for _ in nodes])
    position = {name: at for at, name in enumerate(here.nodes)}
    return np.array([sizes[position[node]] for node in nodes], np.float64)
