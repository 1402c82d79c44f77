"""IdleGpu: GPUs that are allocated and do no work, found and reported; moved only where the policy says so.

A pod's GPUs are idle when their activity (DCGM's GR_ENGINE_ACTIVE, else GPU_UTIL) stayed at or under a threshold for a
whole window and their memory did not change, though the pod has been up for longer than it takes to load. Moving such a
pod frees no GPU by itself, for its replacement asks for as many; that is why a report is the default.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from descheduler.contract import GPU_WEIGHT, Accept, RebalanceView, Scenario, StrategyArgs, relocate
from descheduler.contract.types import Duration, Fraction
from descheduler.model.arrays import Floats32, Mask
from descheduler.model.format import span
from descheduler.model.moves import Finding, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler_strategies.idle_gpu.activity import Holders, activity, holders


class IdleGpuArgs(StrategyArgs):
    """Find GPUs that are allocated and do no work."""

    act: Literal["report", "evict"] = "report"
    """report: say so, and move nothing. evict: also move idle pods to nodes that are in use already."""
    threshold: Fraction = 0.05
    """Activity of a GPU at or under which it does no work."""
    window: Duration = Field(default=timedelta(hours=1), ge=timedelta(minutes=5), le=timedelta(days=7))
    """For how long it must have done none. Beyond an hour, a single idle replica among busy ones is not seen."""
    quantile: Fraction = 1.0
    """Which quantile of the window is held against the threshold; 1 is the largest value."""
    grace: Duration = timedelta(hours=1)
    """Pods that started more recently are left out: they may still be loading."""
    min_coverage: Fraction = 0.9
    """Share of the window that must have been measured; with less, nothing is said of the pod."""
    memory_change: Fraction = 0.02
    """GPU memory that changes by more than this share of its peak is a sign of work, where it is known."""
    pools: list[str] = Field(default_factory=list)
    """Only nodes of these pools; all when empty."""
    max_findings: int = Field(default=20, ge=1, le=1000)
    """So many workloads are reported one by one, those with most idle GPU-hours; the others are summed up."""
    max_moves: int = Field(default=8, ge=1, le=1000)
    """evict: at most so many pods in one plan."""
    freed_worth: Duration = timedelta(minutes=10)
    """evict: how long a GPU that a move frees on its node is expected to serve others, which is its worth."""
    max_risk: Fraction = 0.2
    """evict: accepted probability that a pod lands on its source or on a node whose GPUs are all free."""


@dataclass(frozen=True, eq=False, slots=True)
class _Idle:
    """What was seen: `idle` and `unknown` [K] of the K pods with GPUs, idle `hours` [K] (GPU-hours), `peak` [K]."""

    held: Holders
    idle: Mask
    unknown: Mask
    hours: NDArray[np.float64]
    since: NDArray[np.float64]
    peak: Floats32


@dataclass(frozen=True, eq=False, slots=True)
class _Group:
    """The idle pods of one workload: positions in the K pods."""

    workload: str
    namespace: str
    rows: NDArray[np.intp]


class IdleGpu:
    """See the module."""

    name: ClassVar[str] = "IdleGpu"
    signals: ClassVar[tuple[str, ...]] = ()
    optional_signals: ClassVar[tuple[str, ...]] = ("gpu", "gpu_memory")
    Args: ClassVar[type[StrategyArgs]] = IdleGpuArgs

    def propose(self, view: RebalanceView, args: IdleGpuArgs) -> Iterable[Proposal | Observation]:
        """One finding for each workload with idle GPUs, most idle GPU-hours first, and one for what is not known."""
        held = holders(view, tuple(args.pools))
        if not held.pods.size:
            return
        seen = _look(view, args, held)
        if seen.unknown.any():
            yield _unmeasured(view, args, seen)
        groups = _groups(view, seen)
        by_namespace: dict[str, float] = {}
        for group in groups:
            by_namespace[group.namespace] = by_namespace.get(group.namespace, 0.0) + float(seen.hours[group.rows].sum())
        search = _Search(view, args, seen)
        for group in groups[: args.max_findings]:
            finding = _finding(view, args, seen, group, by_namespace[group.namespace])
            yield from search.answers(finding, group)
        if groups[args.max_findings :]:
            yield _rest(args, seen, groups[args.max_findings :])


def _look(view: RebalanceView, args: IdleGpuArgs, held: Holders) -> _Idle:
    """Judge every pod; without a usable history of the signal `gpu` nothing is known of any."""
    size = len(held.pods)
    history = view.usage.get("gpu")
    if history is None or not history.values.shape[1]:
        zeros = np.zeros(size)
        return _Idle(held, np.zeros(size, np.bool_), np.ones(size, np.bool_), zeros, zeros, np.zeros(size, np.float32))
    steps = max(1, math.ceil(args.window.total_seconds() / history.step))
    seen = activity(view, history, held.pods, held.devices, steps, args.threshold)
    there = np.isfinite(seen.values)
    known = there.sum(axis=1) >= args.min_coverage * steps
    peak = _quantile(seen.values, known, args.quantile)
    started = np.array([view.snapshot.pods[p].started for p in held.pods.tolist()])
    settled = (started > 0) & (seen.end - started >= max(args.grace.total_seconds(), args.window.total_seconds()))
    since = np.maximum(seen.since(), started)
    # A bound above the threshold says nothing where the mean is not: one of the GPUs may be busy, or all a little.
    unclear = ~known | ((peak > args.threshold) & (peak / np.maximum(seen.over, 1) <= args.threshold))
    idle = known & settled & (peak <= args.threshold) & _flat(view, args, held)
    return _Idle(
        held=held,
        idle=idle,
        unknown=settled & unclear & ~idle,
        hours=np.where(idle, held.gpus * (seen.end - since) / 3600.0, 0.0),
        since=since,
        peak=peak,
    )


def _quantile(values: Floats32, known: Mask, q: float) -> Floats32:
    """[K] of what was measured, 0 where too little was."""
    out = np.zeros(len(values), np.float32)
    if known.any():
        rows = values[known]
        out[known] = np.nanmax(rows, axis=1) if q >= 1.0 else np.nanquantile(rows, q, axis=1)
    return out


def _flat(view: RebalanceView, args: IdleGpuArgs, held: Holders) -> Mask:
    """[K] memory that did not change over the window, or is not known of the single pod."""
    history = view.usage.get("gpu_memory")
    if history is None or not history.values.shape[1]:
        return np.ones(len(held.pods), np.bool_)
    steps = max(1, math.ceil(args.window.total_seconds() / history.step))
    once = np.ones(len(held.pods), np.int64)  # memory is summed over the GPUs of a pod
    seen = activity(view, history, held.pods, once, steps, 0.0)
    known = np.isfinite(seen.values).any(axis=1) & (seen.over == 1)
    flat = np.ones(len(held.pods), np.bool_)
    rows = seen.values[known]
    top = np.nanmax(rows, axis=1) if rows.size else np.empty(0, np.float32)
    flat[known] = top - (np.nanmin(rows, axis=1) if rows.size else top) <= args.memory_change * top
    return flat


def _groups(view: RebalanceView, seen: _Idle) -> list[_Group]:
    """Idle pods by workload, most GPU-hours first."""
    columns = view.snapshot.columns
    rows = np.flatnonzero(seen.idle)
    by: dict[int, list[int]] = {}
    for row, workload in zip(rows.tolist(), columns.pod_workload[seen.held.pods[rows]].tolist(), strict=True):
        by.setdefault(workload, []).append(row)
    made = [
        _Group(str(columns.workloads[w]), columns.workloads[w].namespace, np.array(found, np.intp))
        for w, found in by.items()
    ]
    return sorted(made, key=lambda g: (-float(seen.hours[g.rows].sum()), g.workload))


def _finding(view: RebalanceView, args: IdleGpuArgs, seen: _Idle, group: _Group, in_namespace: float) -> Finding:
    gpus, hours = float(seen.held.gpus[group.rows].sum()), float(seen.hours[group.rows].sum())
    columns = view.snapshot.columns
    workload = columns.pod_workload[seen.held.pods[group.rows[0]]]
    of = float(seen.held.gpus[columns.pod_workload[seen.held.pods] == workload].sum())
    window, peak = span(args.window.total_seconds()), float(seen.peak[group.rows].max())
    since = float(seen.since[group.rows].min())
    return Finding(
        strategy=IdleGpu.name,
        subject=Subject(SubjectKind.WORKLOAD, group.workload),
        measure=f"GPUs without work for {window}",
        value=gpus,
        threshold=0.0,
        text=f"{gpus:g} of the {of:g} GPUs of {group.workload} did no work in the last {window}"
        f" (activity at most {peak:.1%}); idle for {hours:.1f} GPU-hours so far",
        nodes=tuple(np.unique(columns.pod_node[seen.held.pods[group.rows]]).tolist()) if args.act == "evict" else (),
        since=since,
        resource="gpu",
        numbers=(
            ("GPUs held", of),
            ("idle GPU-hours", round(hours, 2)),
            (f"idle GPU-hours in namespace {group.namespace}", round(in_namespace, 2)),
            ("highest activity in %", round(100 * peak, 2)),
        ),
    )


def _rest(args: IdleGpuArgs, seen: _Idle, groups: list[_Group]) -> Observation:
    """What is not reported one by one."""
    rows = np.concatenate([group.rows for group in groups])
    gpus, hours = float(seen.held.gpus[rows].sum()), float(seen.hours[rows].sum())
    window = span(args.window.total_seconds())
    finding = Finding(
        strategy=IdleGpu.name,
        subject=Subject(SubjectKind.WORKLOADS, "others"),
        measure=f"GPUs without work for {window}",
        value=gpus,
        threshold=0.0,
        text=f"{gpus:g} more GPUs of {len(groups)} workloads did no work in the last {window}",
        resource="gpu",
        numbers=(("idle GPU-hours", round(hours, 2)), ("workloads", float(len(groups)))),
    )
    return Observation(finding, Blocked(Reason.REPORT_ONLY, IdleGpu.name, "summed up"), ())


def _unmeasured(view: RebalanceView, args: IdleGpuArgs, seen: _Idle) -> Observation:
    """GPUs of which nobody can say whether they work."""
    gpus = float(seen.held.gpus[seen.unknown].sum())
    pods = int(seen.unknown.sum())
    finding = Finding(
        strategy=IdleGpu.name,
        subject=Subject(SubjectKind.GPUS, "not measured"),
        measure="GPUs of which it is not known whether they work",
        value=gpus,
        threshold=0.0,
        text=f"whether {gpus:g} GPUs of {pods} pods do any work is not known",
        resource="gpu",
    )
    if view.usage.get("gpu") is None:
        detail = "no usable history of the signal gpu"
    else:
        detail = f"{pods} pods were not measured for {args.min_coverage:.0%} of {span(args.window.total_seconds())}"
        detail += ", or only as a mean of GPUs that some may have exceeded"
    return Observation(finding, Blocked(Reason.DATA_MISSING, "history/gpu", detail), ())


class _Search:
    """What is done about idle pods: nothing, or moves of whole units that are idle altogether."""

    def __init__(self, view: RebalanceView, args: IdleGpuArgs, seen: _Idle) -> None:
        self.view = view
        self.args = args
        self.state: Scenario = view.what_if()
        self.gpus = {int(p): float(g) for p, g in zip(seen.held.pods, seen.held.gpus, strict=True)}
        self.idle = frozenset(seen.held.pods[seen.idle].tolist())
        self.pods = seen.held.pods
        self.left = args.max_moves
        nodes = view.snapshot.nodes
        self.count = np.fromiter((n.gpus.count if n.gpus else 0 for n in nodes), np.int64, len(nodes))

    def answers(self, finding: Finding, group: _Group) -> Iterator[Proposal | Observation]:
        """Proposals for the group, or why there are none."""
        pods = tuple(self.pods[group.rows].tolist())
        if self.args.act == "report":
            yield Observation(finding, Blocked(Reason.REPORT_ONLY, IdleGpu.name, "act: report"), pods)
            return
        moved, refusal = 0, Blocked(Reason.NO_CURE, str(finding.subject), "no idle pod of it may be moved")
        done: set[int] = set()
        for pod in pods:
            if pod in done or not self.view.movable[pod]:
                continue
            answer = self._move(finding, pod)
            if isinstance(answer, Blocked):
                refusal = answer
                continue
            done.update(move.pod for move in answer.moves)
            moved += 1
            yield answer
        if not moved:
            yield Observation(finding, refusal, pods)

    def _move(self, finding: Finding, pod: int) -> Proposal | Blocked:
        """The pod's unit moves, if all that would restart is idle."""
        view, members = self.view, self.view.moving(pod)
        busy = [p for p in view.units.of(pod).restarting(pod) if p not in self.idle]
        if busy:
            key = view.snapshot.pods[busy[0]].key
            return Blocked(Reason.NO_CURE, f"pod/{key}", "would restart with it, and is not known to be idle")
        if len(members) > self.left:
            return Blocked(Reason.NO_CURE, str(finding.subject), f"more than {self.args.max_moves} moves")
        moved = relocate(view, self.state, (pod,), self._in_use, max_risk=self.args.max_risk, bad=Reason.CLOSES_SLOT)
        if isinstance(moved, Blocked):
            return moved
        self.state = moved.state
        self.left -= len(moved.moves)
        gpus = sum(self.gpus.get(p, 0.0) for p in members)
        return Proposal(
            finding=finding,
            moves=moved.moves,
            benefit=-gpus,  # so many fewer without work
            worth=gpus * GPU_WEIGHT * self.args.freed_worth.total_seconds(),
            note=f"restarts what is idle on {gpus:g} GPUs, on a node in use",
        )

    def _in_use(self, state: Scenario, _: int) -> Accept:
        """Accepts nodes on which some GPU is held already: an idle pod must not open a free node."""
        return lambda nodes: state.whole_gpus()[nodes] < self.count[nodes]
