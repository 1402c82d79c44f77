"""IdleGpu: GPUs that are allocated and do no work, found and reported; moved only where the policy says so.

A pod's GPUs are idle when their activity stayed at or under a threshold for a whole window, by every metric that there
is of them, and their memory did not change, though the pod has been up for longer than it takes to load. Where one
signal disagrees it is not known. Moving such a pod frees no GPU by itself, for its replacement asks for as many; that
is why a report is the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import RebalanceView, StrategyArgs, each, unanswered
from descheduler.model.format import span
from descheduler.model.moves import Finding, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler_strategies.idle_gpu.args import NAME, IdleGpuArgs
from descheduler_strategies.idle_gpu.holders import holders
from descheduler_strategies.idle_gpu.judgement import Judged, judge, told
from descheduler_strategies.idle_gpu.moving import IdleMover

_HOW_TO_PIN = "name the exporter of GPUs in history.sources.gpus (`descheduler doctor` shows who has such series)"


@dataclass(frozen=True, eq=False, slots=True)
class _Group:
    """The idle pods of one workload: positions in the K pods."""

    workload: str
    namespace: str
    rows: NDArray[np.intp]


class IdleGpu:
    """See the module."""

    name: ClassVar[str] = NAME
    signals: ClassVar[tuple[str, ...]] = ()
    optional_signals: ClassVar[tuple[str, ...]] = ("gpu", "gpu_least", "gpu_memory")
    Args: ClassVar[type[StrategyArgs]] = IdleGpuArgs

    def propose(self, view: RebalanceView, args: IdleGpuArgs) -> Iterable[Proposal | Observation]:
        """One finding for each workload with idle GPUs, most idle GPU-hours first, and one for what is not known."""
        held = holders(view, tuple(args.pools))
        if not held.pods.size:
            return
        seen = judge(view, args, held)
        if seen.unknown.any():
            yield _unknown(seen)
        groups = _groups(view, seen)
        by_namespace: dict[str, float] = {}
        for group in groups:
            by_namespace[group.namespace] = by_namespace.get(group.namespace, 0.0) + float(seen.hours[group.rows].sum())
        mover = IdleMover(view, args, seen)

        def answers(group: _Group) -> Iterator[Proposal | Observation]:
            finding = _finding(view, args, seen, group, by_namespace[group.namespace])
            pods = tuple(held.pods[group.rows].tolist())
            if args.act == "report":
                yield Observation(finding, Blocked(Reason.REPORT_ONLY, NAME, "act: report"), pods)
            elif not view.usage["gpu"].pinned:
                yield Observation(finding, Blocked(Reason.NOT_PINNED, "history/gpu", _HOW_TO_PIN), pods)
            else:
                yield from mover.answers(finding, pods)

        yield from each(groups[: args.max_findings], _unanswered, answers)
        if groups[args.max_findings :]:
            yield _rest(args, seen, groups[args.max_findings :])


def _unanswered(group: _Group) -> Finding:
    return unanswered(NAME, Subject(SubjectKind.WORKLOAD, group.workload))


def _groups(view: RebalanceView, seen: Judged) -> list[_Group]:
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


def _finding(view: RebalanceView, args: IdleGpuArgs, seen: Judged, group: _Group, in_namespace: float) -> Finding:
    gpus, hours = float(seen.held.gpus[group.rows].sum()), float(seen.hours[group.rows].sum())
    columns = view.snapshot.columns
    workload = columns.pod_workload[seen.held.pods[group.rows[0]]]
    of = float(seen.held.gpus[columns.pod_workload[seen.held.pods] == workload].sum())
    window, peak = span(args.window.total_seconds()), float(seen.peak[group.rows].max())
    since = float(seen.since[group.rows].min())
    return Finding(
        strategy=NAME,
        subject=Subject(SubjectKind.WORKLOAD, group.workload),
        measure=f"GPUs without work for {window}",
        value=gpus,
        threshold=0.0,
        text=f"{_amount(gpus)} of the {_amount(of)} GPUs of {group.workload} did no work in the last {window}"
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


def _rest(args: IdleGpuArgs, seen: Judged, groups: list[_Group]) -> Observation:
    """What is not reported one by one."""
    rows = np.concatenate([group.rows for group in groups])
    gpus, hours = float(seen.held.gpus[rows].sum()), float(seen.hours[rows].sum())
    window = span(args.window.total_seconds())
    finding = Finding(
        strategy=NAME,
        subject=Subject(SubjectKind.WORKLOADS, "others"),
        measure=f"GPUs without work for {window}",
        value=gpus,
        threshold=0.0,
        text=f"{_amount(gpus)} more GPUs of {len(groups)} workloads did no work in the last {window}",
        resource="gpu",
        numbers=(("idle GPU-hours", round(hours, 2)), ("workloads", float(len(groups)))),
    )
    return Observation(finding, Blocked(Reason.REPORT_ONLY, NAME, "summed up"), ())


def _unknown(seen: Judged) -> Observation:
    """GPUs of which nobody can say whether they work."""
    gpus, pods = float(seen.held.gpus[seen.unknown].sum()), int(seen.unknown.sum())
    finding = Finding(
        strategy=NAME,
        subject=Subject(SubjectKind.GPUS, "not measured"),
        measure="GPUs of which it is not known whether they work",
        value=gpus,
        threshold=0.0,
        text=f"whether {_amount(gpus)} GPUs of {pods} pods do any work is not known",
        resource="gpu",
    )
    return Observation(finding, Blocked(Reason.DATA_MISSING, "history/gpu", told(seen.doubts)), ())


def _amount(gpus: float) -> str:
    """For people: parts of GPUs to two digits."""
    return f"{round(gpus, 2):g}"
