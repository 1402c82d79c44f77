"""Jobs that communicate: pods with several GPUs, and gangs; how well they are placed, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Ints, Mask
from descheduler.model.moves import Finding
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.model.units import DisruptionMode, Unit
from descheduler.topology import Spread, spread
from descheduler_strategies.gpu_topology.args import NAME, GpuTopologyArgs
from descheduler_strategies.gpu_topology.sets import DeviceSets, Holding


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """Pods that wait for one another. `leaving` would move, all of `holdings` would run faster.

    `width` is the bandwidth in GB/s of the narrowest set of GPUs in it, `links` that as a fraction of the best;
    `network` the fraction that its spread leaves. `level` is the lowest on which it is spread too far, -1 for none;
    `room` [N] how many members each node could hold.
    """

    subject: Subject
    holdings: tuple[Holding, ...]
    leaving: tuple[int, ...]
    width: float
    links: float
    network: float
    level: int = -1
    spread: Spread | None = None
    room: Ints | None = None

    @property
    def score(self) -> float:
        return self.links * self.network

    @property
    def gpus(self) -> int:
        return sum(held.count for held in self.holdings)

    @property
    def pods(self) -> tuple[int, ...]:
        return tuple(held.pod for held in self.holdings)


class Jobs:
    """All jobs of a view, as they stand in one state."""

    def __init__(self, view: RebalanceView, args: GpuTopologyArgs, sets: DeviceSets, state: Scenario) -> None:
        self._view = view
        self._args = args
        self._sets = sets
        self._state = state
        levels = view.topology.levels
        chosen = [not args.levels or name in args.levels for name in levels.names]
        self.considered = np.array(chosen, np.bool_) & (np.arange(len(levels)) < len(levels) - 1)  # [L]
        wanted = np.array([not args.pools or pool in args.pools for pool in view.pools], np.bool_)
        self._several: Ints = np.zeros(len(view.snapshot.columns.workloads), np.int64)  # [W] pods with several GPUs
        self.in_pool: Mask = wanted[view.pool_of]  # [N]
        self._able: Mask = self.in_pool & view.destinations()  # [N]
        self.unlocated: list[int] = []  # pods on sets that differ, of which nobody says which they hold
        self.unlinked: list[int] = []  # pods with several GPUs of whose links nothing is known
        self.unplaced: list[int] = []  # members of gangs on nodes that do not say where they are

    def bad(self) -> Iterator[Job]:
        """Jobs below the score that the policy wants."""
        for job in self._all():
            if job.score < self._args.min_score:
                yield job

    def _all(self) -> Iterator[Job]:
        columns, units = self._view.snapshot.columns, self._view.units
        live = columns.order[self.in_pool[columns.pod_node[columns.order]]]
        counts = np.array([self._sets.count(p) for p in live.tolist()], np.int64)
        with_gpus = set(live[counts > 0].tolist())
        for unit in units.gangs:
            members = [p for p in unit.members if p in with_gpus]
            if members:
                yield from self._of_gang(unit, members)
        self._several = np.bincount(columns.pod_workload[live[counts > 1]], minlength=len(columns.workloads))
        for pod in sorted(live[counts > 1].tolist()):
            if units.unit_index[pod] < 0 and self._state.node_of(pod) == columns.pod_node[pod]:
                yield self._single(pod)

    def _single(self, pod: int) -> Job:
        held = self._held((pod,))
        return Job(self._subject(pod), held, (pod,), held[0].bandwidth, held[0].score, 1.0)

    def _subject(self, pod: int) -> Subject:
        """The workload of a pod alone in it, so that what becomes of its replacement is seen; else the pod."""
        columns = self._view.snapshot.columns
        workload = int(columns.pod_workload[pod])
        alone = self._several[workload] == 1 and self._view.snapshot.pods[pod].controller is not None
        if alone:
            return Subject(SubjectKind.WORKLOAD, str(columns.workloads[workload]))
        return Subject(SubjectKind.POD, self._view.snapshot.pods[pod].key)

    def _of_gang(self, unit: Unit, members: Sequence[int]) -> Iterator[Job]:
        columns = self._view.snapshot.columns
        if any(self._state.node_of(p) != columns.pod_node[p] for p in members):
            return  # moves already
        held = self._held(members)
        found, room = self._spread(members)
        level = self._lowest(found)
        whole = unit.mode is DisruptionMode.WHOLE
        leaving = unit.members if whole else self._strays(members, level)
        if whole or 0 < len(leaving) <= unit.slack:
            links = min(h.score for h in held) if whole else 1.0
            width = min(h.bandwidth for h in held)
            network = self.closeness(found.used, found)
            yield Job(Subject(SubjectKind.GANG, unit.name), held, leaving, width, links, network, level, found, room)
        if not whole and level < 0:
            for one in (h for h in held if h.count > 1):
                subject = Subject(SubjectKind.POD, self._view.snapshot.pods[one.pod].key)
                yield Job(subject, (one,), (one.pod,), one.bandwidth, one.score, 1.0)

    def _held(self, pods: Sequence[int]) -> tuple[Holding, ...]:
        held = tuple(self._sets.holding(p) for p in pods)
        self.unlinked.extend(h.pod for h in held if h.count > 1 and h.board is None)
        self.unlocated.extend(h.pod for h in held if h.board is not None and not h.devices and not h.uniform)
        return held

    def _spread(self, members: Sequence[int]) -> tuple[Spread, Ints | None]:
        """How the gang is spread; against the room for it if a level above the node has it in several domains.

        Nobody is asked to share a node with others: as many nodes as it uses are as few as it needs.
        """
        levels = self._view.topology.levels
        nodes = self._view.snapshot.columns.pod_node[list(members)]
        used = np.array([len(np.unique(row)) for row in levels.domain[:, nodes]], np.int64)
        known = np.asarray(levels.known[:, nodes].all(axis=1), np.bool_)
        several = (used > 1) & self.considered
        if (several & ~known).any():
            self.unplaced.extend(members)
        if not (several & known).any():
            return Spread(used, used, known), None
        room = self._room(members)
        found = spread(levels, nodes, room)
        return Spread(used, np.where(self.considered, found.fewest, used), known), room

    def _room(self, members: Sequence[int]) -> Ints:
        """[N] how many of the gang's largest member each node holds once all members are gone."""
        columns = self._view.snapshot.columns
        attempt = self._state.fork()
        for pod in members:
            attempt.remove(pod)
        largest = max(members, key=lambda p: (self._sets.count(p), -p))
        asks = columns.spec_requests[columns.pod_spec[largest]]
        asked = np.flatnonzero(asks > 0)
        fitting = attempt.fits(largest) & self._able
        here = np.flatnonzero(fitting).astype(np.int32)
        same = self._sets.widths(self._state, self._sets.holding(largest), here) > 0 if here.size else fitting[here]
        out = np.zeros(len(fitting), np.int64)
        out[here] = np.where(same, (attempt.free(here)[:, asked] // asks[asked]).min(axis=1, initial=2**31), 0)
        return np.maximum(out, 0)

    def _lowest(self, found: Spread) -> int:
        """The lowest level on which more domains are used than needed, -1 for none."""
        excess = np.flatnonzero((found.used > found.fewest) & found.known & self.considered)
        return int(excess[-1]) if excess.size else -1

    def closeness(self, used: Ints, found: Spread) -> float:
        """What fraction of its bandwidth a spread over `used` [L] domains leaves, against the fewest on each level.

        The traffic that crosses a level grows with the domains on it, down to what a link between two of them has. On
        more nodes than now it counts as well.
        """
        share = np.maximum(found.fewest / np.maximum(used, 1), 1.0 / self._args.oversubscription)
        counts = found.known & self.considered
        counts[-1] = True
        return float(np.prod(np.minimum(1.0, share)[counts]))

    def _strays(self, members: Sequence[int], level: int) -> tuple[int, ...]:
        """Members outside of the domain of the level that has most of them."""
        if level < 0:
            return ()
        domains = self._view.topology.levels.domain[level, self._view.snapshot.columns.pod_node[list(members)]]
        values, counts = np.unique(domains, return_counts=True)
        home = values[int(np.argmax(counts))]
        return tuple(p for p, d in zip(members, domains.tolist(), strict=True) if d != home)


def finding_of(view: RebalanceView, args: GpuTopologyArgs, job: Job, remaining: float) -> Finding:
    """What is wrong with a job, in words and numbers."""
    worst = min(job.holdings, key=lambda h: (h.score, h.pod))
    parts: list[str] = []
    numbers: list[tuple[str, float]] = [("expected hours left", remaining / 3600)]
    if job.links < 1.0 and worst.board is not None:
        node = view.snapshot.nodes[view.snapshot.columns.pod_node[worst.pod]].name
        best = worst.board.rings.best(worst.count)
        which = ", ".join(str(d) for d in range(worst.devices.bit_length()) if worst.devices >> d & 1)
        parts.append(
            f"GPUs {which} of {node} are linked at {worst.bandwidth:g} GB/s, the best {worst.count} at {best:g}"
        )
        numbers += [("GB/s now", worst.bandwidth), ("GB/s at best", best)]
    if job.network < 1.0 and job.spread is not None:
        for i in np.flatnonzero((job.spread.used > job.spread.fewest) & job.spread.known).tolist():
            name = view.topology.levels.names[i]
            if name in _considered(view, args):
                used, fewest = int(job.spread.used[i]), int(job.spread.fewest[i])
                parts.append(f"its members use {used} domains of level {name} where {fewest} would do")
                numbers.append((f"domains of {name}", float(used)))
    return Finding(
        strategy=NAME,
        subject=job.subject,
        measure="bandwidth between its GPUs, fraction of the best for its size",
        value=job.score,
        threshold=args.min_score,
        text=f"{job.subject}: {'; '.join(parts)}",
        nodes=tuple(sorted({int(view.snapshot.columns.pod_node[p]) for p in job.pods})),
        numbers=tuple(numbers),
    )


def _considered(view: RebalanceView, args: GpuTopologyArgs) -> tuple[str, ...]:
    return tuple(name for name in view.topology.levels.names[:-1] if not args.levels or name in args.levels)
