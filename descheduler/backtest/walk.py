"""One walk through a world: step after step, somebody may move pods, and what comes of it is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from descheduler.backtest import score
from descheduler.backtest.cluster import STARTS, Cluster
from descheduler.backtest.contender import Maker
from descheduler.backtest.foresight import Future, forecast
from descheduler.backtest.gpu_room import GpuRoom, slot_of
from descheduler.backtest.meter import Meter
from descheduler.backtest.ours import Run
from descheduler.backtest.score import Score
from descheduler.backtest.world import World
from descheduler.model.arrays import Floats32, Mask
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.context import assign_pools
from descheduler.planning.settings import pool_rules
from descheduler.policy import Policy
from descheduler.scheduler import Scoring

THRESHOLDS = {"cpu": 0.75, "memory": 0.85}
"""Above which a node is hot where no policy says so: the defaults of HotNodes."""


@dataclass(frozen=True, eq=False, slots=True)
class Rules:
    """What holds for all contenders of a walk: thresholds [N] of hot nodes by resource, fractions of allocatable; how
    schedulers score, by name; seconds of history that are known; seconds until a replacement is ready; GPUs of a slot;
    the share of the pods that others replace in an hour.
    """

    thresholds: Mapping[str, Floats32]
    scoring: Mapping[str, Scoring] = field(default_factory=dict)
    window: float = 7 * 86_400.0
    starts: float = STARTS
    slot: int = 0
    churn: float = 0.0


def rules_of(policy: Policy, snapshot: ClusterSnapshot, starts: float = STARTS) -> Rules:
    """By a policy: nodes are hot by the thresholds of its first HotNodes, by the defaults without one."""
    args = next((choice.args.model_dump() for choice in policy.strategies if choice.strategy == "HotNodes"), {})
    general: Mapping[str, float] = args.get("thresholds", THRESHOLDS)
    pools: Mapping[str, Mapping[str, float]] = args.get("pools", {})
    names, of_node = assign_pools(snapshot, pool_rules(policy))
    limits = {
        resource: np.array([pools.get(name, {}).get(resource, limit) for name in names], np.float32)[of_node]
        for resource, limit in general.items()
    }
    scoring = {name: Scoring(how) for name, how in policy.schedulers.items()}
    return Rules(limits, scoring, policy.history.window.total_seconds(), starts, slot_of(policy, snapshot))


@dataclass(frozen=True, eq=False, slots=True)
class Walk:
    """`score`, which nodes were `hot` [N, C], how the cluster was left, and how the last plan has pods land."""

    score: Score
    hot: Mask
    cluster: Cluster
    meter: Meter
    landing: str = ""


def walk(
    world: World,
    maker: Maker,
    rules: Rules,
    seed: int = 0,
    baseline: Mask | None = None,
    step_done: Callable[[], None] = lambda: None,
) -> Walk:
    """Go through the world once. Same arguments, same walk.

    `baseline` [N, C] are the hot nodes where nobody does anything, for what a contender causes; `step_done` is called
    after every step.
    """
    landing, own, others = (np.random.default_rng([seed, part]) for part in (0, 1, 2))
    cluster = Cluster(world.snapshot, landing, starts=rules.starts, scoring=rules.scoring)
    meter = Meter(world, rules.thresholds, rules.window)
    contender = maker.make(world, own)
    run = contender if isinstance(contender, Run) else None
    futures: list[Future] = []
    pending = gpu_hours = slots = 0.0
    room = GpuRoom(world.snapshot, rules.slot)
    for column in range(meter.first, meter.first + meter.steps):
        now = float(world.clock.start + column * world.step)
        cluster.settle(now)
        if rules.churn:
            _churn(cluster, meter, rules.churn * world.step / 3600.0, others, now)
        before = cluster.nodes.copy()
        contender.act(cluster, meter, now)
        if run is not None and len(run.foreseen) > len(futures):
            ahead = meter.ahead(before, now, run.foreseen[-1].horizon)
            futures.append(Future(meter.hot(ahead), {s: v.max(axis=1, initial=0.0) for s, v in ahead.items()}))
        meter.step(cluster, now + world.step)
        waiting, gpus = cluster.waiting
        pending += waiting * world.step / 60.0
        gpu_hours += gpus * world.step / 3600.0
        slots += room.slots(cluster.nodes)
        step_done()
    hot = score.hot_nodes(meter)
    columns = world.snapshot.columns
    made = Score(
        contender=maker.name,
        seed=seed,
        hot_minutes=score.hot_minutes(meter),
        excess=score.excess(meter),
        caused=float((hot & ~baseline).sum()) * world.step / 60.0 if baseline is not None else 0.0,
        evictions=sum(move.evicted for move in cluster.moves),
        restarts=score.restarts(world.keys, columns.pod_workload.tolist(), cluster.moves),
        ping_pong=score.ping_pong(cluster.moves),
        pending=pending,
        pending_gpu_hours=gpu_hours,
        gpu_slots=slots / meter.steps,
        plans=run.plans if run is not None else 0,
        paused=run.paused if run is not None else 0,
        forecast=forecast(run.foreseen, futures) if run is not None else None,
        refused=dict(run.refused) if run is not None else {},
        hot=tuple(int(n) for n in hot.sum(axis=0)),
    )
    return Walk(made, hot, cluster, meter, run.last.landing if run is not None and run.last is not None else "")


def _churn(cluster: Cluster, meter: Meter, share: float, rng: np.random.Generator, now: float) -> None:
    """Some pods are replaced, the same ones whoever is walking; those of DaemonSets stay on their nodes."""
    drawn = np.flatnonzero(rng.random(len(cluster.nodes)) < share)
    pods = cluster.snapshot(now).pods
    owners = {slot: pods[int(cluster.position[slot])].controller for slot in drawn.tolist()}
    slots = [slot for slot, owner in owners.items() if owner is not None and owner.kind != "DaemonSet"]
    for move in cluster.remake(slots, now) if slots else ():
        meter.forget(move.slot)
