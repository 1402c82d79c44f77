"""The product's own path: a policy and a snapshot go in, a plan document comes out, and its moves are put in order."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import yaml
from _wire import NOW, SCHEDULER

if TYPE_CHECKING:
    from descheduler.model.plan import PlanDocument, PodMove
    from descheduler.model.snapshot import ClusterSnapshot

MODES = ("reserved", "directed", "steered", "predicted")


def add_mode(parser: argparse.ArgumentParser) -> None:
    """Flags --mode and --scoring."""
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="directed",
        help="who decides where moved pods land: the executor; or the scheduler, by our preferences, by our taints,"
        " or alone (default %(default)s)",
    )
    parser.add_argument(
        "--scoring",
        choices=("LeastAllocated", "MostAllocated"),
        default="LeastAllocated",
        help="how the cluster's scheduler scores nodes (default %(default)s)",
    )


def policy_of(strategy: str, arguments: dict[str, Any], args: argparse.Namespace) -> str:
    """A policy that runs one strategy, with no limits but the strategy's own."""
    return yaml.safe_dump(
        {
            "apiVersion": "rebalance.descheduler.dev/v1alpha1",
            "kind": "DeschedulerPolicy",
            "schedulers": {SCHEDULER: args.scoring},
            "acting": {
                "executor": "reserve" if args.mode == "reserved" else "evict",
                "landing": "predicted" if args.mode == "reserved" else args.mode,
            },
            "limits": dict.fromkeys(("perNode", "perNamespace", "perWorkload", "perCycle", "perHour")),
            "proof": {"maxLoad": {}},
            "strategies": [{strategy: arguments}],
        }
    )


def planned(snapshot: ClusterSnapshot, policy_text: str) -> PlanDocument:
    """The plan of the pipeline.

    Raises:
        SystemExit: a strategy failed.
    """
    from descheduler.pipeline import Observed, plan
    from descheduler.policy import load_policy

    made = plan(Observed(snapshot, {}, NOW), load_policy(policy_text, "the benchmark"), {})
    if made.problems:
        raise SystemExit("; ".join(made.problems))
    return made


def waves(plan: PlanDocument) -> Iterator[list[PodMove]]:
    """The moves of each wave, in order."""
    by_wave: defaultdict[int, list[PodMove]] = defaultdict(list)
    for action in plan.actions:
        by_wave[action.wave] += action.pods
    for wave in sorted(by_wave):
        yield by_wave[wave]


def landing_share(plan: PlanDocument) -> float | None:
    """The mean probability, as the plan has it, that a replacement lands on a good node; None without moves."""
    shares = [move.proof.expected_share for action in plan.actions for move in action.pods]
    return sum(shares) / len(shares) if shares else None


def bound_of(plan: PlanDocument) -> float | None:
    """The bound that the plan's only finding proves, if any."""
    return next((finding.bound for finding in plan.findings), None)
