"""What is replayed, and what has to be assumed for it, in words: the head of every document of a replay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from descheduler import __version__
from descheduler.backtest.gpu_room import gpus_of
from descheduler.backtest.walk import Rules
from descheduler.backtest.world import SIGNALS, World
from descheduler.contract import load
from descheduler.model.errors import StrategyError
from descheduler.model.format import percent, plural, span
from descheduler.policy import Policy
from descheduler.report.backtests.document import Replay


def replay_of(world: World, rules: Rules, policies: Sequence[tuple[str, Policy]], seeds: Sequence[int]) -> Replay:
    """The head of a document; nodes are judged by the first of the policies, which `rules` are of."""
    snapshot = world.snapshot
    return Replay(
        product=__version__,
        cluster=snapshot.cluster,
        begin=world.begin,
        end=world.end,
        step_seconds=world.step,
        startup_seconds=rules.starts,
        seeds=tuple(seeds),
        nodes=len(snapshot.nodes),
        pods=len(snapshot.pods),
        workloads=len(world.keys),
        gpus=gpus_of(snapshot),
        gpu_slot=rules.slot,
        thresholds={
            signal: tuple(float(f"{limit:.6g}") for limit in np.unique(limits).tolist())
            for signal, limits in rules.thresholds.items()
            if signal in world.usage
        },
        judged_by=policies[0][0],
        notes=tuple(_notes(world, rules, policies)),
    )


def _notes(world: World, rules: Rules, policies: Sequence[tuple[str, Policy]]) -> Iterator[str]:
    yield "all pods stand at the beginning where the recording has them; who came and went meanwhile is not known"
    yield (
        "what a pod uses follows it to every node; of the recorded use of its workload it has the share that it had in "
        f"the last hour; replacements are ready after {span(rules.starts)}"
    )
    yield "policies act, whatever their mode says"
    yield from _gaps(world)
    yield from _strategies(world, policies)


def _gaps(world: World) -> Iterator[str]:
    """What is not known of the use."""
    yield from (f"{problem}; in life nobody acts on what is not whole, here all do" for problem in world.problems)
    for signal in SIGNALS:
        usage = world.usage.get(signal)
        if usage is None:
            yield f"no history of {signal}: pods count with what they request, and no node is hot by it"
            continue
        unknown = int((usage.row < 0).sum())
        if unknown:
            pods = plural(unknown, "pod")
            yield f"no history of {signal} of {pods}: what they request counts as used"
        first, last = usage.column(world.begin) + 1, usage.column(world.end) + 1
        known = np.unique(usage.row[usage.row >= 0])
        missing = float(np.isnan(usage.values[known, first:last]).mean()) if known.size and last > first else 0.0
        if missing > 0.0005:
            share = percent(missing) if missing >= 0.01 else "under 1%"
            yield f"{share} of the samples of {signal} are missing: where they are, nothing counts as used"


def _strategies(world: World, policies: Sequence[tuple[str, Policy]]) -> Iterator[str]:
    """Of strategies that look at more than what nodes are hot by: what they are given."""
    told: set[str] = set()
    for choice in (choice for _, policy in policies for choice in policy.strategies):
        try:
            strategy = load(choice.strategy)
        except StrategyError:
            continue  # every plan says that it failed
        if choice.strategy in told:
            continue
        told.add(choice.strategy)
        lacking = [signal for signal in strategy.signals if signal not in world.usage and signal not in world.others]
        pod_by_pod = [s for s in (*strategy.signals, *getattr(strategy, "optional_signals", ())) if s in world.others]
        if lacking:
            yield f"{choice.strategy} does not run: no history of {', '.join(lacking)} is recorded"
        elif pod_by_pod:
            yield (
                f"{choice.strategy} is given the history of {', '.join(pod_by_pod)} by workload: what single pods used "
                "is recorded for the end alone, so that it counts as absent, and no move changes this history"
            )
