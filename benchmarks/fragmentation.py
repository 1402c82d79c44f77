"""How fast is FGD's measure of fragmentation?

`ms_full`: F of every node of the openb cluster over all shapes of the task list, from the arrays (the tables of the
workload, which change only with it, are made before: `ms_tables`). `ms_update`: after one move, F of both nodes, the
change of F for each item on them that would leave (by item), and for each shape that would come to either of them (by
shape and node, with the best device for shapes that share one). `ms_start`: these for the whole cluster. Medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import _common
import _openb

from descheduler.packing.fragmentation.descent import descend
from descheduler.packing.fragmentation.index import FragmentationIndex
from descheduler.packing.fragmentation.measure import idle, measure_of
from descheduler.packing.state import WHOLE


def milliseconds(action: Callable[[], object], times: int) -> float:
    """The median of so many runs."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def main() -> None:
    parser = _common.parser(__doc__ or "", data=True)
    parser.add_argument("--state", default="state-default-least-42-pods.csv", help="placed pods (default %(default)s)")
    parser.add_argument("--nodes", default=_openb.GPU_NODES)
    parser.add_argument("--pods", default=_openb.TASKS, help="the task list (default %(default)s)")
    parser.add_argument("--repeat", type=int, default=200)
    args = parser.parse_args()

    cluster = _openb.read(_openb.find(args.nodes, args.data), _openb.find(args.state, args.data))
    workload = _openb.workload(cluster, _openb.rows(_openb.find(args.pods, args.data)))
    packing, width = cluster.packing, cluster.packing.devices.shape[1]
    measure = measure_of(workload, width)
    cpu = packing.free[:, workload.column]
    steps = iter(descend(FragmentationIndex(packing, workload), packing.movable.copy(), packing.cost, args.repeat))
    moving = FragmentationIndex(packing, workload)
    figures = {
        "ms_full": milliseconds(lambda: measure(cpu, packing.devices, measure.kind), args.repeat),
        "ms_update": milliseconds(lambda: moving.move(next(steps)), args.repeat),
        "ms_tables": milliseconds(lambda: measure_of(workload, width), 5),
        "ms_start": milliseconds(lambda: FragmentationIndex(packing, workload), 5),
        "f_gpus": float(measure(cpu, packing.devices, measure.kind).sum()) / WHOLE,
        "cpu_only_floor": workload.cpu_only * idle(packing) / WHOLE,
        "idle_gpus": idle(packing) / WHOLE,
        "nodes": len(cluster.nodes),
        "shapes": len(workload),
    }
    _common.show("FGD's measure on the openb cluster", figures, as_json=args.json)


if __name__ == "__main__":
    main()
