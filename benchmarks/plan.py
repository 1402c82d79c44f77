"""How long does it take to plan a cluster of a given size?

A seeded synthetic cluster (general and GPU pools, budgets, gangs, zones, spread, anti-affinity) with a week of
history; both built-in strategies, full gates, budgets and proofs. `seconds` runs from the snapshot and the profiles to
the finished plan document; profiles are built before (their own time is `profile_seconds`), as the controller does it.
`peak_mib` is the largest resident size of this whole process, generation and profiling included.
"""

from __future__ import annotations

import gc
import time

import _common


def main() -> None:
    parser = _common.parser(__doc__ or "")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", choices=("mixed", "nofit"), default="mixed")
    parser.add_argument("--hot", type=float, default=0.02, help="share of nodes that will be hot (default %(default)s)")
    args = parser.parse_args()

    from descheduler.backtest.synthetic import NOW, Plan, synthetic
    from descheduler.planning import Input, decide, write
    from descheduler.planning.settings import chosen, settings_of
    from descheduler.policy import default_policy
    from descheduler.units import resolve
    from descheduler_profiling.build import build

    snapshot, histories = synthetic(Plan(args.nodes, args.pods, args.seed, args.hot, case=args.case))
    began = time.perf_counter()
    profiles = {name: build(history) for name, history in histories.items()}
    profiled = time.perf_counter() - began
    histories.clear()
    gc.collect()
    gc.freeze()

    policy = default_policy()
    began = time.perf_counter()
    units = resolve(snapshot)
    settings = settings_of(policy, snapshot)
    outcome = decide(Input(snapshot, units, profiles, float(NOW)), chosen(policy), settings)
    plan = write(outcome, settings, float(NOW))
    seconds = time.perf_counter() - began

    figures = {
        "seconds": seconds,
        "peak_mib": _common.peak_mib(),
        "moves": int(plan.summary["moves"]),
        "refusals": sum(r.count for r in plan.refusals),
        "findings": len(plan.findings),
        "hot_nodes_before": int(plan.summary["hot_nodes_before"]),
        "hot_nodes_after": int(plan.summary["hot_nodes_after"]),
        "profile_seconds": profiled,
        "nodes": len(snapshot.nodes),
        "pods": len(snapshot.pods),
        "workloads": len(snapshot.workloads),
    }
    _common.show(f"Planning {args.nodes} nodes, {args.pods} pods ({args.case})", figures, as_json=args.json)


if __name__ == "__main__":
    main()
