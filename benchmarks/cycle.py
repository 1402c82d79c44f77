"""How long does a whole warm cycle take: new samples, profiles, plan, document?

A seeded synthetic cluster with a week of history for CPU and memory in the store. Each cycle is five minutes later: the
last hour of each pod is rolled up and laid over the kept history, as the controller does with what it has read;
profiles are brought up to date; the plan is made, and its document encoded. What the server takes to answer is not in
(`backfill.py`), nor is reading the cluster (`sync.py`). After that the fits that are due are made, for which no plan
waits: `settle_seconds` is beside `seconds`, not in it.

`seconds` is the median, `worst_seconds` the longest of the cycles, `cpu_seconds` the median of what all cores spent,
which other work on the machine does not stretch so; `peak_mib` is the most resident memory while they run; `fits` is
the most series that were fitted in one of them. `--race` lets models race, as where profiles are published.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from _common import Figure, parser, show, table
from _memory import Memory
from numpy.typing import NDArray

from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Observed
from descheduler.observe.history import owners
from descheduler.pipeline import decide_on, profile, settled
from descheduler.policy import default_policy
from descheduler.report.serial import to_json
from descheduler_profiling.history.defaults import STEP
from descheduler_profiling.history.grid import Grid, window
from descheduler_profiling.history.owners import Owners
from descheduler_profiling.history.pods_here import PodsHere, pods_here
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.rollup import group, reduce_rows
from descheduler_profiling.history.signals import builtin_signals
from descheduler_profiling.history.store import HistoryStore
from descheduler_profiling.history.update import Notes, Recent
from descheduler_profiling.history.view import to_history
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History
from descheduler_profiling.settings import DAY, HOUR, WEEK

RECENT = HOUR // STEP
AFTER = "settle"


@dataclass
class Stages:
    """Seconds of each stage by cycle, and of all cores together by cycle."""

    spent: list[dict[str, float]] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        began, worked = time.perf_counter(), time.process_time()
        yield
        self.spent[-1][name] = time.perf_counter() - began
        self.worked[-1] += time.process_time() - worked

    def begin(self) -> None:
        self.spent.append({})
        self.worked.append(0.0)

    def forget(self) -> None:
        self.spent.clear()
        self.worked.clear()

    def totals(self) -> list[float]:
        return [sum(spent for name, spent in cycle.items() if name != AFTER) for cycle in self.spent]


class World:
    """A cluster whose pods go on as on the day before."""

    def __init__(self, snapshot: ClusterSnapshot, histories: dict[str, History], seed: int) -> None:
        self.snapshot = snapshot
        self.now = int(snapshot.taken_at)
        self.store = HistoryStore(None)
        self._rng = np.random.default_rng(seed)
        self._pods = [(pod.namespace, pod.name) for pod in snapshot.pods]
        owned = Owners(owners(snapshot))
        self._keys = owned.pods(self._pods)
        self._own = self._rng.lognormal(0, 0.1, (len(self._pods), 1)).astype(np.float32)
        for name, history in histories.items():
            grid = window(self.now, WEEK, STEP, 0)
            ring = Ring(grid, list(history.keys), history.values, np.ones(grid.count, np.bool_), query=name)
            ring.settle()
            self.store.keep(name, name, ring, now=self.now)

    def later(self) -> None:
        self.now += STEP

    def told(self, name: str) -> tuple[Grid, Recent]:
        """The last hour of each pod, as a server tells it."""
        ring = self.store.load(name, name).ring
        assert ring is not None
        grid = window(self.now, WEEK, STEP, 0)
        day = DAY // STEP
        newest = ring.values[:, -day] * self._rng.lognormal(0, 0.03, len(ring.keys)).astype(np.float32)
        hour = np.concatenate([ring.values[:, 1 - RECENT :], newest[:, None]], axis=1)
        rows = {key: row for row, key in enumerate(ring.keys)}
        at: NDArray[np.int64] = np.array([rows[key] for key in self._keys])
        return grid, Recent(self._pods, self._keys, hour[at] * self._own)

    def appended(self, snapshot: ClusterSnapshot, told: dict[str, tuple[Grid, Recent]]) -> dict[str, History]:
        """The histories with what was told."""
        owned, here = Owners(owners(snapshot)), pods_here(snapshot)
        return {name: self._appended(name, *of, owned, here) for name, of in told.items()}

    def _appended(self, name: str, grid: Grid, recent: Recent, owned: Owners, here: PodsHere) -> History:
        signal = builtin_signals()[name]
        kept = self.store.load(name, name).ring
        assert kept is not None
        ring = kept.moved_to(grid)
        distinct, index = group(owned.pods(recent.pods))
        rolled = reduce_rows(recent.values, index, len(distinct), signal.aggregation)
        ring.write(grid.part(grid.count - RECENT, RECENT), distinct, rolled, whole=True)
        ring.settle()
        self.store.keep(name, name, ring, now=self.now)
        signal = replace(signal, conversion="none")
        return to_history(signal, ring, recent, owned, Notes(name), here)


def cycles(world: World, count: int, *, race: bool) -> tuple[Stages, int, int]:
    """So many cycles after one that builds profiles: their stages, most fits in one, and the size of the document."""
    policy = default_policy()
    profiles: dict[str, SignalProfiles] = {}
    stages, fits, size = Stages(), 0, 0
    for number in range(count + 1):
        if number:
            world.later()
        told = {name: world.told(name) for name in ("cpu", "memory")}
        snapshot = replace(world.snapshot, taken_at=float(world.now))
        gc.collect()
        stages.begin()
        with stages.of("append"):
            histories = world.appended(snapshot, told)
        observed = Observed(snapshot, histories, float(world.now))
        with stages.of("profiles"):
            profiles = profile(observed, profiles, race=race)
        with stages.of("plan"):
            plan = decide_on(observed, policy, profiles).plan
        with stages.of("document"):
            size = len(to_json(plan))
        with stages.of(AFTER):
            profiles = settled(observed, profiles, race=race)
        if not number:
            stages.forget()  # it built the profiles
            continue
        fits = max(fits, sum(int((made.fitted.at == made.origin).sum()) for made in profiles.values()))
    return stages, fits, size


def main() -> None:
    given = parser(__doc__ or "")
    given.add_argument("--nodes", type=int, default=5000)
    given.add_argument("--pods", type=int, default=150_000)
    given.add_argument("--workloads", type=int, default=10_000)
    given.add_argument("--cycles", type=int, default=6)
    given.add_argument("--seed", type=int, default=0)
    given.add_argument("--race", action="store_true", help="models race, as where profiles are published")
    args = given.parse_args()

    from generated.synthetic import Plan, synthetic

    plan = Plan(args.nodes, args.pods, args.seed, replicas=max(1.5, args.pods / args.workloads))
    world = World(*synthetic(plan), args.seed)
    gc.collect()
    gc.freeze()
    with Memory() as memory:
        stages, fits, size = cycles(world, args.cycles, race=args.race)
    totals = stages.totals()
    figures: dict[str, Figure] = {
        "seconds": float(np.median(totals)),
        "worst_seconds": max(totals),
        "cpu_seconds": float(np.median(stages.worked)),
        "peak_mib": memory.peak_mib,
        **{f"{name}_seconds": float(np.median([c[name] for c in stages.spent])) for name in stages.spent[0]},
        "fits": fits,
        "document_mib": size / (1 << 20),
        "nodes": args.nodes,
        "pods": len(world.snapshot.pods),
        "workloads": len(world.snapshot.workloads),
        "cycles": args.cycles,
    }
    if not args.json:
        names = list(stages.spent[0])
        table("Seconds by cycle", ("cycle", *names), [[i, *(c[n] for n in names)] for i, c in enumerate(stages.spent)])
    show(f"A warm cycle of {args.nodes} nodes, {args.pods} pods", figures, as_json=args.json)


if __name__ == "__main__":
    main()
