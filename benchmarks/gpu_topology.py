"""Do jobs on badly linked GPUs move where they run faster, when it pays and only then?

First one job: two GPUs on the worst pair of an 8×V100 hybrid cube mesh (16 GB/s), on another node a good pair is left
(50 GB/s); once with ten hours to go, once about to end. Then a fleet of such nodes on which a scheduler that knows
nothing of links placed jobs of 1, 2, 4 and 8 GPUs at random. The score is that of all GPUs of multi-GPU jobs: bandwidth
of the job's set over the best of its size, weighted by GPUs. It is measured after plan upon plan, each made from what
the one before left, until the moves are used up or a plan has none; in five worlds:

  plain     the default scheduler, and a kubelet that gives the worst set that is left
  steered   as plain, with the policy's acting.landing steered: nodes that are left, and bad ones, are steered away from
  directed  as plain, with acting.landing directed: replacements prefer the nodes that the plan names
  best      steered, and a device plugin that gives the best set that is left (args: {devices: best})
  both      directed, and such a plugin

`mean_offline` is what a greedy search reaches that may choose node and devices of as many jobs freely, `mean_bound`
what no plan of so many moves can exceed (that many jobs, those with most to gain, all on a best set).
`promises_kept` tells whether no moved job has less than its plan said.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import _common

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from descheduler.model.nodes import Node
    from descheduler.model.plan import PlanDocument
    from descheduler.model.pods import Pod
    from descheduler.model.snapshot import ClusterSnapshot
    from descheduler.topology import Rings

NOW = 1_760_000_000.0
GPU = "nvidia.com/gpu"
MODEL = "Tesla-V100-SXM2-32GB"
SIZES = (1, 2, 4, 8)
SHARES = (0.35, 0.45, 0.17, 0.03)
SECONDS = 36_000.0
WORLDS = (
    ("plain", "predicted", "any"),
    ("steered", "steered", "any"),
    ("directed", "directed", "any"),
    ("best", "steered", "best"),
    ("both", "directed", "best"),
)
MAX_PLANS = 8


def main() -> None:
    parser = _common.parser(__doc__ or "")
    parser.add_argument("--nodes", type=int, default=64, help="nodes of the fleet (default %(default)s)")
    parser.add_argument("--moves", type=int, default=32, help="moves of all plans (default %(default)s)")
    parser.add_argument("--fill", type=float, default=0.75, help="share of GPUs in use (default %(default)s)")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--plan-out", help="write the moves of the world `best` in order: pod,from,to,gpu_indices")
    args = parser.parse_args()

    figures = _pair()
    figures |= _fleet(args.nodes, args.moves, args.fill, args.seed, args.plan_out)
    figures["peak_mib"] = _common.peak_mib()
    _common.show("GPU topology", figures, as_json=args.json)


# -- one job --------------------------------------------------------------------------------------------------------


def _pair() -> dict[str, _common.Figure]:
    rings = _rings()
    worst, best = float(rings.worst_in(2)[-1]), rings.best(2)
    pays = _plan(_one_job(SECONDS), 1)
    ending = _plan(_one_job(900.0), 1)
    moved = [move for action in pays.actions for move in action.pods]
    before = rings.score(_bits((0, 6)))
    return {
        "best_gbps": best,
        "worst_gbps": worst,
        "best_worst_ratio": best / worst,
        "planned_when_pays": [(m.pod, m.source, m.destination) for m in moved] == [("train-0", "v1", "v2")],
        "planned_when_ending": bool(ending.actions),
        "score_before": before,
        "score_after": rings.score(_bits((0, 3))) if moved else before,
    }


def _one_job(seconds: float) -> ClusterSnapshot:
    """`train` on the worst pair of v1, which is busy; of v2 a good pair is left."""
    pods = [
        _pod("train-0", "v1", (0, 6), seconds),
        _pod("full-0", "v1", (1, 2, 3, 4, 5, 7), seconds),
        _pod("there-0", "v2", (1, 2), seconds, cores=5),
        _pod("beside-0", "v2", (4, 5, 6, 7), seconds, cores=5),
    ]
    return _cluster([_node("v1"), _node("v2")], pods)


# -- a fleet --------------------------------------------------------------------------------------------------------


@dataclass
class _World:
    """What each job of the fleet holds: `node` [J], `held` [J] bits; `free` [N] bits."""

    node: NDArray[np.int64]
    held: NDArray[np.int64]
    size: NDArray[np.int64]
    free: NDArray[np.int64]

    def copy(self) -> _World:
        return _World(self.node.copy(), self.held.copy(), self.size.copy(), self.free.copy())

    def score(self, rings: Rings) -> float:
        """Of the GPUs of all jobs with several."""
        import numpy as np

        several = self.size > 1
        scores = np.array([rings.score(int(h)) for h in self.held[several]])
        return float((scores * self.size[several]).sum() / self.size[several].sum())

    def move(self, job: int, target: int, held: int) -> None:
        self.free[self.node[job]] |= self.held[job]
        self.free[target] &= ~held
        self.node[job], self.held[job] = target, held


def _fleet(nodes: int, moves: int, fill: float, seed: int, out: str | None) -> dict[str, _common.Figure]:
    rings = _rings()
    start = _random(nodes, fill, seed)
    figures: dict[str, _common.Figure] = {
        "nodes": nodes,
        "jobs": len(start.node),
        "moves_allowed": moves,
        "mean_before": start.score(rings),
    }
    kept, spent, cpu = True, 0.0, 0.0
    steps: list[tuple[str, str, str, int]]
    for world, landing, devices in WORLDS:
        after, steps, plans = start, [], 0
        while plans < MAX_PLANS and len(steps) < moves:
            began, used = time.perf_counter(), time.process_time()
            document = _plan(_snapshot(after), moves - len(steps), landing=landing, devices=devices)
            spent, cpu = max(spent, time.perf_counter() - began), max(cpu, time.process_time() - used)
            after, more, honest = _carried_out(after, document, rings, best=devices == "best")
            kept, plans, steps = kept and honest, plans + 1, [*steps, *more]
            if not more:
                break
        figures |= {f"plans_{world}": plans, f"moves_{world}": len(steps), f"mean_{world}": after.score(rings)}
        if out and world == "best":
            _write(out, steps)
    offline = _offline(start, rings, moves)
    bound = _bound(start, rings, moves)
    return figures | {
        "mean_after": figures["mean_best"],
        "mean_offline": offline,
        "mean_bound": bound,
        "of_offline": float(figures["mean_best"] or 0.0) / offline,
        "promises_kept": kept,
        "seconds": spent,
        "cpu_seconds": cpu,
    }


def _random(nodes: int, fill: float, seed: int) -> _World:
    """Jobs placed one after the other on any node with room, on any of its free GPUs."""
    import numpy as np

    rng = np.random.default_rng(seed)
    free = np.full(nodes, 255, np.int64)
    placed: list[tuple[int, int, int]] = []
    while sum(size for _, _, size in placed) < fill * 8 * nodes:
        size = int(rng.choice(SIZES, p=SHARES))
        counts = np.array([int(f).bit_count() for f in free])
        able = np.flatnonzero(counts >= size)
        if not able.size:
            continue
        node = int(rng.choice(able))
        devices = rng.permutation([d for d in range(8) if int(free[node]) >> d & 1])[:size]
        held = _bits(int(d) for d in devices)
        free[node] &= ~held
        placed.append((node, held, size))
    table = np.array(placed, np.int64)
    return _World(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy(), free)


def _carried_out(
    start: _World, document: PlanDocument, rings: Rings, *, best: bool
) -> tuple[_World, list[tuple[str, str, str, int]], bool]:
    """The fleet after the plan, each job on the best or the worst set that it may find; and whether all gained."""
    world, steps, honest = start.copy(), [], True
    for action in sorted(document.actions, key=lambda a: (a.wave, a.id)):
        for move in action.pods:
            job, target = int(move.pod[1:6]), int(move.destination[1:])
            before = rings.score(int(world.held[job]))
            held = _set(rings, int(world.free[target]), int(world.size[job]), best=best)
            world.move(job, target, held)
            steps.append((f"{move.namespace}/{move.pod}", move.source, move.destination, held))
            honest = honest and rings.score(held) > before
    return world, steps, honest


def _set(rings: Rings, free: int, size: int, *, best: bool) -> int:
    """The widest or narrowest set of so many within the free GPUs."""
    inside = [s for s in range(1 << rings.size) if s & free == s and s.bit_count() == size]
    ranked = sorted(inside, key=lambda s: (float(rings.bandwidth[s]), s))
    return ranked[-1] if best else ranked[0]


def _offline(start: _World, rings: Rings, moves: int) -> float:
    """Job after job, that with most to gain first, to the node with the best set left (of equals the fullest)."""
    import numpy as np

    world, moved = start.copy(), set()
    for _ in range(moves):
        best: tuple[float, int, int] | None = None
        fullness = np.array([int(f).bit_count() for f in world.free])
        for job in np.flatnonzero(world.size > 1).tolist():
            if job in moved:
                continue
            size = int(world.size[job])
            width = rings.best_in(size)[world.free]
            width[world.node[job]] = 0.0
            target = int(np.lexsort((fullness, -width))[0])
            gain = size * (width[target] / rings.best(size) - rings.score(int(world.held[job])))
            if gain > 1e-9 and (best is None or gain > best[0]):
                best = (float(gain), job, target)
        if best is None:
            break
        _, job, target = best
        world.move(job, target, _set(rings, int(world.free[target]), int(world.size[job]), best=True))
        moved.add(job)
    return world.score(rings)


def _bound(start: _World, rings: Rings, moves: int) -> float:
    several = [(int(s), rings.score(int(h))) for s, h in zip(start.size, start.held, strict=True) if s > 1]
    gains = sorted((size * (1.0 - score) for size, score in several), reverse=True)
    total = sum(size for size, _ in several)
    return (sum(size * score for size, score in several) + sum(gains[:moves])) / total


def _write(path: str, steps: Iterable[tuple[str, str, str, int]]) -> None:
    from pathlib import Path

    lines = ["pod,from,to,gpu_indices"]
    for pod, source, target, held in steps:
        lines.append(f"{pod},{source},{target},{'-'.join(str(d) for d in range(8) if held >> d & 1)}")
    Path(path).write_text("\n".join(lines) + "\n")


# -- planning -------------------------------------------------------------------------------------------------------


def _plan(snapshot: ClusterSnapshot, moves: int, *, landing: str = "predicted", devices: str = "any") -> PlanDocument:
    """The plan that the program makes, with no limit but the number of moves."""
    from descheduler.gangs import resolve
    from descheduler.model.landing_mode import LandingMode
    from descheduler.planning import ChosenStrategy, PlanningInput, PlanningSettings, build_document, decide, survey
    from descheduler.planning.budgets.limits import DisruptionLimits
    from descheduler_strategies.gpu_topology.args import GpuTopologyArgs
    from descheduler_strategies.gpu_topology.strategy import GpuTopology

    limits = DisruptionLimits(None, None, None, moves, None)
    settings = PlanningSettings(limits=limits, landing=LandingMode(landing))
    args = GpuTopologyArgs.model_validate({"max_moves": moves, "devices": devices, "min_score": 1.0})
    context = survey(PlanningInput(snapshot, resolve(snapshot), {}, NOW), settings)
    return build_document(decide(context, [ChosenStrategy(GpuTopology(), args)]))


def _rings() -> Rings:
    from descheduler.topology import node_links
    from descheduler.topology.links import TABLE

    board = node_links([_node("v1")], TABLE).board(0)
    if board is None:
        raise SystemExit(f"no links are known of {MODEL}")
    return board.rings


def _snapshot(world: _World) -> ClusterSnapshot:
    pods = [
        _pod(f"j{i:05}-0", f"n{n:05}", [d for d in range(8) if h >> d & 1], SECONDS)
        for i, (n, h) in enumerate(zip(world.node.tolist(), world.held.tolist(), strict=True))
    ]
    return _cluster([_node(f"n{i:05}") for i in range(len(world.free))], pods)


def _cluster(nodes: Sequence[Node], pods: Sequence[Pod]) -> ClusterSnapshot:
    from descheduler.model.snapshot import ClusterSnapshot
    from descheduler.model.workloads import FailureAction, Workload

    jobs = [Workload("Job", "batch/v1", p.namespace, p.name[:-2], f"job-{p.name}", replicas=1, ready=1) for p in pods]
    jobs = [replace(job, on_eviction=FailureAction.IGNORE) for job in jobs]
    return ClusterSnapshot.of(
        taken_at=NOW, nodes=tuple(nodes), pods=tuple(pods), workloads={job.key: job for job in jobs}
    )


def _node(name: str) -> Node:
    from descheduler.model.labels import Labels
    from descheduler.model.nodes import Node, NodeGpus

    amounts = (("cpu", 96_000), ("memory", 768 * 2**30), (GPU, 8), ("pods", 110))
    labels = Labels({"kubernetes.io/hostname": name})
    return Node(name, labels=labels, allocatable=amounts, gpus=NodeGpus(GPU, 8, MODEL))


def _pod(name: str, node: str, devices: Sequence[int], seconds: float, cores: int = 10) -> Pod:
    """A pod of a Job that runs on for so long; `cores` and 64 GiB for each GPU."""
    from datetime import UTC, datetime

    from descheduler.model.labels import Labels
    from descheduler.model.pods import GpuRequest, Pod, PodSpec
    from descheduler.model.workloads import OwnerRef
    from descheduler_strategies.gpu_topology.time import EXPECTED_END

    count = len(devices)
    requests = (("cpu", 1000 * cores * count), ("memory", 64 * 2**30 * count), (GPU, count), ("pods", 1))
    spec = PodSpec(requests=tuple(sorted(requests)), gpu=GpuRequest(GPU, count), restart_policy="OnFailure")
    end = datetime.fromtimestamp(NOW + seconds, UTC).isoformat()
    owner = OwnerRef("batch/v1", "Job", name[:-2], f"job-{name}", controller=True)
    return Pod(
        "ml",
        name,
        f"uid-{name}",
        spec,
        annotations=Labels({EXPECTED_END: end}),
        owners=(owner,),
        node=node,
        created=NOW - 3600,
        started=NOW - 3600,
        gpu_indices=tuple(sorted(devices)),
    )


def _bits(devices: Iterable[int]) -> int:
    return sum(1 << d for d in devices)


if __name__ == "__main__":
    main()
