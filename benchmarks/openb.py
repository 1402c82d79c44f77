"""How far can the openb cluster be put in order with K moves?

A steady state of the cluster (openb_state.py makes others), its node list, and the task list that says which shapes are
asked for. `seconds` runs from the arrays to the steps, without reading files; `cpu_seconds` likewise; `peak_mib` is the
largest resident size of the whole process. --plan-out writes the moves in order, so that anyone can recompute the
figure. The search draws nothing at random; --seed is taken by objectives that do.
"""

from __future__ import annotations

import time
from pathlib import Path

import _common
import _objectives
import _openb


def main() -> None:
    parser = _common.parser(__doc__ or "")
    parser.add_argument("--state", default="state-default-least-42-pods.csv", help="placed pods (default %(default)s)")
    parser.add_argument("--nodes", default=_openb.GPU_NODES, help="node list (default %(default)s)")
    parser.add_argument("--pods", default=_openb.TASKS, help="task list: the target workload (default %(default)s)")
    parser.add_argument("--objective", choices=sorted(_objectives.OBJECTIVES), default="fragmentation")
    parser.add_argument("--moves", type=int, default=350)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slot-gpus", type=int, default=8, help="devices of a slot (default %(default)s)")
    parser.add_argument("--slot-cpu", type=int, default=88_000, help="its CPU, milli (default %(default)s)")
    parser.add_argument("--slot-memory", type=int, default=0, help="its memory, MiB (default %(default)s)")
    parser.add_argument("--plan-out", type=Path)
    args = parser.parse_args()

    cluster = _openb.read(_openb.find(args.nodes), _openb.find(args.state))
    began = time.process_time()
    solved = _objectives.OBJECTIVES[args.objective](cluster, args)
    cpu = time.process_time() - began
    if args.plan_out:
        _openb.write_steps(args.plan_out, cluster, solved.steps)
    figures = {
        "cpu_seconds": cpu,
        **solved.figures,
        "moves": len(solved.steps),
        "seconds": solved.seconds,
        "peak_mib": _common.peak_mib(),
        "nodes": len(cluster.nodes),
        "pods": len(cluster.pods),
    }
    _common.show(f"{args.state}: {args.objective}, {args.moves} moves", figures, as_json=args.json)


if __name__ == "__main__":
    main()
