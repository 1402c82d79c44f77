"""How far can the openb cluster be put in order with K moves?

A steady state of the cluster (openb_state.py makes others) and its node list become the objects that an API server
would hand out; a policy with GpuDefragmentation plans them, and the moves of the plan document are replayed, wave by
wave, with nothing but the files. `mode` says who decides where pods land: the executor, which holds places (reserved),
or the default scheduler: by preferences for the nodes that the plan names (directed), by taints (steered), or alone
(predicted). Every pod lands where it is expected; `landing_share` is how probable it is, on average, that it lands
there or on another good node, for the scheduler scores only a part of so many nodes. `seconds` and `cpu_seconds` run
from the snapshot to the plan document, `convert_seconds` from the files to the snapshot; `executable`: every pod found
room at its turn, while all of its wave still held theirs. `bound`: proven, no plan of so many moves ends lower (slots:
higher).

`--bare` runs the search alone beside it (keys `bare_…`), which also chooses the devices on the new node. `peak_mib` is
the largest resident size of the whole process. --plan-out writes the moves in order, so that anyone can recompute the
figures. Nothing is drawn at random.
"""

from __future__ import annotations

import time
from pathlib import Path

import _common
import _objectives
import _openb
import _product


def main() -> None:
    parser = _common.parser(__doc__ or "", data=True)
    _product.add_mode(parser)
    parser.add_argument("--state", default="state-default-least-42-pods.csv", help="placed pods (default %(default)s)")
    parser.add_argument("--nodes", default=_openb.GPU_NODES, help="node list (default %(default)s)")
    parser.add_argument("--pods", default=_openb.TASKS, help="task list: the target workload (default %(default)s)")
    parser.add_argument("--objective", choices=sorted(_objectives.OBJECTIVES), default="fragmentation")
    parser.add_argument("--moves", type=int, default=350)
    parser.add_argument("--seed", type=int, default=0, help="taken and not used: nothing is drawn")
    parser.add_argument("--slot-gpus", type=int, default=8, help="devices of a slot (default %(default)s)")
    parser.add_argument("--slot-cpu", type=int, default=88_000, help="its CPU, milli (default %(default)s)")
    parser.add_argument("--slot-memory", type=int, default=0, help="its memory, MiB (default %(default)s)")
    parser.add_argument("--bare", action="store_true", help="run the search alone as well")
    parser.add_argument("--plan-out", type=Path)
    args = parser.parse_args()

    objective = _objectives.OBJECTIVES[args.objective]
    nodes, pods, tasks = (_openb.rows(_openb.find(name, args.data)) for name in (args.nodes, args.state, args.pods))
    began = time.perf_counter()
    snapshot = _openb.snapshot(nodes, pods)
    converted = time.perf_counter() - began
    asked = objective.asked(args, tasks) | {"maxMoves": args.moves, "slotWorth": "52w"}
    policy = _product.policy_of("GpuDefragmentation", asked, args)
    began, worked = time.perf_counter(), time.process_time()
    plan = _product.planned(snapshot, policy)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked

    state = _openb.Replay.of(nodes, pods)
    start = objective.state(args, tasks, state)
    waves = list(_product.waves(plan))
    for wave in waves:
        moves = [(one.pod, one.source, one.destination) for one in wave]
        state.wave(moves)
    if args.plan_out:
        _openb.write_moves(args.plan_out, state.moves)
    bound = _product.bound_of(plan)
    figures: dict[str, _common.Figure] = {
        "mode": args.mode,
        f"{objective.name}_start": start,
        f"{objective.name}_end": objective.state(args, tasks, state),
        "bound": None if bound is None else objective.bound(tasks, state, bound),
        "moves": len(state.moves),
        "landing_share": _product.landing_share(plan),
        "waves": len(waves),
        "executable": not state.fault,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "convert_seconds": converted,
        "refusals": sum(refusal.count for refusal in plan.refusals),
    }
    if args.bare:
        files = (_openb.find(name, args.data) for name in (args.nodes, args.state))
        figures |= objective.bare(_openb.read(*files), args)
    figures |= {"peak_mib": _common.peak_mib(), "nodes": len(nodes), "pods": len(pods)}
    title = f"{args.state}: {args.objective}, {args.moves} moves, {args.mode}"
    _common.show(title, figures, as_json=args.json, note=state.fault)


if __name__ == "__main__":
    main()
