"""One finding for each workload with pods that are to go, and a removal for each of them, or each gang of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView, required
from descheduler.model.arrays import Mask, Positions
from descheduler.model.moves import ActionKind, Finding, Move, Observation, Proposal, Tried
from descheduler.model.reasons import Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler_strategies.selection import SelectedArgs, selected

_NOT_MEANT = frozenset(
    {
        Reason.MIRROR_POD,
        Reason.DAEMON_SET,
        Reason.SYSTEM_CRITICAL,
        Reason.NAMESPACE_EXCLUDED,
        Reason.NOT_SELECTED,
        Reason.TERMINATING,
    }
)
"""Of pods with these nobody expects that they go: they are no finding."""

Unit = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What a finding says of the pods of a workload: `measure` what they are, `text` a sentence, further `numbers`."""

    measure: str
    text: str
    numbers: tuple[tuple[str, float], ...] = ()


Tell = Callable[[str, Positions], Told]
"""Of the pods [K] of one workload, by its name."""


def in_sight(view: RebalanceView, args: SelectedArgs) -> Mask:
    """[P] pods that the arguments select, on nodes that strategies may look at."""
    node = view.snapshot.columns.pod_node
    seen = np.append(view.selected_nodes, False)[node]  # -1, no node, takes the last
    found: Mask = selected(view, args) & seen
    return found


def removals(view: RebalanceView, strategy: str, pods: Positions, tell: Tell) -> Iterator[Proposal | Observation]:
    """What becomes of the pods [K], in this order."""
    if not pods.size:
        return
    units = _units(view, pods)
    kept = {unit: tuple(_kept(view, unit)) for unit in units if not all(view.removable[pod] for pod in unit)}
    meant = [unit for unit in units if not any(one.blocked.reason in _NOT_MEANT for one in kept.get(unit, ()))]
    groups = _by_subject(view, meant)
    findings = {subject: _finding(strategy, subject, members, tell) for subject, members in groups.items()}
    about = {unit: findings[subject] for subject, members in groups.items() for unit in members}
    source = view.snapshot.columns.pod_node
    for unit in meant:
        if unit not in kept:
            moves = tuple(Move(pod, int(source[pod])) for pod in unit)
            worth = required(view, unit)
            yield Proposal(about[unit], moves, -float(len(unit)), worth, kind=ActionKind.REMOVE)
    for subject, members in groups.items():
        tried = tuple(one for unit in members for one in kept.get(unit, ()))
        if tried:
            often = Counter(one.blocked.reason for one in tried).most_common(1)[0][0]
            blocked = next(one.blocked for one in tried if one.blocked.reason is often)
            yield Observation(findings[subject], blocked, tuple(p for one in tried for p in one.pods), tried)


def _units(view: RebalanceView, pods: Positions) -> list[Unit]:
    """The pods in their order, those that must go together in one; of these only such as are to go."""
    if not view.units.gangs:
        return [(pod,) for pod in pods.tolist()]
    wanted = set(pods.tolist())
    return list(dict.fromkeys(tuple(p for p in view.moving(pod) if p in wanted) for pod in pods.tolist()))


def _kept(view: RebalanceView, unit: Unit) -> Iterator[Tried]:
    """Why not all of the unit may be removed; nothing where that was decided in this plan already."""
    blocked = next((found for pod in unit if (found := view.kept(pod)) is not None), None)
    if blocked is not None:
        yield Tried(unit, blocked)


def _by_subject(view: RebalanceView, units: Sequence[Unit]) -> Mapping[Subject, list[Unit]]:
    """The units by their workload; pods that nobody owns by their namespace."""
    columns = view.snapshot.columns
    subjects: dict[int, Subject] = {}
    out: dict[Subject, list[Unit]] = {}
    for unit in units:
        at = int(columns.pod_workload[unit[0]])
        if at not in subjects:
            key = columns.workloads[at]
            bare = key.kind == "Pod"
            kind = SubjectKind.WORKLOADS if bare else SubjectKind.WORKLOAD
            subjects[at] = Subject(kind, f"{key.namespace}/Pod" if bare else str(key))
        out.setdefault(subjects[at], []).append(unit)
    return out


def _finding(strategy: str, subject: Subject, units: Sequence[Unit], tell: Tell) -> Finding:
    pods = np.array([pod for unit in units for pod in unit], np.int32)
    bare = subject.kind == SubjectKind.WORKLOADS
    told = tell(f"{subject.name.removesuffix('/Pod')} without an owner" if bare else subject.name, pods)
    return Finding(strategy, subject, told.measure, float(len(pods)), 0.0, told.text, numbers=told.numbers)
