"""Make a steady state of the openb cluster: tasks arrive, are placed, come and go.

Tasks are drawn from the task list with replacement until their devices come to 130 % of the cluster; a scheduler places
those that fit, one after the other. Three times, a quarter of the placed pods leaves and as many tasks arrive. At last
15 % leave. `least` places like kube-scheduler's LeastAllocated over CPU and memory, `best` on the node that is left
with least (CPU, memory, devices), both on the fullest devices with room. The same arguments give the same file.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import _common
import _openb
import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints
from descheduler.packing.state import ABSENT, WHOLE, Packing, bits

ARRIVALS, CHURN, ROUNDS, LEAVING = 1.30, 0.25, 3, 0.15
COLUMNS = ("name", "node", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec", "gpu_indices")

Score = Callable[[Packing, int, Ints, NDArray[np.int64]], NDArray[np.float64]]
"""(packing, shape, capacity [N, R], devices of each node [N]) -> [N], the highest wins."""


def least_allocated(packing: Packing, shape: int, capacity: Ints, gpus: Ints) -> NDArray[np.float64]:
    """kubernetes pkg/scheduler/framework/plugins/noderesources/least_allocated.go, without the rounding to 0…100."""
    left = packing.free - packing.shapes.amounts[shape]
    return np.asarray((left / capacity).mean(axis=1))


def best_fit(packing: Packing, shape: int, capacity: Ints, gpus: Ints) -> NDArray[np.float64]:
    """Least left of all resources, each relative to the largest node."""
    left = (packing.free - packing.shapes.amounts[shape]) / capacity.max(axis=0)
    devices = np.maximum(packing.devices, 0).sum(axis=1) / (WHOLE * gpus.max())
    return np.asarray(-(left.sum(axis=1) + devices))


SCORES: dict[str, Score] = {"least": least_allocated, "best": best_fit}


def place(packing: Packing, items: Iterable[int], score: Score, capacity: Ints, gpus: Ints) -> None:
    """Those that fit take their place; the others stay away."""
    for item in items:
        shape = int(packing.shape[item])
        room = packing.fits(shape)
        if room.any():
            node = int(np.argmax(np.where(room, score(packing, shape, capacity, gpus), -np.inf)))
            packing.take(item, node, packing.choose(shape, node))


def leave(packing: Packing, share: float, rng: np.random.Generator) -> int:
    """A share of the placed pods goes away; how many."""
    placed = np.flatnonzero(packing.node != ABSENT)
    gone = rng.choice(placed, int(share * len(placed)), replace=False)
    for item in gone.tolist():
        packing.give(item)
    return len(gone)


def arrivals(tasks: Sequence[dict[str, str]], target: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Drawn tasks: first those whose devices come to `target` thousandths, then as many again for the churn."""
    devices = np.array([int(t["num_gpu"]) * int(t["gpu_milli"] or 0) for t in tasks], np.int64)
    first: list[int] = []
    amount = 0
    while amount < target:
        first.append(int(rng.integers(len(tasks))))
        amount += int(devices[first[-1]])
    return np.concatenate([np.array(first), rng.integers(len(tasks), size=len(first))])


def steady(nodes: Path, tasks: Path, scheduler: str, seed: int) -> tuple[_openb.Cluster, list[dict[str, str]]]:
    """The cluster after all rounds, with the row of the task list behind each of its pods."""
    rng = np.random.default_rng(seed)
    listed = _openb.rows(tasks)
    total = sum(int(s["gpu"]) for s in _openb.rows(nodes)) * WHOLE
    drawn = arrivals(listed, ARRIVALS * total, rng)
    rows = [{**listed[task], "name": f"pod-{i:05d}", "node": ""} for i, task in enumerate(drawn.tolist())]
    cluster = _openb.build(nodes, rows)
    packing, capacity = cluster.packing, cluster.packing.free.copy()
    gpus = (packing.devices != ABSENT).sum(axis=1)
    score = SCORES[scheduler]
    arrived = len(rows) // 2
    place(packing, range(arrived), score, capacity, gpus)
    for _ in range(ROUNDS):
        refill = min(leave(packing, CHURN, rng), len(rows) - arrived)
        place(packing, range(arrived, arrived + refill), score, capacity, gpus)
        arrived += refill
    leave(packing, LEAVING, rng)
    return cluster, rows


def write(path: Path, cluster: _openb.Cluster, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, COLUMNS, extrasaction="ignore", restval="")
        out.writeheader()
        for item in np.flatnonzero(cluster.packing.node != ABSENT).tolist():
            devices = "-".join(str(d) for d in bits(int(cluster.packing.held[item])))
            node = cluster.nodes[cluster.packing.node[item]]
            out.writerow({**rows[item], "node": node, "gpu_indices": devices})


def main() -> None:
    parser = _common.parser(__doc__ or "", data=True)
    parser.add_argument("--scheduler", choices=sorted(SCORES), default="least")
    parser.add_argument("--seed", type=int, default=43)
    parser.add_argument("--nodes", default=_openb.GPU_NODES)
    parser.add_argument("--pods", default=_openb.TASKS, help="the task list (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    nodes, tasks = (_openb.find(name, args.data) for name in (args.nodes, args.pods))
    cluster, rows = steady(nodes, tasks, args.scheduler, args.seed)
    write(args.out, cluster, rows)
    packing = cluster.packing
    idle, total = int(np.maximum(packing.devices, 0).sum()), int((packing.devices != ABSENT).sum()) * WHOLE
    figures = {
        "pods": int((packing.node != ABSENT).sum()),
        "gpus": total / WHOLE,
        "allocated_share": 1 - idle / total,
    }
    _common.show(f"{args.out} ({args.scheduler}, seed {args.seed})", figures, as_json=args.json)


if __name__ == "__main__":
    main()
