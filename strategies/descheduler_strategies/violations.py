"""Pods that break a rule, one by one: from who they are to what is answered.

An operator reads one finding for each workload; who moves is answered unit by unit, in the order in which pods go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from descheduler.contract import RebalanceView, required
from descheduler.model.arrays import Mask, Positions
from descheduler.model.format import plural
from descheduler.model.moves import Finding, FindingKey, Move, Observation, Proposal, Tried
from descheduler.model.reasons import Blocked
from descheduler.model.subjects import Subject, SubjectKind

MOST_NAMED = 3
"""Rules, nodes or pods that a sentence names before it counts the others."""


def standing(view: RebalanceView) -> Mask:
    """[P] pods that are where the snapshot has them, on a selected, ready node: the others are on their way, in this
    plan or before it."""
    columns = view.snapshot.columns
    seen = np.array([node.ready and not node.virtual for node in view.snapshot.nodes] + [False], np.bool_)
    seen[:-1] &= view.selected_nodes
    found: Mask = columns.pod_live & ~columns.pod_ending & seen[columns.pod_node]
    found[list(view.start.moved)] = False
    return found


def workload_findings(
    view: RebalanceView,
    pods: Positions,
    strategy: str,
    measure: str,
    say: Callable[[str, Positions], str],
    resource: str = "",
) -> Mapping[int, Finding]:
    """By position of the workload: how many of the pods [K] are its, and what `say` says of them by its name."""
    columns, found = view.snapshot.columns, dict[int, Finding]()
    of = columns.pod_workload[pods]
    order = np.argsort(of, kind="stable")
    for mine in np.split(pods[order], np.flatnonzero(np.diff(of[order])) + 1) if len(pods) else ():
        at = int(columns.pod_workload[mine[0]])
        name = str(columns.workloads[at])
        text = say(f"{plural(len(mine), 'pod')} of {name}", mine)
        subject = Subject(SubjectKind.WORKLOAD, name)
        found[at] = Finding(strategy, subject, measure, float(len(mine)), 0.0, text, resource=resource)
    return found


def unit_of(view: RebalanceView, pod: int) -> tuple[Move, ...] | Blocked | None:
    """The moves of all that must go with the pod, to anywhere; why they may not; None where that was refused before."""
    pods = view.moving(pod)
    blocked = next((why for one in pods if (why := view.blocked(one)) is not None), None)
    if blocked is not None:
        return blocked
    if not all(view.movable[one] for one in pods):
        return None
    return tuple(Move(one, view.start.node_of(one)) for one in pods)


def answered(
    view: RebalanceView,
    pods: Iterable[int],
    finding: Callable[[int], Finding],
    cure: Callable[[int], tuple[Move, ...] | Blocked | None],
) -> Iterator[Proposal | Observation]:
    """For each pod in turn the proposal that cures it, with all that moves with it; then of each finding those that
    are left alone. `finding` and `cure` are asked about pods; None of `cure`: nothing is said of it now."""
    broken, done = tuple(pods), set[int]()
    tried: dict[FindingKey, tuple[Finding, list[Tried]]] = {}
    violating = frozenset(broken)
    for pod in broken:
        if pod in done:
            continue
        found, about = cure(pod), finding(pod)
        if isinstance(found, Blocked):
            tried.setdefault(about.key, (about, []))[1].append(Tried((pod,), found))
        elif found:
            moving = tuple(move.pod for move in found)
            done.update(moving)
            cured = len(violating.intersection(moving))
            yield Proposal(about, found, -float(cured), required(view, moving))
    for about, left in tried.values():
        yield left_alone(about, left)


def left_alone(finding: Finding, tried: Sequence[Tried]) -> Observation:
    """The observation of units that were tried in vain: the most frequent reason speaks for all."""
    most = Counter(one.blocked.reason for one in tried).most_common(1)[0][0]
    first = next(one for one in tried if one.blocked.reason is most)
    return Observation(finding, first.blocked, tried=tuple(tried))


def named(texts: Iterable[str]) -> str:
    """The first few of them, and how many more."""
    every = sorted(set(texts))
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return ", ".join(every[:MOST_NAMED]) + more
