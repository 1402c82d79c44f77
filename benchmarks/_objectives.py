"""The objectives of openb.py, one entry each: what the strategy is asked, what the replay and the plan say, and what
the bare search finds on the arrays."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import _openb
from _common import Figure
from _wire import WHOLE

Figures = dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Objective:
    """`asked`: arguments of GpuDefragmentation; `state`: figures of a replay; `bound`: the proven bound in the same
    measure, from the plan's; `bare`: figures and moves of the search alone."""

    asked: Callable[[argparse.Namespace, Sequence[_openb.Row]], dict[str, Any]]
    state: Callable[[argparse.Namespace, Sequence[_openb.Row], _openb.Replay], float]
    bound: Callable[[Sequence[_openb.Row], _openb.Replay, float], float]
    bare: Callable[[_openb.Cluster, argparse.Namespace], Figures]
    name: str


def _fragmentation_asked(args: argparse.Namespace, tasks: Sequence[_openb.Row]) -> dict[str, Any]:
    """The shapes of the task list, as often as they are in it."""
    shapes = Counter((int(t["num_gpu"]), int(t["gpu_milli"]), int(t["cpu_milli"])) for t in tasks if int(t["num_gpu"]))
    workload = [
        {"gpus": gpus, "share": milli / WHOLE, "cpu": f"{cpu}m", "weight": float(times)}
        for (gpus, milli, cpu), times in sorted(shapes.items())
    ]
    return {"objective": "fragmentation", "workload": workload, "minGain": 1e-6}


def _fragmentation_bound(tasks: Sequence[_openb.Row], end: _openb.Replay, bound: float) -> float:
    """The strategy leaves CPU-only shapes out: to them all idle devices are lost, wherever they are."""
    without = sum(1 for t in tasks if not int(t["num_gpu"])) / len(tasks)
    idle = sum(sum(left) for _, _, *left in end.free.values()) / WHOLE
    return bound * (1 - without) + without * idle


def _fragmentation_bare(cluster: _openb.Cluster, args: argparse.Namespace) -> Figures:
    from descheduler.packing.fragmentation.bound import fragmentation_bound
    from descheduler.packing.fragmentation.search import lower_fragmentation

    workload = _openb.workload(cluster, _openb.rows(_openb.find(args.pods, args.data)))
    began, worked = time.perf_counter(), time.process_time()
    found = lower_fragmentation(cluster.packing, workload, args.moves)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    began = time.perf_counter()
    bound = fragmentation_bound(cluster.packing, workload, args.moves, found.steps)
    return {
        "bare_f_end": found.f_end / WHOLE,
        "bare_bound": None if bound is None else bound / WHOLE,
        "bare_moves": len(found.steps),
        "bare_seconds": seconds,
        "bare_cpu_seconds": cpu,
        "bare_bound_seconds": time.perf_counter() - began,
    }


def _slots_asked(args: argparse.Namespace, tasks: Sequence[_openb.Row]) -> dict[str, Any]:
    slot = {"gpus": args.slot_gpus, "cpu": f"{args.slot_cpu}m", "memory": f"{args.slot_memory}Mi"}
    return {"objective": "slots", "slot": slot, "wanted": 100_000, "maxSlots": 64, "maxMovesPerSlot": 64}


def _slots_bare(cluster: _openb.Cluster, args: argparse.Namespace) -> Figures:
    from descheduler.packing.make_room.demands import Demand
    from descheduler.packing.make_room.slots import open_slots

    demand = Demand((args.slot_cpu, args.slot_memory), args.slot_gpus)
    began = time.perf_counter()
    found = open_slots(cluster.packing, demand, args.moves)
    return {
        "bare_slots_end": found.after,
        "bare_bound": found.bound,
        "bare_optimal": found.optimal,
        "bare_moves": len(found.steps),
        "bare_seconds": time.perf_counter() - began,
    }


OBJECTIVES: dict[str, Objective] = {
    "fragmentation": Objective(
        _fragmentation_asked,
        lambda _args, tasks, state: state.fragmentation(tasks),
        _fragmentation_bound,
        _fragmentation_bare,
        "f",
    ),
    "slots": Objective(
        _slots_asked,
        lambda args, _tasks, state: state.slots(args.slot_gpus, args.slot_cpu, args.slot_memory),
        lambda _tasks, _end, bound: bound,
        _slots_bare,
        "slots",
    ),
}
