"""Whoever reads the plan of openb.py and does its moves in order gets the F that it reports."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
DATA = Path(os.environ.get("DESCHEDULER_DATA", BENCHMARKS.parent.parent / "shared" / "data")) / "openb"
Row = dict[str, str]


def rows(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def f_after(nodes: list[Row], pods: list[Row], tasks: list[Row], plan: list[Row]) -> float:
    """F in GPUs after the moves, with plain Python and nothing of the product; every move must find room."""
    free = {n["sn"]: [int(n["cpu_milli"]), int(n["memory_mib"]), *[1000] * int(n["gpu"])] for n in nodes}
    placed = {p["name"]: p for p in pods}

    def change(pod: Row, node: str, indices: str, sign: int) -> None:
        free[node][0] += sign * int(pod["cpu_milli"])
        free[node][1] += sign * int(pod["memory_mib"])
        for index in filter(None, indices.split("-")):
            free[node][2 + int(index)] += sign * int(pod["gpu_milli"])
        assert sign > 0 or min(free[node]) >= 0, f"{pod['name']} finds no room on {node}"

    for pod in pods:
        change(pod, pod["node"], pod["gpu_indices"], -1)
    for move in plan:
        pod = placed[move["pod"]]
        assert pod["node"] == move["from"]
        assert len([i for i in move["gpu_indices"].split("-") if i]) == int(pod["num_gpu"])
        change(pod, pod["node"], pod["gpu_indices"], +1)
        change(pod, move["to"], move["gpu_indices"], -1)
        pod["node"], pod["gpu_indices"] = move["to"], move["gpu_indices"]
    shapes = Counter((int(t["cpu_milli"]), int(t["num_gpu"]), int(t["gpu_milli"] or 0)) for t in tasks)
    total = 0.0
    for cpu, _, *left in free.values():
        for (need, count, milli), times in shapes.items():
            able = count > 0 and cpu >= need and sum(g >= milli for g in left) >= count
            total += times / len(tasks) * sum(g for g in left if not able or g < milli)
    return total / 1000


def openb(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(BENCHMARKS / "openb.py"), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def checked(nodes: Path, state: Path, tasks: Path, moves: int, plan: Path, *more: str) -> dict[str, Any]:
    files = ["--nodes", str(nodes), "--state", str(state), "--pods", str(tasks), *more]
    figures = openb(*files, "--moves", str(moves), "--plan-out", str(plan))
    assert f_after(rows(nodes), rows(state), rows(tasks), []) == pytest.approx(figures["f_start"], rel=1e-5)
    assert f_after(rows(nodes), rows(state), rows(tasks), rows(plan)) == pytest.approx(figures["f_end"], rel=1e-5)
    assert len(rows(plan)) == figures["moves"] <= moves
    assert figures["f_end"] <= figures["f_start"] + 1e-6
    assert figures["executable"]
    return figures


def test_a_small_cluster_recomputed_from_its_plan(tmp_path: Path) -> None:
    tasks = ["cpu_milli,memory_mib,num_gpu,gpu_milli", "4000,8000,1,500", "8000,16000,1,1000", "32000,64000,4,1000"]
    (tmp_path / "tasks.csv").write_text("\n".join(tasks), encoding="utf-8")
    servers = [f"n{i},64000,256000,4,G2" for i in range(6)]
    (tmp_path / "nodes.csv").write_text("\n".join(["sn,cpu_milli,memory_mib,gpu,model", *servers]), encoding="utf-8")
    header = "name,node,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,gpu_indices"
    pods = [f"a{i},n{i},4000,8000,1,500,,{i % 4}" for i in range(6)] + [
        f"b{i},n{i},8000,16000,1,1000,,{(i + 1) % 4}" for i in range(5)
    ]
    (tmp_path / "pods.csv").write_text("\n".join([header, *pods]), encoding="utf-8")
    files = tmp_path / "nodes.csv", tmp_path / "pods.csv", tmp_path / "tasks.csv"
    directed = checked(*files, 6, tmp_path / "plan.csv", "--bare")
    assert directed["mode"] == "directed"
    assert directed["bound"] <= directed["f_end"] < directed["f_start"]
    assert directed["bare_f_end"] <= directed["f_end"] + 1e-6, "the bare search chooses the devices too"
    packed = checked(*files, 6, tmp_path / "packed.csv", "--mode", "predicted", "--scoring", "MostAllocated")
    assert packed["mode"] == "predicted"
    assert packed["f_end"] < packed["f_start"]
    spread = checked(*files, 6, tmp_path / "spread.csv", "--mode", "predicted")
    assert spread["moves"] <= packed["moves"], "a scheduler that spreads undoes what is packed"


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA}: no such folder (DESCHEDULER_DATA names another)")
def test_the_traced_cluster_recomputed_from_its_plan(tmp_path: Path) -> None:
    state = DATA / "states" / "state-default-least-42-pods.csv"
    nodes, tasks = DATA / "openb_node_list_gpu_node.csv", DATA / "openb_pod_list_default.csv"
    figures = checked(nodes, state, tasks, 40, tmp_path / "plan.csv")
    assert figures["f_start"] == pytest.approx(546.7, abs=0.05)
