"""Small worlds to walk through: nodes, pods, and what each pod uses from hour to hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from builders import NOW, cluster, node, pod
from descheduler.backtest.contender import Maker
from descheduler.backtest.walk import Rules, Walk, walk
from descheduler.backtest.world import Usage, World
from descheduler.model.budgets import DisruptionBudget
from descheduler.model.nodes import Node
from descheduler.model.pods import Pod
from descheduler.model.workloads import Workload

STEP = 300
BEGIN = int(NOW) // STEP * STEP
PAST = 12  # columns that are over at the beginning


def machines(*names: str, cpu: str = "10") -> list[Node]:
    """Nodes of ten cores, on which loads are easy to read."""
    return [node(name, cpu=cpu, memory="64Gi") for name in names]


def using(
    nodes: Iterable[Node],
    pods: Sequence[Pod],
    cores: Mapping[str, float | Sequence[float]],
    budgets: Iterable[DisruptionBudget] = (),
    workloads: Iterable[Workload] = (),
    steps: int = 6,
) -> World:
    """A world of so many steps of five minutes. `cores` by pod: the same all the time, or what each pass in turn finds
    (the first also before the beginning, the last goes on)."""
    snapshot = cluster(nodes, pods, budgets, workloads, taken_at=float(BEGIN))
    rows = np.stack([_row(cores.get(one.name, 0.0), steps) for one in snapshot.pods])
    every = np.arange(len(snapshot.pods), dtype=np.int32)
    start = BEGIN - (PAST - 1) * STEP
    usage = Usage("cpu", "cores", start, STEP, rows, every, np.ones(len(rows), np.float32))
    return World(snapshot, {"cpu": usage}, BEGIN, BEGIN + steps * STEP, {})


def replicas(of: str, on: Mapping[str, str], **rest: object) -> list[Pod]:
    """Pods `web-1`, `web-2`, … of one ReplicaSet, by the node of each."""
    return [pod(f"{of}-{number}", node=name, **rest) for number, name in on.items()]  # type: ignore[arg-type]


def gone(done: Walk) -> list[str]:
    """Names of the pods that were evicted, in order, by what they were called at first."""
    first = [one.name for one in done.meter.world.snapshot.pods]
    return [first[move.slot] for move in done.cluster.moves if move.evicted]


def walked(world: World, maker: Maker, seed: int = 0) -> Walk:
    """With a threshold of 75 % of CPU."""
    limit = np.full(len(world.snapshot.nodes), 0.75, np.float32)
    return walk(world, maker, Rules({"cpu": limit}), seed)


def _row(cores: float | Sequence[float], steps: int) -> np.ndarray:
    given = [cores] if isinstance(cores, (int, float)) else list(cores)
    after = [*given[1:], *[given[-1]] * (steps + 1 - len(given))]
    return np.array(([given[0]] * PAST + after)[: PAST + steps], np.float32)
