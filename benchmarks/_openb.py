"""The openb cluster (Alibaba cluster-trace-gpu-v2023) as a packing: node list, placed pods, task shapes."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from descheduler.packing.state import ABSENT, WHOLE, Packing, Shapes, Step, bits
from descheduler.packing.workload import Workload, target_workload

DATA = Path(os.environ.get("DESCHEDULER_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
GPU_NODES = "openb_node_list_gpu_node.csv"
TASKS = "openb_pod_list_default.csv"


@dataclass(frozen=True, eq=False, slots=True)
class Cluster:
    """Names beside the arrays; `models` [N] GPU model of each node."""

    packing: Packing
    nodes: tuple[str, ...]
    pods: tuple[str, ...]
    models: tuple[str, ...]


def find(name: str, *folders: str) -> Path:
    """A file as given, or by its name in the folder of traces.

    Raises:
        SystemExit: there is none.
    """
    for path in (Path(name), DATA / "openb" / name, DATA / "openb" / "states" / name):
        if path.is_file():
            return path
    raise SystemExit(f"{name}: no such file, and none in {DATA / 'openb'} (DESCHEDULER_DATA names another folder)")


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


def workload(cluster: Cluster, tasks: Sequence[Mapping[str, str]]) -> Workload:
    """What the task list asks for, on the nodes of the cluster."""
    keys = Counter(_shape_key(task) for task in tasks)
    shapes = sorted(keys)
    return target_workload(shapes_of(shapes, cluster.models), [keys[key] for key in shapes])


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


def write_steps(path: Path, cluster: Cluster, steps: Sequence[Step]) -> None:
    """The moves in order, as pod,from,to,gpu_indices."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("pod", "from", "to", "gpu_indices"))
        for step in steps:
            devices = "-".join(str(d) for d in bits(step.held))
            out.writerow((cluster.pods[step.item], cluster.nodes[step.source], cluster.nodes[step.target], devices))
