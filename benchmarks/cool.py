"""How cool do nodes stay, with how many evictions, against other deschedulers and against what was possible?

Set-up: 60 nodes, 250 to 400 workloads, traces that no constant was chosen on (`--half choose` has the others), the
default scheduler's scoring, five-minute steps, a day that is walked through after a week that is known. Scenarios are
those of `_worlds.py`. Ours is the product's own pipeline with ledger, limits and waves; peers' rules are those of
`descheduler/backtest/peers`, once a step.

  hot_minutes       node-minutes above a threshold (CPU 75 %, memory 85 %), mean over the seeds
  evictions         pods evicted
  caused            hot minutes of nodes that were not hot then if nobody did anything
  caused_share      caused ÷ the hot minutes of nobody
  ping_pong         moves that bring a pod back within a day to where it was moved from, or that left it there
  ratio_best_peer   hot minutes of ours with directed landing ÷ those of the best peer
  eviction_ratio    the same of the evictions, against that peer
  against           both ratios by peer
  by_seed           all of these by contender and seed
  foreseen          of ours: precision and recall of what was found hot within the hour, and the share of onsets that
                    were found before
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from _common import parser, require, table
from _people import NODES
from _usage import read
from _worlds import SCENARIOS, Traces, traces, world

from descheduler.backtest.contender import Maker, Nobody
from descheduler.backtest.oracle import Oracle
from descheduler.backtest.ours import Ours
from descheduler.backtest.peers import LowNodeLoad, LowNodeUtilization
from descheduler.backtest.score import Score
from descheduler.backtest.walk import Rules, Walk, rules_of, walk
from descheduler.backtest.world import World
from descheduler.model.landing_mode import LandingWish
from descheduler.policy import Policy, load_policy

POLICY = """
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
strategies: [{HotNodes: {}}]
"""
NOBODY, OURS = Nobody().name, f"ours, {LandingWish.DIRECTED}"
PEERS = ("LowNodeUtilization", "LowNodeLoad")
KEYS = ("hot_minutes", "evictions", "caused", "ping_pong")


def contenders(policy: Policy) -> dict[str, Maker]:
    """By name, in the order of the table."""
    makers: list[Maker] = [
        Nobody(),
        LowNodeUtilization(),
        LowNodeLoad(),
        Oracle("oracle, scheduler lands", chooses=False),
        Oracle("oracle, chooses"),
        *(
            Ours(f"ours, {how}", policy, how)
            for how in (LandingWish.PREDICTED, LandingWish.STEERED, LandingWish.DIRECTED)
        ),
    ]
    return {maker.name: maker for maker in makers}


def policy_of(path: Path | None) -> Policy:
    """HotNodes as it comes, unless a policy is given."""
    return load_policy(POLICY, "built in") if path is None else load_policy(path.read_text(), str(path))


@lru_cache(maxsize=1)
def given(data: Path, half: str) -> Traces:
    """The traces, read once in a process."""
    return traces(read(data), half)


@lru_cache(maxsize=1)
def stage(data: Path, half: str, scenario: str, seed: int, size: int, churn: float) -> tuple[World, Rules, Walk]:
    """A world, what holds in it, and what becomes of it when nobody does anything."""
    made = world(scenario, seed, given(data, half), size)
    rules = replace(rules_of(policy_of(None), made.snapshot), churn=churn)
    return made, rules, walk(made, Nobody(), rules, seed)


def score(args: argparse.Namespace, seed: int, name: str) -> Score:
    """One contender in one world."""
    made, rules, base = stage(args.data, args.half, args.scenario, seed, args.nodes, args.churn)
    if name == base.score.contender:
        return base.score
    maker = contenders(policy_of(args.policy))[name]
    return walk(made, maker, rules, seed, base.hot).score


def scores(args: argparse.Namespace, names: Sequence[str]) -> Iterator[Score]:
    """All of them, as they are done."""
    jobs = [(seed, name) for seed in range(args.first_seed, args.first_seed + args.seeds) for name in names]
    if args.processes == 1:
        yield from (score(args, seed, name) for seed, name in jobs)
        return
    with ProcessPoolExecutor(args.processes) as pool:
        for done in as_completed([pool.submit(score, args, seed, name) for seed, name in jobs]):
            yield done.result()


def watched(found: Iterable[Score], total: int) -> list[Score]:
    """The same, with a bar for people on standard error."""
    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    out = []
    with Progress(*Progress.get_default_columns(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("walking", total=total)
        for one in found:
            out.append(one)
            bar.advance(task)
    return out


def figures(found: Sequence[Score], names: Sequence[str]) -> dict[str, object]:
    """The keys, from all scores."""
    by_name = {name: sorted((s for s in found if s.contender == name), key=lambda s: s.seed) for name in names}

    def mean(name: str, key: str) -> float:
        return sum(float(getattr(s, key)) for s in by_name[name]) / len(by_name[name])

    out: dict[str, object] = {key: {name: round(mean(name, key), 2) for name in names} for key in KEYS}
    out["caused_share"] = {name: _ratio(mean(name, "caused"), mean(NOBODY, "hot_minutes")) for name in names}
    out["by_seed"] = {
        name: {str(s.seed): {key: getattr(s, key) for key in KEYS} for s in rows} for name, rows in by_name.items()
    }
    out["foreseen"] = {name: _foreseen(rows) for name, rows in by_name.items() if rows[0].forecast is not None}
    peers = [name for name in PEERS if name in names]
    if peers and OURS in names:
        out["best_peer"] = best = min(peers, key=lambda name: mean(name, "hot_minutes"))
        against = {
            peer: {key: _ratio(mean(OURS, key), mean(peer, key)) for key in ("hot_minutes", "evictions")}
            for peer in peers
        }
        out["ratio_best_peer"], out["eviction_ratio"] = against[best].values()
        out["against"] = against
    return out


def _foreseen(rows: Sequence[Score]) -> dict[str, float | None]:
    known = {key: [getattr(s.forecast, key) for s in rows] for key in ("precision", "recall", "before")}
    told = {key: [value for value in values if value is not None] for key, values in known.items()}
    return {key: round(sum(values) / len(values), 3) if values else None for key, values in told.items()}


def _ratio(ours: float, theirs: float) -> float | None:
    return round(ours / theirs, 4) if theirs else None


def rows(found: Sequence[Score], names: Sequence[str]) -> list[list[float | str | None]]:
    """A row for each contender."""
    out: list[list[float | str | None]] = []
    for name in names:
        mine = [s for s in found if s.contender == name]
        count = len(mine)
        plans = sum(s.plans for s in mine)
        out.append(
            [
                name,
                *(sum(float(getattr(s, key)) for s in mine) / count for key in (*KEYS, "excess", "pending")),
                100.0 * sum(s.paused for s in mine) / plans if plans else None,
            ]
        )
    return out


def main() -> None:
    made = parser(__doc__ or "", data=True)
    made.add_argument("--scenario", choices=SCENARIOS, default="daily")
    made.add_argument("--seeds", type=int, default=5, help="how many worlds (default: %(default)s)")
    made.add_argument("--first-seed", type=int, default=0)
    made.add_argument("--half", choices=("report", "choose", "all"), default="report", help="which traces")
    made.add_argument("--nodes", type=int, default=NODES)
    made.add_argument("--churn", type=float, default=0.0, help="share of the pods that others replace in an hour")
    made.add_argument("--policy", type=Path, help="a policy of ours instead of HotNodes as it comes")
    made.add_argument("--only", nargs="*", metavar="NAME", help="contenders whose names contain one of these")
    made.add_argument("--processes", type=int, default=1)
    args = made.parse_args()
    require(args.data)
    names = list(contenders(policy_of(args.policy)))
    if args.only:
        names = [name for name in names if name == NOBODY or any(part in name for part in args.only)]
    found = watched(scores(args, names), args.seeds * len(names))
    if args.json:
        print(json.dumps({"scenario": args.scenario, **figures(found, names)}), flush=True)
        return
    columns = (
        "contender",
        "hot minutes",
        "evictions",
        "caused",
        "ping-pong",
        "core-s above",
        "pending min",
        "paused %",
    )
    title = f"{args.scenario}: {args.seeds} days of {args.nodes} nodes"
    table(title, columns, rows(found, names))


if __name__ == "__main__":
    main()
