"""How long does it take to plan a cluster of a given size?

A seeded synthetic cluster (general and GPU pools, budgets, gangs, zones, spread, anti-affinity) with a week of
history; both built-in strategies, full filters, budgets and proofs. `seconds` runs from the snapshot and the profiles
to the finished plan document; profiles are built before (their own time is `profile_seconds`), as the controller does
it.
`cpu_seconds` is what all cores spent meanwhile, which other work on the machine does not stretch so.
`peak_mib` is the largest resident size of this whole process, generation and profiling included.

`--case gpu` is a cluster of GPU nodes only, without history, whose free GPUs are scattered and for which gangs wait;
GpuDefragmentation runs with each of its objectives, and GpuTopology beside it.

`--policy sigs-all` has all ten strategies of kubernetes-sigs/descheduler, from a policy of its format, on the same
clusters, without history: in the mixed case with something for each of them to find, in the no-fit case with little
but that. `seconds NAME` is what a strategy works on its answers; judging them is in `seconds` alone.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import _common

if TYPE_CHECKING:
    from descheduler.model.plan import PlanDocument
    from descheduler.model.snapshot import ClusterSnapshot
    from descheduler.policy import Policy
    from descheduler_profiling.series import History

GPU_POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
schedulers: {default-scheduler: MostAllocated, gpu-packer: MostAllocated}
limits: {perCycle: 200, perNamespace: 100}
strategies:
  - GpuDefragmentation: {objective: pending, pending: {within: topology.example/rack}}
  - GpuDefragmentation: {objective: slots, slot: {gpus: 8, cpu: "88"}, wanted: 1000, maxSlots: 16}
    name: slots
  - GpuDefragmentation: {objective: fragmentation}
    name: fragmentation
  - GpuTopology: {}
"""


def main() -> None:
    parser = _common.parser(__doc__ or "")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", choices=("mixed", "nofit", "gpu"), default="mixed")
    parser.add_argument("--policy", choices=("default", "sigs-all"), default="default")
    parser.add_argument("--hot", type=float, default=0.02, help="share of nodes that will be hot (default %(default)s)")
    parser.add_argument("--moves", type=int, help="evictions allowed in one plan (default: the policy's)")
    parser.add_argument(
        "--landing",
        choices=("predicted", "steered", "directed"),
        default="predicted",
        help="who decides where pods land",
    )
    args = parser.parse_args()

    from _sigs_all import Stopwatch

    from descheduler.model.landing_mode import LandingMode
    from descheduler.planning import build_document, decide, survey
    from descheduler.planning.settings import chosen, input_of, settings_of
    from descheduler_profiling.build import build
    from generated.synthetic import NOW

    snapshot, histories, policy = scene(args.case, args.nodes, args.pods, args.seed, args.hot, args.policy)
    began = time.perf_counter()
    profiles = {name: build(history) for name, history in histories.items()}
    profiled = time.perf_counter() - began
    del histories
    gc.collect()
    gc.freeze()

    watch = Stopwatch()
    began, worked = time.perf_counter(), time.process_time()
    settings = replace(settings_of(policy, snapshot), landing=LandingMode(args.landing))
    if args.moves is not None:
        settings = replace(settings, limits=replace(settings.limits, per_cycle=args.moves))
    context = survey(input_of(policy, snapshot, profiles, float(NOW)), settings)
    plan = build_document(decide(context, watch.on(chosen(policy))))
    seconds, worked = time.perf_counter() - began, time.process_time() - worked

    figures = {
        "seconds": seconds,
        "cpu_seconds": worked,
        "peak_mib": _common.peak_mib(),
        "moves": int(plan.summary["moves"]),
        "refusals": sum(r.count for r in plan.refusals),
        "findings": len(plan.findings),
        "cured": sum(finding.outcome == "cured" for finding in plan.findings),
        "hot_nodes_before": int(plan.summary["hot_nodes_before"]),
        "hot_nodes_after": int(plan.summary["hot_nodes_after"]),
        "profile_seconds": profiled,
        "nodes": len(snapshot.nodes),
        "pods": len(snapshot.pods),
        "workloads": len(snapshot.workloads),
    }
    figures.update({f"moves {name}": count for name, count in moves_by_strategy(plan).items()})
    figures.update({f"seconds {name}": spent for name, spent in watch.seconds.items()})
    _common.show(f"Planning {args.nodes} nodes, {args.pods} pods ({args.case})", figures, as_json=args.json)


def scene(
    case: str, nodes: int, pods: int, seed: int, hot: float, policy: str
) -> tuple[ClusterSnapshot, Mapping[str, History], Policy]:
    """The cluster, its history, and the policy to plan it by."""
    from _sigs_all import POLICY

    from descheduler.policy import default_policy, load_policy
    from generated.synthetic import Plan, synthetic
    from generated.synthetic_gpus import GpuPlan, synthetic_gpus
    from generated.synthetic_troubles import settled, troubled

    if case == "gpu":
        return synthetic_gpus(GpuPlan(nodes, pods, seed)), {}, load_policy(GPU_POLICY, "the benchmark")
    snapshot, histories = synthetic(Plan(nodes, pods, seed, hot, case=case))
    if policy == "sigs-all":
        whole = settled(snapshot) if case == "nofit" else troubled(snapshot, seed)
        return whole, {}, load_policy(POLICY, "the benchmark")
    return snapshot, histories, default_policy()


def moves_by_strategy(plan: PlanDocument) -> dict[str, int]:
    """Pods that each strategy moves."""
    out: dict[str, int] = {}
    for action in plan.actions:
        finding = next(f for f in plan.findings if f.id == action.finding)
        key = f"{action.strategy} {finding.subject}" if finding.subject.startswith("gpu/") else action.strategy
        out[key] = out.get(key, 0) + len(action.pods)
    return out


if __name__ == "__main__":
    main()
