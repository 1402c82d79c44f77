"""ElasticQuotas: how many jobs are broken, when a namespace wants back what it is guaranteed?

Random clusters of 8-GPU nodes with many namespaces (`--namespaces`), each with a quota, all of them used: some have
borrowed what others leave. Then gangs arrive in namespaces that have lent. By the product's own path (objects of an
API server, a policy, a plan), and beside it as CapacityScheduling of scheduler-plugins preempts by itself: pod after
pod, on one node each, of any job whose namespace is over its guarantee, with no thought of what else of the job runs
(pkg/capacityscheduling/capacity_scheduling.go, SelectVictimsOnNode and the selection of kube-scheduler's preemption:
the fewest victims). Both plans are carried out on paper by amounts alone.

`jobs_broken_per_gpu` and `native`: jobs of which a pod is evicted, for each GPU that the gangs get. `below_min`:
namespaces that were pushed below their guarantee. `latency_s`: how long a gang waits until the plan is made, on the
average: the strategy's own wait, half an interval, and the time that planning took.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import _common
import _product
import _wire

from descheduler.model.plan import PlanDocument
from descheduler.model.snapshot import ClusterSnapshot

GROUP, QUOTA = "scheduling.x-k8s.io/PodGroup", "scheduling.x-k8s.io/ElasticQuota"
LABEL = "scheduling.x-k8s.io/pod-group"
PER_NODE = 8
SHAPES = ((1, 8), (1, 16), (2, 4), (2, 8), (4, 2), (4, 4), (8, 1), (8, 2))
"""Jobs: GPUs of each member, and members; training with data parallelism has many small ones."""
OLDER, INTERVAL = 60.0, 60.0  # seconds: of the strategy, and between two cycles


@dataclass(frozen=True)
class Running:
    """A job that runs, one member on each of `at` (a node for each; several on one node), of so many GPUs each."""

    name: str
    team: int
    gpus: int
    at: tuple[int, ...]


@dataclass(frozen=True)
class Arriving:
    name: str
    team: int
    gpus: int
    members: int


@dataclass(frozen=True)
class Cluster:
    nodes: int
    least: tuple[int, ...]  # GPUs, by team
    jobs: tuple[Running, ...]
    gangs: tuple[Arriving, ...]


@dataclass
class Result:
    broken: set[str] = field(default_factory=set)
    gpus: int = 0
    below: int = 0


def drawn(rng: random.Random, teams: int) -> Cluster:
    """Teams are guaranteed all GPUs together; a third of them use little, and the others have taken that too."""
    nodes = teams * 2
    free = [PER_NODE] * nodes
    share = PER_NODE * nodes // teams
    lends = set(rng.sample(range(teams), teams // 3))
    jobs: list[Running] = []
    greedy = [team for team in range(teams) if team not in lends]
    while sum(free):
        gpus, members = rng.choice(SHAPES)
        at: list[int] = []
        for _ in range(members):
            able = [node for node, left in enumerate(free) if left >= gpus]
            if able:
                node = rng.choice(able)
                free[node] -= gpus
                at.append(node)
        if at:
            jobs.append(Running(f"job-{len(jobs)}", rng.choice(greedy), gpus, tuple(at)))
    gangs: list[Arriving] = []
    for team in sorted(lends)[: max(1, len(lends) // 2)]:
        gpus, members = rng.choice(SHAPES)
        if gpus * members <= share:
            gangs.append(Arriving(f"gang-{team}", team, gpus, members))
    return Cluster(nodes, (share,) * teams, tuple(jobs), tuple(gangs))


def as_snapshot(cluster: Cluster) -> ClusterSnapshot:
    nodes = [_wire.node(f"n{i}", 128_000, 1_048_576, gpus=PER_NODE) for i in range(cluster.nodes)]
    pods: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []
    for name, team, gpus, places in (
        *((job.name, job.team, job.gpus, [f"n{node}" for node in job.at]) for job in cluster.jobs),
        *((gang.name, gang.team, gang.gpus, [""] * gang.members) for gang in cluster.gangs),
    ):
        space = f"team-{team}"
        for i, on in enumerate(places):
            made = _wire.pod(f"{name}-{i}", 1000, 1024, on=on, gpus=gpus, labels={LABEL: name})
            made["metadata"]["namespace"] = space
            made["metadata"]["uid"] = f"uid-{space}-{name}-{i}"
            pods.append(made)
        groups.append(
            {
                "apiVersion": "scheduling.x-k8s.io/v1alpha1",
                "kind": "PodGroup",
                "metadata": _wire.meta(name, space),
                "spec": {"minMember": len(places)},
            }
        )
    everything = {"cpu": "100000", "memory": "1000Ti"}
    quotas = [
        {
            "apiVersion": "scheduling.x-k8s.io/v1alpha1",
            "kind": "ElasticQuota",
            "metadata": _wire.meta("quota", f"team-{team}"),
            "spec": {
                "min": {**everything, _wire.GPU: str(least)},
                "max": {**everything, _wire.GPU: str(PER_NODE * cluster.nodes)},
            },
        }
        for team, least in enumerate(cluster.least)
    ]
    spaces = [{"metadata": _wire.meta(f"team-{team}")} for team in range(len(cluster.least))]
    return _wire.snapshot(nodes, pods, {GROUP: groups, QUOTA: quotas, "namespaces": spaces})


def used(cluster: Cluster, gone: Sequence[tuple[str, int]] = ()) -> list[int]:
    """GPUs by team without the pods (job, member) that are gone."""
    out = [0] * len(cluster.least)
    for job in cluster.jobs:
        out[job.team] += job.gpus * sum((job.name, i) not in gone for i in range(len(job.at)))
    return out


def ours(cluster: Cluster, plan: PlanDocument) -> Result:
    """What the plan does, carried out by amounts.

    Raises:
        SystemExit: it lets a job go in part, or lets in who has no room.
    """
    jobs = {job.name: job for job in cluster.jobs}
    gangs = {gang.name: gang for gang in cluster.gangs}
    free = [PER_NODE] * cluster.nodes
    for job in cluster.jobs:
        for node in job.at:
            free[node] -= job.gpus
    found, gone = Result(), set[tuple[str, int]]()
    seated: dict[str, int] = {}
    for action in plan.actions:
        leaving: dict[str, int] = {}
        for move in action.pods:
            name, _, i = move.pod.rpartition("-")
            gone.add((name, int(i)))
            leaving[name] = leaving.get(name, 0) + 1
            free[jobs[name].at[int(i)]] += jobs[name].gpus
        if any(len(jobs[name].at) != count for name, count in leaving.items()):
            raise SystemExit("a job is let go in part")
        found.broken |= leaving.keys()
        for seat in action.room_for:
            name = seat.pod.rpartition("-")[0]
            free[int(seat.node[1:])] -= gangs[name].gpus
            seated[name] = seated.get(name, 0) + 1
    if min(free) < 0 or any(gangs[name].members != count for name, count in seated.items()):
        raise SystemExit("somebody is let in who has no room, or in part")
    found.gpus = sum(gangs[name].gpus * count for name, count in seated.items())
    before, after = used(cluster), used(cluster, tuple(gone))
    found.below = sum(now < least <= was for was, now, least in zip(before, after, cluster.least, strict=True))
    return found


def native(cluster: Cluster) -> Result:
    """The same by the scheduler's own preemption, pod by pod."""
    free = [PER_NODE] * cluster.nodes
    there = {(job.name, i): (job, node) for job in cluster.jobs for i, node in enumerate(job.at)}
    for job, node in there.values():
        free[node] -= job.gpus
    use = used(cluster)
    before, found = list(use), Result()
    for gang in cluster.gangs:
        for _ in range(gang.members):
            best: tuple[tuple[int, int], int, list[tuple[str, int]]] | None = None
            for node in range(cluster.nodes):
                victims = _victims(cluster, there, use, node, free[node], gang.gpus)
                if victims is not None and (best is None or (len(victims), node) < best[0]):
                    best = (len(victims), node), node, victims
            if best is None:
                break
            for key in best[2]:
                job, at = there.pop(key)
                free[at] += job.gpus
                use[job.team] -= job.gpus
                found.broken.add(job.name)
            free[best[1]] -= gang.gpus
            use[gang.team] += gang.gpus
            found.gpus += gang.gpus
    found.below = sum(now < least <= was for was, now, least in zip(before, use, cluster.least, strict=True))
    return found


def _victims(
    cluster: Cluster,
    there: dict[tuple[str, int], tuple[Running, int]],
    use: Sequence[int],
    node: int,
    free: int,
    gpus: int,
) -> list[tuple[str, int]] | None:
    """Pods of teams over their guarantee on the node, all of them, less those that may stay after all; None where the
    pod would not fit."""
    left = list(use)
    here = [(key, job) for key, (job, at) in there.items() if at == node]
    able = []
    for key, job in here:
        if left[job.team] > cluster.least[job.team]:
            able.append((key, job))
            left[job.team] -= job.gpus
    room = free + sum(job.gpus for _, job in able)
    if room < gpus:
        return None
    victims = []
    for key, job in able:  # reprieve as many as possible
        if room - job.gpus >= gpus:
            room -= job.gpus
        else:
            victims.append(key)
    return victims


def main() -> None:
    parser = _common.parser(__doc__ or "")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1, 2, 3], help="one cluster each (default %(default)s)"
    )
    parser.add_argument("--namespaces", type=int, default=40, help="with a quota each (default %(default)s)")
    args = parser.parse_args()
    args.mode, args.scoring = "predicted", "LeastAllocated"
    policy = _product.policy_of("QuotaReclaim", {"maxJobs": 100, "olderThan": f"{OLDER:.0f}s"}, args)
    mine, theirs, seconds, wanted = Result(), Result(), 0.0, 0
    for seed in args.seeds:
        cluster = drawn(random.Random(seed), args.namespaces)
        snapshot = as_snapshot(cluster)
        began = time.perf_counter()
        plan = _product.planned(snapshot, policy)
        seconds += time.perf_counter() - began
        wanted += sum(gang.gpus * gang.members for gang in cluster.gangs)
        for total, found in ((mine, ours(cluster, plan)), (theirs, native(cluster))):
            total.broken |= {f"{seed}/{name}" for name in found.broken}
            total.gpus += found.gpus
            total.below += found.below
    per_gpu = [len(one.broken) / one.gpus if one.gpus else None for one in (mine, theirs)]
    _common.show(
        "What a namespace is guaranteed, given back",
        {
            "latency_s": OLDER + INTERVAL / 2 + seconds / len(args.seeds),
            "jobs_broken_per_gpu": per_gpu[0],
            "native": per_gpu[1],
            "ratio": per_gpu[0] / per_gpu[1] if per_gpu[0] is not None and per_gpu[1] else None,
            "below_min": mine.below,
            "native_below_min": theirs.below,
            "gpus": mine.gpus,
            "native_gpus": theirs.gpus,
            "gpus_wanted": wanted,
            "jobs_broken": len(mine.broken),
            "plan_seconds": seconds / len(args.seeds),
        },
        as_json=args.json,
    )


if __name__ == "__main__":
    main()
