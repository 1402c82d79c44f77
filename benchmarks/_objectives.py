"""The objectives of openb.py: from a cluster and a budget of moves to steps and figures. One entry per objective."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import _openb
from _common import Figure

from descheduler.packing.state import WHOLE, Step


@dataclass(frozen=True, slots=True)
class Solved:
    """What an objective found: its steps in order, its figures, and the seconds from arrays to steps."""

    steps: tuple[Step, ...]
    figures: dict[str, Figure]
    seconds: float


def fragmentation(cluster: _openb.Cluster, args: argparse.Namespace) -> Solved:
    """F over all shapes of the task list, in GPUs."""
    from descheduler.packing.fragmentation.bound import fragmentation_bound
    from descheduler.packing.fragmentation.search import lower_fragmentation

    workload = _openb.workload(cluster, _openb.rows(_openb.find(args.pods)))
    began, worked = time.perf_counter(), time.process_time()
    found = lower_fragmentation(cluster.packing, workload, args.moves)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    began = time.perf_counter()
    bound = fragmentation_bound(cluster.packing, workload, args.moves, found.steps)
    figures: dict[str, Figure] = {
        "f_start": found.f_start / WHOLE,
        "f_end": found.f_end / WHOLE,
        "bound": None if bound is None else bound / WHOLE,
        "cpu_seconds": cpu,
        "bound_seconds": time.perf_counter() - began,
    }
    return Solved(found.steps, figures, seconds)


def slots(cluster: _openb.Cluster, args: argparse.Namespace) -> Solved:
    """Whole slots: so many free devices, CPU (milli) and memory (MiB) on one node."""
    from descheduler.packing.make_room.requests import Demand
    from descheduler.packing.make_room.slots import open_slots

    demand = Demand((args.slot_cpu, args.slot_memory), args.slot_gpus)
    began = time.perf_counter()
    found = open_slots(cluster.packing, demand, args.moves)
    seconds = time.perf_counter() - began
    figures: dict[str, Figure] = {
        "slots_start": found.before,
        "slots_end": found.after,
        "bound": found.bound,
        "optimal": found.optimal,
    }
    return Solved(found.steps, figures, seconds)


OBJECTIVES: dict[str, Callable[[_openb.Cluster, argparse.Namespace], Solved]] = {
    "fragmentation": fragmentation,
    "slots": slots,
}
