"""Gangs that hold a part of what they need: does the plan untie every knot, and with as few broken jobs as possible?

Random clusters in which gangs of alike members hold a part of what they need, by the product's own path: objects of an
API server, a policy, a plan. The plan is then carried out on paper, by nothing but amounts: whoever is let go is gone,
whoever is let in takes the node that the plan names. `optimum` is found by trying every set of gangs, and every way to
place the members of the others.

A cluster counts among `deadlocks` where somebody could start if others let go; it is `cleared` when nobody is left who
holds a part and could start. With `--priorities` gangs differ in it: then those of lower ones are broken first, however
many they are, and so does the optimum.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import _common
import _product
import _wire

from descheduler.model.plan import PlanDocument
from descheduler.model.snapshot import ClusterSnapshot

LABEL = "scheduling.x-k8s.io/pod-group"
KIND = "scheduling.x-k8s.io/PodGroup"
Room = tuple[tuple[int, int], ...]
"""Of each node: free cores, free GPUs."""


@dataclass(frozen=True)
class Gang:
    """Members of so many `cores` and `gpus` each: those on `at` hold a place, `lack` more are needed."""

    name: str
    cores: int
    gpus: int
    at: tuple[int, ...]
    lack: int
    priority: int


@dataclass(frozen=True)
class Cluster:
    nodes: Room  # all that they have
    gangs: tuple[Gang, ...]

    def free(self, gone: Sequence[Gang] = ()) -> Room:
        """What is left on each node when these have let go."""
        left = [list(node) for node in self.nodes]
        for gang in self.gangs:
            for node in gang.at if gang not in gone else ():
                left[node][0] -= gang.cores
                left[node][1] -= gang.gpus
        return tuple((cores, gpus) for cores, gpus in left)


def drawn(rng: random.Random, priorities: bool) -> Cluster:
    """Nodes that are as good as full of gangs, of which each lacks something."""
    size = rng.randint(2, 4)
    used = [[0, 0] for _ in range(size)]
    gangs: list[Gang] = []
    for i in range(rng.randint(2, 6)):
        cores, gpus = rng.choice(((2, 0), (4, 0), (4, 1), (8, 2)))
        at = tuple(sorted(rng.randrange(size) for _ in range(rng.randint(1, 4))))
        for node in at:
            used[node][0] += cores
            used[node][1] += gpus
        gangs.append(Gang(f"job-{i}", cores, gpus, at, rng.randint(1, 4), rng.randint(0, 6) if priorities else 0))
    nodes = tuple((cores + rng.choice((0, 0, 1)), gpus) for cores, gpus in used)
    return Cluster(nodes, tuple(gangs))


def as_snapshot(cluster: Cluster) -> ClusterSnapshot:
    nodes = [_wire.node(f"n{i}", cores * 1000, 65_536, gpus=gpus) for i, (cores, gpus) in enumerate(cluster.nodes)]
    pods: list[dict[str, Any]] = []
    for gang in cluster.gangs:
        places = [f"n{node}" for node in gang.at] + [""] * gang.lack
        for i, on in enumerate(places):
            name, labels = f"{gang.name}-{i}", {LABEL: gang.name}
            more = {"gpus": gang.gpus, "labels": labels, "priority": gang.priority}
            made = _wire.pod(name, gang.cores * 1000, 16, on=on, **more)  # type: ignore[arg-type]
            pods.append(made)
    groups = [
        {
            "apiVersion": "scheduling.x-k8s.io/v1alpha1",
            "kind": "PodGroup",
            "metadata": _wire.meta(gang.name, "trace"),
            "spec": {"minMember": len(gang.at) + gang.lack},
        }
        for gang in cluster.gangs
    ]
    return _wire.snapshot(nodes, pods, {KIND: groups})


def can_start(gangs: Sequence[Gang], room: Room) -> bool:
    """Whether what they lack has room, all of it; every way is tried."""

    @cache
    def rest(i: int, left: Room) -> bool:
        if i == len(gangs):
            return True
        return any(rest(i + 1, after) for after in _ways(gangs[i], gangs[i].lack, left, 0))

    return rest(0, room)


def _ways(gang: Gang, count: int, left: Room, node: int) -> Iterator[Room]:
    """Every way to place so many members on this node and those after it."""
    if not count:
        yield left
        return
    if node == len(left):
        return
    cores, gpus = left[node]
    most = min(count, cores // gang.cores, gpus // gang.gpus if gang.gpus else count)
    for here in range(most, -1, -1):
        after = (*left[:node], (cores - here * gang.cores, gpus - here * gang.gpus), *left[node + 1 :])
        yield from _ways(gang, count - here, after, node + 1)


def optimum(cluster: Cluster) -> int | None:
    """How many gangs must let go so that all others start that ever could; None where nobody can be helped.

    Nobody lets go for one of a lower priority. Where some have room as things are, the cluster is not counted.
    """
    gangs = cluster.gangs
    if any(can_start([gang], cluster.free()) for gang in gangs):
        return None
    able = [g for g in gangs if can_start([g], cluster.free(_may_for(g, gangs)))]
    levels = sorted({gang.priority for gang in gangs}, reverse=True)
    found: list[tuple[tuple[int, ...], int]] = []
    for count in range(1, len(gangs)):
        for gone in itertools.combinations(gangs, count):
            starts = [gang for gang in able if gang not in gone]
            fair = starts and min(g.priority for g in starts) >= max(g.priority for g in gone)
            if fair and can_start(starts, cluster.free(gone)):
                found.append((tuple(sum(gang.priority == level for gang in gone) for level in levels), count))
    return min(found)[1] if found else None


def _may_for(gang: Gang, gangs: Sequence[Gang]) -> list[Gang]:
    """Who may let go for it."""
    return [one for one in gangs if one is not gang and one.priority <= gang.priority]


def carried_out(cluster: Cluster, plan: PlanDocument) -> tuple[int, bool]:
    """How many gangs were broken, and whether nobody is left who holds a part and could start.

    Raises:
        SystemExit: the plan breaks a gang in part, or lets in who has no room.
    """
    named = {gang.name: gang for gang in cluster.gangs}
    gone: list[Gang] = []
    seats: dict[str, list[int]] = {}
    for action in plan.actions:
        leaving = {}
        for move in action.pods:
            leaving.setdefault(move.pod.rpartition("-")[0], []).append(move.pod)
        for name, pods in leaving.items():
            if len(pods) != len(named[name].at):
                raise SystemExit(f"{name} is let go in part")
            gone.append(named[name])
        for seat in action.room_for:
            seats.setdefault(seat.pod.rpartition("-")[0], []).append(int(seat.node[1:]))
    room = [list(node) for node in cluster.free(gone)]
    for name, nodes in seats.items():
        if len(nodes) != named[name].lack:
            raise SystemExit(f"{name} is let in in part")
        for node in nodes:
            room[node][0] -= named[name].cores
            room[node][1] -= named[name].gpus
    if any(cores < 0 or gpus < 0 for cores, gpus in room):
        raise SystemExit("somebody is let in who has no room")
    left = [gang for gang in cluster.gangs if gang not in gone and gang.name not in seats]
    return len(gone), not any(can_start([gang], cluster.free(_may_for(gang, left))) for gang in left)


def main() -> None:
    parser = _common.parser(__doc__ or "")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one run each (default %(default)s)")
    parser.add_argument("--clusters", type=int, default=60, help="drawn for each seed (default %(default)s)")
    parser.add_argument("--priorities", action="store_true", help="gangs differ in priority")
    args = parser.parse_args()
    args.mode, args.scoring = "predicted", "LeastAllocated"
    policy = _product.policy_of("PartialGangs", {"maxGangs": 100}, args)
    found = {"deadlocks": 0, "cleared": 0, "jobs_broken": 0, "optimum": 0, "not_minimal": 0}
    for seed in args.seeds:
        rng = random.Random(seed)
        for _ in range(args.clusters):
            cluster = drawn(rng, args.priorities)
            fewest = optimum(cluster)
            if fewest is None:
                continue
            broken, clear = carried_out(cluster, _product.planned(as_snapshot(cluster), policy))
            found["deadlocks"] += 1
            found["cleared"] += clear
            found["jobs_broken"] += broken
            found["optimum"] += fewest
            found["not_minimal"] += broken != fewest
    _common.show(
        "Gangs that block one another",
        {**found, "seeds": " ".join(map(str, args.seeds)), "clusters": args.clusters * len(args.seeds)},
        as_json=args.json,
    )


if __name__ == "__main__":
    main()
