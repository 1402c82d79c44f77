"""Worlds to keep cool: people's clusters under real traces, a week that is known and a day that is walked through.

  vm      each workload follows a virtual machine
  grow    workloads grow from some hour of the day on, which no history tells
  daily   services with daily curves, each with an hour of its own
  noon    the same with one hour for all
  null    nothing comes near a threshold
  spikes  the same, with bursts of five or ten minutes that are over before a move pays

What a replica uses is its workload's curve with noise of its own. One factor on all use makes a node hot as often as
`HOT` says when nobody does anything. Traces are shifted in time and drawn anew for every seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from _people import DAEMONS, NODES, SYSTEM, App, apps, cluster, nodes
from _usage import PER_DAY, STEP, Series
from numpy.typing import NDArray

from descheduler.backtest.walk import THRESHOLDS
from descheduler.backtest.world import Usage, World
from descheduler.model.snapshot import ClusterSnapshot

SCENARIOS = ("vm", "grow", "daily", "null", "spikes", "noon")
DAYS = 7  # of history
BEGIN = 1_793_232_000  # midnight UTC
HISTORY, DAY = DAYS * PER_DAY, PER_DAY
COLUMNS = HISTORY + DAY
HOT = {"vm": 5_300.0, "grow": 1_400.0, "daily": 4_200.0, "noon": 2_500.0}
"""Node-minutes a day above the threshold where nobody does anything, give or take a quarter."""
CALM = {"null": (0.50, 0.62), "spikes": (0.50, 0.58)}
"""How loaded the most loaded node ever gets."""
FILL = (0.62, 0.74)
"""Share of the CPU that is requested."""
BURST, WILD = (1.3, 3.0), (2.0, 6.0)
"""Limits of services and of virtual machines: times what is used at busy times."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Traces:
    """What is drawn from: machines in percent, and services on any scale."""

    machines: Sequence[Floats]
    services: Sequence[Floats]


def traces(series: Sequence[Series], half: str) -> Traces:
    """The traces of one half (`choose`, `report`, or `all`) that are long enough."""
    enough = [s for s in series if (half in ("all", s.half)) and len(s.values) >= COLUMNS]
    machines = [_filled(s.values) for s in enough if "avg" in s.kind]
    services = [_filled(s.values) for s in enough if s.service and np.nanstd(s.values) > 0.15 * np.nanmean(s.values)]
    if not machines or not services:
        raise SystemExit("too few traces: machines (two-dimensional, `..._avg`) and services of eight days are needed")
    return Traces(machines, services)


def world(scenario: str, seed: int, given: Traces, size: int = NODES) -> World:
    """One world; the same arguments make the same."""
    rng = np.random.default_rng([seed, SCENARIOS.index(scenario)])
    machines = nodes(rng, size)
    curves = _curves(scenario, rng, given, round(int(rng.integers(250, 401)) * size / NODES))
    busy = np.quantile(curves[:, :HISTORY], 0.9, axis=1).astype(np.float32)
    most = busy * rng.uniform(*(WILD if scenario == "vm" else BURST), len(busy))
    curves = np.minimum(curves, most[:, None].astype(np.float32))
    cores = sum(dict(node.allocatable)["cpu"] for node in machines) / 1000
    people, factor = apps(rng, busy, cores * rng.uniform(*FILL))
    curves *= np.float32(factor)
    snapshot = cluster(rng, people, machines, float(BEGIN))
    cpu = _replicas(rng, snapshot, people, curves)
    cpu = _levelled(scenario, rng, snapshot, cpu)
    if scenario == "spikes":
        _burst(rng, snapshot, cpu)
    usage = {"cpu": _usage("cpu", "cores", cpu), "memory": _memory(rng, snapshot)}
    return World(snapshot, usage, BEGIN, BEGIN + DAY * STEP, {})


# -- curves --------------------------------------------------------------------------------------------------------


def _curves(scenario: str, rng: np.random.Generator, given: Traces, count: int) -> Floats:
    """[W, T] cores that a replica of each workload uses, on a scale that is set later."""
    size = np.clip(np.exp(rng.normal(0.0, 0.7, count)), 0.15, 4.0)[:, None].astype(np.float32)
    if scenario == "vm":
        return size * np.stack([_window(rng, given.machines) for _ in range(count)]) / np.float32(25.0)
    hour = np.full(count, 12.0) + rng.normal(0, 0.6, count) if scenario == "noon" else rng.uniform(0, 24, count)
    swing = rng.uniform(0.2, 0.8, count) if scenario == "grow" else rng.uniform(0.8, 4.0, count)
    width = rng.uniform(1.5, 4.0, count)
    curves = size * _days(rng, hour, swing, width)
    if scenario != "noon":  # services of the traces, each shifted to an hour of its own
        for at in np.flatnonzero(rng.random(count) < 0.3).tolist():
            row = _window(rng, given.services)
            curves[at] = size[at] * row / max(float(row.mean()), 1e-9)
    noise = np.stack([_noise(_window(rng, given.machines)) for _ in range(count)])
    curves *= np.sqrt(noise)
    return curves * _growth(rng, count) if scenario == "grow" else curves


def _window(rng: np.random.Generator, rows: Sequence[Floats]) -> Floats:
    """So many columns of any trace, from anywhere in it."""
    row = rows[int(rng.integers(len(rows)))]
    first = int(rng.integers(0, len(row) - COLUMNS + 1))
    return np.maximum(row[first : first + COLUMNS], 0)


def _days(
    rng: np.random.Generator, hour: NDArray[np.float64], swing: NDArray[np.float64], width: NDArray[np.float64]
) -> Floats:
    """[W, T] a level of one with a bump around an hour, as high as it `swing`s, not as high on every day."""
    at = np.arange(COLUMNS) - HISTORY  # column HISTORY is the first that begins at midnight
    clock = (at * STEP / 3600.0) % 24.0
    away = np.abs(clock[None, :] - (hour % 24.0)[:, None])
    away = np.minimum(away, 24.0 - away)
    daily = np.exp(rng.normal(0, 0.08, (len(hour), DAYS + 1)))[:, np.arange(COLUMNS) // PER_DAY]
    return (1.0 + (swing[:, None] * daily) * np.exp(-0.5 * (away / width[:, None]) ** 2)).astype(np.float32)


def _noise(row: Floats, hours: int = 6) -> Floats:
    """How a trace moves around its own level, tamed."""
    kernel = np.ones(hours * 12) / (hours * 12)
    level = np.convolve(np.pad(row, (hours * 6, hours * 6 - 1), mode="edge"), kernel, mode="valid")
    return np.clip(row / np.maximum(level, 1e-6), 0.6, 1.8).astype(np.float32)


def _growth(rng: np.random.Generator, count: int) -> Floats:
    """[W, T] a quarter of the workloads grows during the last day, within hours, and stays there."""
    out = np.ones((count, COLUMNS), np.float32)
    hours = (np.arange(COLUMNS) - HISTORY) * STEP / 3600.0
    for at in np.flatnonzero(rng.random(count) < 0.25).tolist():
        begins, lasts, to = rng.uniform(1, 16), rng.uniform(2, 8), rng.uniform(1.5, 3.0)
        out[at] = 1 + (to - 1) * np.clip((hours - begins) / lasts, 0, 1)
    return out


# -- pods ----------------------------------------------------------------------------------------------------------


def _replicas(rng: np.random.Generator, snapshot: ClusterSnapshot, people: Sequence[App], curves: Floats) -> Floats:
    """[P, T] cores that each pod uses."""
    row = {app.name: at for at, app in enumerate(people)}
    daemons = {name: used for name, _, used in DAEMONS}
    out = np.empty((len(snapshot.pods), COLUMNS), np.float32)
    for at, pod in enumerate(snapshot.pods):
        app = pod.labels["app"]
        of_kin = curves[row[app]] if app in row else np.full(COLUMNS, daemons[app], np.float32)
        own = np.exp(rng.normal(0, 0.1)) * np.exp(_wander(rng, 0.12))
        out[at] = of_kin * own
    return out


def _wander(rng: np.random.Generator, spread: float, memory: float = 0.8) -> NDArray[np.float64]:
    """[T] noise that forgets itself within half an hour, of a standard deviation."""
    from scipy.signal import lfilter

    steps = rng.normal(0, spread * np.sqrt(1 - memory**2), COLUMNS)
    return np.asarray(lfilter([1.0], [1.0, -memory], steps), np.float64)


def _levelled(scenario: str, rng: np.random.Generator, snapshot: ClusterSnapshot, cpu: Floats) -> Floats:
    """The same use times the factor that makes the world as hot as it is to be."""
    columns = snapshot.columns
    cores = columns.allocatable[:, columns.resource("cpu")] / 1000.0
    loads = np.zeros((len(cores), COLUMNS))
    np.add.at(loads, columns.pod_node, cpu)
    loads /= cores[:, None]
    if scenario in CALM:
        return cpu * np.float32(rng.uniform(*CALM[scenario]) / loads.max())
    wanted = HOT[scenario] * rng.uniform(0.75, 1.25) * len(cores) / NODES
    day = np.sort(loads[:, HISTORY:], axis=None)
    steps = min(len(day) - 1, max(1, round(wanted * 60 / STEP)))
    return cpu * np.float32(THRESHOLDS["cpu"] / day[-steps])


def _burst(rng: np.random.Generator, snapshot: ClusterSnapshot, cpu: Floats, a_day: int = 40) -> None:
    """Pods burst at random, so that their node would be found hot in just that step or two; half of them with kin."""
    columns = snapshot.columns
    cores = columns.allocatable[:, columns.resource("cpu")] / 1000.0
    loads = np.zeros((len(cores), COLUMNS), np.float32)
    np.add.at(loads, columns.pod_node, cpu)
    small = cores[columns.pod_node] == cores.min()
    able = np.flatnonzero(small & [pod.namespace != SYSTEM for pod in snapshot.pods])
    for _ in range(a_day * (DAYS + 1)):
        pod, first, lasts = int(rng.choice(able)), int(rng.integers(COLUMNS - 2)), int(rng.integers(1, 3))
        node = int(columns.pod_node[pod])
        amount = np.float32(rng.uniform(0.8, 0.95) * cores[node] - loads[node, first])
        kin = np.flatnonzero(columns.pod_workload == columns.pod_workload[pod]) if rng.random() < 0.5 else [pod]
        cpu[kin, first : first + lasts] += amount


def _memory(rng: np.random.Generator, snapshot: ClusterSnapshot) -> Usage:
    """Memory stays at its level: a part of the request that differs by workload, far from the thresholds."""
    columns = snapshot.columns
    asked = columns.spec_requests[columns.pod_spec, columns.resource("memory")].astype(np.float32)
    parts = rng.uniform(0.35, 0.8, len(columns.workloads))
    rows = np.stack([part * np.exp(_wander(rng, 0.02, 0.98)) for part in parts]).astype(np.float32)
    return Usage("memory", "bytes", _start(), STEP, rows, columns.pod_workload.astype(np.int32), asked)


def _usage(signal: str, unit: str, rows: Floats) -> Usage:
    every = np.arange(len(rows), dtype=np.int32)
    return Usage(signal, unit, _start(), STEP, rows, every, np.ones(len(rows), np.float32))


def _start() -> int:
    return BEGIN - (HISTORY - 1) * STEP


def _filled(row: Floats) -> Floats:
    known = np.flatnonzero(np.isfinite(row))
    return np.interp(np.arange(len(row)), known, row[known]).astype(np.float32)
