"""The openb cluster (Alibaba cluster-trace-gpu-v2023): node list, placed pods and task shapes, as what an API server
would hand out, and as a packing for the bare searches; and a plan's moves replayed with nothing but the files."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import _wire
import numpy as np

from descheduler.model.snapshot import ClusterSnapshot
from descheduler.packing.state import ABSENT, WHOLE, Packing, Shapes, Step, bits
from descheduler.packing.target_workload import TargetWorkload, target_workload

Row = Mapping[str, str]
GPU_NODES = "openb_node_list_gpu_node.csv"
TASKS = "openb_pod_list_default.csv"


@dataclass(frozen=True, eq=False, slots=True)
class Cluster:
    """Names beside the arrays; `models` [N] GPU model of each node."""

    packing: Packing
    nodes: tuple[str, ...]
    pods: tuple[str, ...]
    models: tuple[str, ...]


def find(name: str, data: Path) -> Path:
    """A file as given, or by its name in the folder of data sets.

    Raises:
        SystemExit: there is none.
    """
    for path in (Path(name), data / "openb" / name, data / "openb" / "states" / name):
        if path.is_file():
            return path
    raise SystemExit(f"{name}: no such file, and none in {data / 'openb'}; give --data DIR or set DESCHEDULER_DATA")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read(nodes: Path, pods: Path) -> Cluster:
    """Nodes (sn,cpu_milli,memory_mib,gpu,model) with the pods placed on them (name,node,…,gpu_indices)."""
    return build(nodes, rows(pods))


def build(nodes: Path, placed: Sequence[Mapping[str, str]]) -> Cluster:
    """The same, from rows of pods; those without a node stand nowhere."""
    servers = rows(nodes)
    names = tuple(s["sn"] for s in servers)
    models = tuple(s["model"] for s in servers)
    counts = np.array([int(s["gpu"]) for s in servers], np.int32)
    keys = [_shape_key(p) for p in placed]
    distinct = sorted(set(keys))
    at = {key: i for i, key in enumerate(distinct)}
    index = {name: i for i, name in enumerate(names)}
    size = len(placed)
    packing = Packing(
        shapes=shapes_of(distinct, models),
        free=np.array([[int(s["cpu_milli"]), int(s["memory_mib"])] for s in servers], np.int64),
        devices=np.where(np.arange(int(counts.max()))[None, :] < counts[:, None], WHOLE, ABSENT).astype(np.int32),
        shape=np.array([at[key] for key in keys], np.int32),
        node=np.full(size, ABSENT, np.int32),
        held=np.zeros(size, np.int64),
        movable=np.ones(size, np.bool_),
        cost=np.ones(size),
    )
    for i, pod in enumerate(placed):
        if pod.get("node"):
            packing.take(i, index[pod["node"]], sum(1 << int(d) for d in pod["gpu_indices"].split("-") if d))
    return Cluster(packing, names, tuple(p["name"] for p in placed), models)


def workload(cluster: Cluster, tasks: Sequence[Mapping[str, str]]) -> TargetWorkload:
    """What the task list asks for, on the nodes of the cluster."""
    keys = Counter(_shape_key(task) for task in tasks)
    shapes = sorted(keys)
    return target_workload(shapes_of(shapes, cluster.models), [keys[key] for key in shapes])


def snapshot(nodes: Sequence[Row], pods: Sequence[Row]) -> ClusterSnapshot:
    """The cluster as it would be recorded."""
    return _wire.snapshot(map(wire_node, nodes), map(wire_pod, pods))


def wire_node(row: Row, **labels: str) -> _wire.Json:
    cpu, memory = int(row["cpu_milli"]), int(row["memory_mib"])
    return _wire.node(row["sn"], cpu, memory, gpus=int(row["gpu"]), model=row["model"], **labels)


def wire_pod(row: Row, **more: object) -> _wire.Json:
    return _wire.pod(
        row["name"],
        int(row["cpu_milli"]),
        int(row["memory_mib"]),
        on=row.get("node", ""),
        gpus=int(row["num_gpu"]),
        milli=int(row["gpu_milli"] or WHOLE),
        devices=row.get("gpu_indices", ""),
        models=row.get("gpu_spec") or "",
        **more,  # type: ignore[arg-type]
    )


@dataclass(slots=True)
class Replay:
    """What is free on each node ([cpu, memory, *thousandths of devices]), who stands where, the moves made in order as
    (pod, from, to, devices), and the first `fault`."""

    free: dict[str, list[int]]
    pods: dict[str, dict[str, str]]
    moves: list[tuple[str, str, str, str]] = field(default_factory=list)
    fault: str = ""

    @classmethod
    def of(cls, nodes: Sequence[Row], pods: Sequence[Row]) -> Replay:
        """The cluster as the files say."""
        made = cls({n["sn"]: [int(n["cpu_milli"]), int(n["memory_mib"]), *[WHOLE] * int(n["gpu"])] for n in nodes}, {})
        for pod in pods:
            made.pods[pod["name"]] = dict(pod)
            if pod.get("node"):
                _hold(made.free[pod["node"]], pod, pod["gpu_indices"], -1)
        return made

    def wave(self, moves: Sequence[tuple[str, str, str]]) -> None:
        """Make the moves (pod, from, to) of one wave, on the devices of a scheduler that packs.

        Every pod must find its place while all of its wave still hold theirs.
        """
        crowded = {to: list(self.free[to]) for _, _, to in moves}
        for name, source, to in moves:
            pod = self.pods[name]
            self._check(_hold(crowded[to], pod, _devices(crowded[to], pod), -1), name, to)
            if pod["node"] != source:
                self.fault = self.fault or f"{name} is not on {source}"
            _hold(self.free[source], pod, pod["gpu_indices"], +1)
            devices = _devices(self.free[to], pod)
            self._check(_hold(self.free[to], pod, devices, -1), name, to)
            pod["node"], pod["gpu_indices"] = to, devices
            self.moves.append((name, source, to, devices))

    def _check(self, fits: bool, name: str, node: str) -> None:
        if not fits:
            self.fault = self.fault or f"{name} finds no room on {node}"

    def fragmentation(self, tasks: Sequence[Row]) -> float:
        """F over the tasks, in devices: node by node, shape by shape, as FGD defines it."""
        shapes = Counter((int(t["cpu_milli"]), int(t["num_gpu"]), int(t["gpu_milli"] or 0)) for t in tasks)
        total = 0.0
        for cpu, _, *left in self.free.values():
            idle = sum(left)
            for (need, count, milli), times in shapes.items():
                able = count > 0 and cpu >= need and sum(g >= milli for g in left) >= count
                total += times * (sum(g for g in left if g < milli) if able else idle)
        return total / len(tasks) / WHOLE

    def slots(self, gpus: int, cpu: int, memory: int) -> int:
        """Whole slots that are free."""
        return sum(
            min(left.count(WHOLE) // gpus, *(have // ask for have, ask in ((c, cpu), (m, memory)) if ask))
            if cpu or memory
            else left.count(WHOLE) // gpus
            for c, m, *left in self.free.values()
        )


def _devices(free: Sequence[int], pod: Row) -> str:
    milli = min(int(pod["gpu_milli"] or WHOLE), WHOLE)
    able = sorted((left, at) for at, left in enumerate(free[2:]) if left >= milli)
    return "-".join(str(at) for _, at in sorted(able[: int(pod["num_gpu"])], key=lambda one: one[1]))


def _hold(free: list[int], pod: Row, devices: str, sign: int) -> bool:
    """Take the pod's place, or with a positive `sign` give it back; whether it was there to take."""
    held = [int(at) for at in devices.split("-") if at]
    free[0] += sign * int(pod["cpu_milli"])
    free[1] += sign * int(pod["memory_mib"])
    for at in held:
        free[2 + at] += sign * min(int(pod["gpu_milli"] or WHOLE), WHOLE)
    return len(held) == int(pod["num_gpu"]) and min(free) >= 0


Key = tuple[int, int, int, int, str]


def _shape_key(row: Mapping[str, str]) -> Key:
    """(cpu, memory, devices, milli of each, accepted models)."""
    count = int(row["num_gpu"])
    milli = min(int(row["gpu_milli"] or WHOLE), WHOLE) if count else 0
    return int(row["cpu_milli"]), int(row["memory_mib"]), count, milli, row.get("gpu_spec") or ""


def shapes_of(keys: Sequence[Key], models: Sequence[str]) -> Shapes:
    """The shapes, and on nodes of which model each may stand."""
    return Shapes(
        amounts=np.array([[cpu, memory] for cpu, memory, *_ in keys], np.int64).reshape(len(keys), 2),
        count=np.array([key[2] for key in keys], np.int32),
        milli=np.array([key[3] for key in keys], np.int32),
        allowed=np.array([[not key[4] or m in key[4].split("|") for m in models] for key in keys], np.bool_),
    )


def write_moves(path: Path, moves: Iterable[tuple[str, str, str, str]]) -> None:
    """The moves in order, as pod,from,to,gpu_indices."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("pod", "from", "to", "gpu_indices"))
        out.writerows(moves)


def moves_of(cluster: Cluster, steps: Iterable[Step]) -> list[tuple[str, str, str, str]]:
    """The steps of a bare search by names."""
    return [
        (
            cluster.pods[step.item],
            cluster.nodes[step.source],
            cluster.nodes[step.target],
            "-".join(str(d) for d in bits(step.held)),
        )
        for step in steps
    ]
