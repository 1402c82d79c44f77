"""How many gangs of a pending queue find room after K moves?

A steady state of openb with the `multigpu50` tasks (made as openb_state.py does, from --seed, or read from --state);
racks are slices of 16 nodes of one model in the order of the node list. Pending gangs have 2, 4, 8 or 16 members of 8
GPUs, drawn by --seed, each within one rack (any nodes, when no rack is large enough). Placed 8-GPU pods stand in gangs
of their own, which move whole or not at all. The cluster becomes the objects that an API server would hand out, a
policy with GpuDefragmentation (objective pending) plans them, and the moves are replayed with nothing but the files;
then who has room is counted (`admitted`, `gpus`). Compared with no moves, and with KAI's consolidation rule
reimplemented (gangs in order, at most 16 victims each, all of which must find a new place). `torn` counts gangs moved
or admitted in part. `mode` says who decides where pods land (see openb.py); `seconds` runs from the snapshot to the
plan document.

`--bare` runs the search alone beside it (keys `bare_…`); its bound is proven: no plan within K moves admits more (in
the measure of --worth).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import _common
import _gangs
import _openb
import _product
import numpy as np
import openb_state

TASKS = "openb_pod_list_multigpu50.csv"


def arguments() -> argparse.Namespace:
    parser = _common.parser(__doc__ or "", data=True)
    _product.add_mode(parser)
    parser.add_argument("--bare", action="store_true", help="run the search alone as well")
    parser.add_argument("--seed", type=int, default=43)
    parser.add_argument("--state", help="placed pods (default: made from --seed, --scheduler, --nodes and --pods)")
    parser.add_argument("--scheduler", choices=sorted(openb_state.SCORES), default="least")
    parser.add_argument("--nodes", default=_openb.GPU_NODES, help="node list (default %(default)s)")
    parser.add_argument("--pods", default=TASKS, help="task list (default %(default)s)")
    parser.add_argument("--size", type=int, help="the first so many 8-GPU nodes alone")
    parser.add_argument("--gangs", type=int, default=40, help="length of the queue (default %(default)s)")
    parser.add_argument("--running", type=float, default=1.0, help="share of placed 8-GPU pods in gangs")
    parser.add_argument("--worth", choices=("gangs", "gpus"), default="gangs", help="what is maximised")
    parser.add_argument("--moves", type=int, nargs="+", default=[0, 35, 70, 140, 350])
    parser.add_argument("--plan-out", type=Path, help="bare: the moves and seats for the last of --moves")
    return parser.parse_args()


def cluster_of(args: argparse.Namespace) -> _openb.Cluster:
    nodes = _openb.find(args.nodes, args.data)
    if args.state:
        cluster = _openb.read(nodes, _openb.find(args.state, args.data))
    else:
        cluster, _ = openb_state.steady(nodes, _openb.find(args.pods, args.data), args.scheduler, args.seed)
    return _gangs.first(cluster, args.size) if args.size else cluster


def main() -> None:
    args = arguments()
    from descheduler.packing.make_room.admission import admit
    from descheduler.packing.make_room.demands import Allowance

    cluster = cluster_of(args)
    packing = cluster.packing
    rng = np.random.default_rng(args.seed)
    rack = _gangs.racks(cluster.models)
    requests = _gangs.queue(_openb.rows(_openb.find(args.pods, args.data)), args.gangs, rack, args.worth == "gpus", rng)
    group = _gangs.running(packing, args.running, rng)
    gpus = [r.members * _gangs.GPUS for r in requests]
    trace = _gangs.trace(cluster, _openb.rows(_openb.find(args.nodes, args.data)), group, requests)
    snapshot = trace.snapshot()
    none = _gangs.consolidation(packing, requests, Allowance(0, group), 0)
    figures: dict[str, _common.Figure] = {
        "mode": args.mode,
        "pending": len(requests),
        "pending_gpus": sum(gpus),
        "running_gangs": int(group.max(initial=-1)) + 1,
        "admitted_none": len(none.admitted),
        "gpus_none": sum(gpus[i] for i in none.admitted),
    }
    for moves in args.moves:
        at = f"_{moves}" if len(args.moves) > 1 else ""
        kai = _gangs.consolidation(packing, requests, Allowance(moves, group), _gangs.VICTIMS)
        figures |= {
            f"admitted_kai{at}": len(kai.admitted),
            f"gpus_kai{at}": sum(gpus[i] for i in kai.admitted),
            f"moves_kai{at}": len(kai.steps),
        }
        if moves:
            asked = {"objective": "pending", "maxMoves": moves, "slotWorth": "52w"}
            policy = _product.policy_of("GpuDefragmentation", asked, args)
            began, cpu = time.perf_counter(), time.process_time()
            plan = _product.planned(snapshot, policy)
            seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
            admitted, torn, executable = trace.measured(plan)
            figures |= {
                f"admitted{at}": len(admitted),
                f"gpus{at}": sum(n for n, gang in zip(gpus, trace.pending, strict=True) if gang in admitted),
                f"moves{at}": int(plan.summary["moves"]),
                f"torn{at}": torn,
                f"executable{at}": executable,
                f"seconds{at}": seconds,
                f"cpu_seconds{at}": cpu_seconds,
            }
        if not args.bare:
            continue
        began, cpu = time.perf_counter(), time.process_time()
        found = admit(packing, requests, Allowance(moves, group))
        figures |= {
            f"bare_admitted{at}": len(found.admitted),
            f"bare_gpus{at}": sum(gpus[i] for i in found.admitted),
            f"bare_moves{at}": len(found.steps),
            f"bare_bound{at}": found.bound,
            f"bare_optimal{at}": found.optimal,
            f"bare_torn{at}": _gangs.torn(found, requests, group),
            f"bare_executable{at}": _gangs.executable(packing, found, requests),
            f"bare_seconds{at}": time.perf_counter() - began,
            f"bare_cpu_seconds{at}": time.process_time() - cpu,
        }
        if args.plan_out:
            _gangs.write(args.plan_out, cluster, found)
    figures["peak_mib"] = _common.peak_mib()
    figures["nodes"] = len(cluster.nodes)
    figures["pods"] = int((packing.node >= 0).sum())
    _common.show(f"{len(requests)} pending gangs, seed {args.seed}", figures, as_json=args.json)


if __name__ == "__main__":
    main()
