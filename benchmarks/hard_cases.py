"""Loads that ordinary forecasts get wrong: which nodes are called hot that stay cool, and which become hot unforeseen?

Each case is made by rules with a known truth: nodes of five workloads, the history until now, and the hour to come. The
plan is made by the product's own path (profiles, then HotNodes with its defaults) and its findings are held against
that hour. A node is hot where any quarter of an hour has a mean above the threshold of 80 %, and cool where no step
comes within 2 points of it; what is between is not judged.

  weekend     office hours from Monday to Friday in any time zone, three and eight weeks of history; asked before work
              begins, in the middle of the night and at weekends
  fortnight   the same with two weeks of history
  early,late  a daily plateau that comes an hour early, or late, since today or up to three days: clocks that changed, a
              cron that was moved. Asked when that can be known: after the shifted load has come or failed to come, and
              on later days before it comes
  level       a new level, up or down, for 30 minutes to 12 hours: a roll-out, another limit
  growth      memory that grows until it passes the threshold within the hour; and what only looks so: a cache that
              fills up below it, noise that wanders
  glitch      single samples of many times the load, the newest too
  hpa         as many requests on fewer, or more, replicas than before, since 30 minutes to 12 hours

Keys: `false_hot` and `missed_hot` over all, and by case `CASE_false_hot`, `CASE_missed_hot`, with the numbers of nodes
judged: `CASE_cool`, `CASE_hot`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import _wire
import numpy as np
from _common import Figure, parser, show, table
from numpy.typing import NDArray

if TYPE_CHECKING:
    from descheduler.model.snapshot import ClusterSnapshot

STEP, HOUR, DAY, WEEK = 300, 12, 288, 7 * 288
MONDAY = 1_788_134_400  # 2026-08-31 00:00 UTC
PODS = 5  # on each node
THRESHOLD, NEAR = 0.80, 0.02
HIGH, LOW = 0.92, 0.60  # what nodes reach that are to be hot, and those that are to stay cool
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """One moment: `loads` [N, T + HOUR] of nodes as a share of what they have, one pattern each, the last hour of which
    is to come; `signal` it is of, and unix seconds of the first column."""

    loads: Floats
    signal: str = "cpu"
    start: int = MONDAY


def main() -> None:
    args = parser(__doc__ or "")
    args.add_argument("--seeds", type=int, default=3)
    args.add_argument("--first-seed", type=int, default=1)
    args.add_argument("--nodes", type=int, default=16, help="nodes of each moment (default %(default)s)")
    args.add_argument("--case", choices=tuple(CASES), action="append", help="only these")
    given = args.parse_args()
    figures: dict[str, Figure] = {}
    rows: list[list[Figure]] = []
    every: Counter[str] = Counter()
    for name in given.case or CASES:
        tally: Counter[str] = Counter()
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            rng = np.random.default_rng([seed, list(CASES).index(name)])
            for asked in CASES[name](rng, given.nodes):
                tally += judged(asked, rng)
        every += tally
        figures |= shares(tally, f"{name}_")
        rows.append([name, tally["cool"], tally["false"], tally["hot"], tally["missed"]])
    figures |= shares(every, "") | {"seeds": given.seeds, "first_seed": given.first_seed}
    show("Hard cases", figures, as_json=given.json)
    if not given.json:
        table("Nodes", ["case", "cool", "called hot", "hot", "missed"], rows)


def shares(tally: Counter[str], prefix: str) -> dict[str, Figure]:
    return {
        f"{prefix}false_hot": tally["false"] / max(tally["cool"], 1),
        f"{prefix}missed_hot": tally["missed"] / max(tally["hot"], 1),
        f"{prefix}cool": tally["cool"],
        f"{prefix}hot": tally["hot"],
    }


# -- asked and judged -------------------------------------------------------------------------------------------------


def judged(asked: Asked, rng: np.random.Generator) -> Counter[str]:
    """Counts of nodes that stayed `cool`, of these called hot (`false`), that became `hot`, and of these `missed`."""
    pods = _pods(asked.loads, rng)
    loads = pods.reshape(-1, PODS, pods.shape[1]).sum(axis=1)
    ahead = loads[:, -HOUR:]
    quarters = np.stack([ahead[:, at : at + 3].mean(axis=1) for at in range(HOUR - 2)], axis=1)
    hot, cool = quarters.max(axis=1) > THRESHOLD, ahead.max(axis=1) < THRESHOLD - NEAR
    found = called(pods[:, :-HOUR], asked)
    return Counter(
        cool=int(cool.sum()), false=int((cool & found).sum()), hot=int(hot.sum()), missed=int((hot & ~found).sum())
    )


def _pods(loads: Floats, rng: np.random.Generator) -> Floats:
    """[N * PODS, T] the parts that the pods of each node have in its load, with noise of their own."""
    parts = rng.dirichlet(np.full(PODS, 4.0), len(loads)).reshape(-1, 1)
    own = np.exp(_wander(rng, (len(parts), loads.shape[1]), 0.04))
    return np.asarray(parts * np.repeat(loads, PODS, axis=0) * own)


def called(pods: Floats, asked: Asked) -> NDArray[np.bool_]:
    """[N] which nodes HotNodes finds hot, given the history [P, T] of their pods."""
    from descheduler.model.workloads import WorkloadKey
    from descheduler.pipeline import Observed, plan
    from descheduler.policy import load_policy
    from descheduler_profiling.series import History

    nodes = len(pods) // PODS
    unit, size = ("bytes", 64.0 * 2**30) if asked.signal == "memory" else ("cores", 16.0)
    now = float(asked.start + (pods.shape[1] - 1) * STEP)
    keys = tuple(WorkloadKey("trace", "ReplicaSet", f"pod-{at:05d}") for at in range(len(pods)))
    values = (pods * size).astype(np.float32)
    ones = np.ones(len(keys), np.float32)
    histories = {asked.signal: History(asked.signal, unit, keys, asked.start, STEP, values, ones)}
    other = "cpu" if asked.signal == "memory" else "memory"
    little = np.full(values.shape, 0.01, np.float32)
    histories[other] = History(other, "", keys, asked.start, STEP, little, ones)
    made = plan(Observed(_cluster(nodes, now), histories, now), load_policy(POLICY, "the benchmark"))
    if made.problems:
        raise SystemExit("; ".join(made.problems))
    found = {finding.subject for finding in made.findings}
    return np.array([f"node/node-{at:03d}" in found for at in range(nodes)])


POLICY = """
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
acting: {landing: predicted}
strategies: [HotNodes: {thresholds: {cpu: 80%, memory: 80%}}]
"""


def _cluster(nodes: int, now: float) -> ClusterSnapshot:
    made = [_wire.node(f"node-{at:03d}", 16_000, 64 * 1024) for at in range(nodes)]
    pods = [_wire.pod(f"pod-{at:05d}", 2_000, 8 * 1024, on=f"node-{at // PODS:03d}") for at in range(nodes * PODS)]
    return _wire.snapshot(made, pods, now=now)


# -- cases ------------------------------------------------------------------------------------------------------------


def _weeks(rng: np.random.Generator, nodes: int, weeks: int) -> Iterator[Asked]:
    zone = int(rng.integers(-8, 10)) * HOUR
    asked = {"Sat": 5 * DAY + 8 * HOUR + 6, "Sun": 6 * DAY + 12 * HOUR, "Tue": DAY + 3 * HOUR, "Mon": 8 * HOUR + 6}
    asked |= {"Wed": 2 * DAY + 8 * HOUR + 6}
    for now in asked.values():
        last = weeks * WEEK + now - zone  # columns until now
        at = np.arange(last - weeks * WEEK, last + HOUR) + zone
        day, hour = at // DAY % 7, at % DAY / HOUR
        begins, ends = rng.uniform(8.6, 9.4, (nodes, 1)), rng.uniform(16.5, 18.5, (nodes, 1))
        busy = (day < 5) * _ramp(hour, begins, 0.4) * (1 - _ramp(hour, ends, 0.8))
        loads = 0.10 + (HIGH - 0.10) * busy
        yield Asked(loads * _noise(rng, loads.shape), start=MONDAY + (last - weeks * WEEK) * STEP)


def weekend(rng: np.random.Generator, nodes: int) -> Iterator[Asked]:
    yield from _weeks(rng, nodes, 3)
    yield from _weeks(rng, nodes, 8)


def fortnight(rng: np.random.Generator, nodes: int) -> Iterator[Asked]:
    yield from _weeks(rng, nodes, 2)


def _shifted(rng: np.random.Generator, nodes: int, by: int) -> Iterator[Asked]:
    """A plateau that comes so many columns later, since `ago` days."""
    for ago in range(4):
        for top in (HIGH, LOW):
            begins, lasts = float(rng.uniform(6, 12)), float(rng.uniform(4, 9))
            new = begins + by / HOUR
            # On the first day it can be known only when it has come, or has not come: then it may come any minute.
            first = {
                True: (min(begins, new) + 0.55, max(begins, new) + 0.4),
                False: (new - 0.7, min(begins, new) - 0.9),
            }
            for hour in (*first[ago == 0], new + lasts / 2):
                last = 7 * DAY + round(hour * HOUR)
                at = np.arange(last - 7 * DAY, last + HOUR)
                clock = at % DAY / HOUR - np.where(at // DAY >= 7 - ago, by / HOUR, 0.0)
                spread = rng.normal(0, 0.15, (nodes, 1))
                busy = _ramp(clock, begins + spread, 0.3) * (1 - _ramp(clock, begins + lasts + spread, 0.3))
                loads = 0.25 + (top - 0.25) * busy
                yield Asked(loads * _noise(rng, loads.shape), start=MONDAY + (last - 7 * DAY) * STEP)


def early(rng: np.random.Generator, nodes: int) -> Iterator[Asked]:
    yield from _shifted(rng, nodes, -HOUR)


def late(rng: np.random.Generator, nodes: int) -> Iterator[Asked]:
    yield from _shifted(rng, nodes, HOUR)


def _stepped(rng: np.random.Generator, nodes: int, before: float, after: float) -> Iterator[Asked]:
    for age in (6, 9, 12, 36, 144):
        columns = 7 * DAY + HOUR
        at = np.arange(columns)
        swing = 0.08 * np.sin(2 * np.pi * (at / DAY + rng.uniform(0, 1, (nodes, 1))))
        loads = np.where(at < columns - HOUR - age, before, after) * (1 + swing)
        yield Asked(loads * _noise(rng, loads.shape), start=MONDAY + int(rng.integers(0, DAY)) * STEP)


def level(rng: np.random.Generator, nodes: int) -> Iterator[Asked]:
    yield from _stepped(rng, nodes, HIGH / rng.uniform(1.5, 2.5), HIGH)
    yield from _stepped(rng, nodes, 0.97, 0.97 * rng.uniform(0.3, 0.6))


def hpa(rng: np.random.Generator, nodes: int) -> Iterator[Asked]:
    yield from _stepped(rng, nodes, HIGH * 0.5, HIGH)  # half of the replicas
    yield from _stepped(rng, nodes, 0.96, 0.48)  # twice as many


def growth(rng: np.random.Generator, nodes: int) -> Iterator[Asked]:
    columns = 7 * DAY + HOUR
    to_come = np.arange(columns) - (columns - HOUR - 1)  # columns from now
    for hours in (8, 24, 120):
        over = rng.uniform(2, 9, (nodes, 1))  # columns until it passes the threshold
        rise = rng.uniform(0.35, 0.5, (nodes, 1)) / (hours * HOUR)
        grown = THRESHOLD + rise * (to_come - over)
        base = THRESHOLD - rise * (over + hours * HOUR)
        yield Asked(np.maximum(grown, base) * _noise(rng, (nodes, columns), 0.004), "memory")
    since = rng.uniform(4, 60, (nodes, 1)) * HOUR
    fills = 0.3 + 0.42 * (1 - np.exp(-np.maximum(to_come + since, 0) / (since / 3)))
    yield Asked(fills * _noise(rng, (nodes, columns), 0.004), "memory")
    wander = 0.62 * np.exp(_wander(rng, (nodes, columns), 0.06, 0.98))
    yield Asked(np.minimum(wander, 0.74), "memory")


def glitch(rng: np.random.Generator, nodes: int) -> Iterator[Asked]:
    columns = 7 * DAY + HOUR
    at = np.arange(columns)
    for age in (0, 1, 5, 30):
        loads = LOW * (0.8 + 0.2 * np.sin(2 * np.pi * (at / DAY + rng.uniform(0, 1, (nodes, 1)))))
        loads *= _noise(rng, loads.shape)
        loads[:, columns - HOUR - 1 - age] *= rng.uniform(3, 12, nodes)
        yield Asked(loads)


CASES: dict[str, Callable[[np.random.Generator, int], Iterator[Asked]]] = {
    "weekend": weekend,
    "fortnight": fortnight,
    "early": early,
    "late": late,
    "level": level,
    "growth": growth,
    "glitch": glitch,
    "hpa": hpa,
}


def _ramp(hour: Floats, begins: Floats | float, lasts: float) -> Floats:
    return np.asarray(np.clip((hour - begins) / lasts, 0.0, 1.0))


def _noise(rng: np.random.Generator, shape: tuple[int, ...], spread: float = 0.02) -> Floats:
    return np.asarray(np.exp(rng.normal(0, spread, shape)))


def _wander(rng: np.random.Generator, shape: tuple[int, int], spread: float, memory: float = 0.8) -> Floats:
    """Noise that forgets itself, of a standard deviation."""
    from scipy.signal import lfilter

    steps = rng.normal(0, spread * np.sqrt(1 - memory**2), shape)
    return np.asarray(lfilter([1.0], [1.0, -memory], steps, axis=1))


if __name__ == "__main__":
    main()
