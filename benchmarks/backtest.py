"""How fast is a recorded week walked through, and how much memory does it take?

A synthetic cluster with its week of history (tests/generated/synthetic.py) goes the way of a recording: five days are
walked after two that are only known, once with nobody and once with HotNodes as it comes, which plans every five
minutes and acts.

  seconds             both walks, with making the world
  cycles_per_second   plans of ours by the seconds of its walk
  peak_mib            the largest resident size, the synthetic recording included
  hot_minutes, evictions, caused   what came of it
"""

from __future__ import annotations

import time

from _common import parser, peak_mib, show

from descheduler.backtest.contender import Nobody
from descheduler.backtest.ours import Ours
from descheduler.backtest.walk import rules_of, walk
from descheduler.backtest.world import world_of
from descheduler.policy import load_policy
from generated.synthetic import Plan, synthetic

POLICY = """
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
strategies: [{HotNodes: {}}]
"""
DAY = 86_400


def main() -> None:
    made = parser(__doc__ or "")
    made.add_argument("--nodes", type=int, default=200)
    made.add_argument("--pods", type=int, default=6000)
    made.add_argument("--days", type=float, default=7, help="of history that count; the walk takes five sevenths")
    made.add_argument("--seed", type=int, default=0)
    args = made.parse_args()
    snapshot, histories = synthetic(Plan(args.nodes, args.pods, args.seed, hot=0.1))
    policy = load_policy(POLICY, "built in")
    start = time.perf_counter()
    end = histories["cpu"].end
    world = world_of(snapshot, histories, begin=end - args.days * DAY * 5 / 7, end=end)
    rules = rules_of(policy, snapshot)
    nobody = walk(world, Nobody(), rules)
    before = time.perf_counter()
    ours = walk(world, Ours("ours", policy), rules, 0, nobody.hot).score
    done = time.perf_counter()
    show(
        f"A week of {args.nodes} nodes and {len(snapshot.pods)} pods",
        {
            "seconds": done - start,
            "cycles_per_second": ours.plans / (done - before),
            "peak_mib": peak_mib(),
            "cycles": ours.plans,
            "hot_minutes": ours.hot_minutes,
            "hot_minutes_of_nobody": nobody.score.hot_minutes,
            "evictions": ours.evictions,
            "caused": ours.caused,
        },
        as_json=args.json,
    )


if __name__ == "__main__":
    main()
