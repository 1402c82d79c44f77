"""Pods that break a rule, one by one: from who they are to what is answered.

An operator reads one finding for each workload; who moves is answered unit by unit, in the order in which pods go. What
is said and what is proposed in one plan is bounded: a rule may be broken by any number of pods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from descheduler.contract import RebalanceView, required
from descheduler.model.arrays import Mask, Positions
from descheduler.model.format import plural
from descheduler.model.moves import Finding, FindingKey, Move, Observation, Proposal, Tried
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind

MOST_TOLD = 100
"""Workloads with a finding of their own; those of further ones are told together."""
MOST_PROPOSED = 400
"""Units that a strategy moves in one plan: proving one takes about a millisecond at 5,000 nodes."""
MOST_ASKED = 2000
"""Pods that may not move of which it is said why."""
_NAMED = 3  # names in a sentence before the others are counted

About = Callable[[int], Finding]
"""The finding that a pod belongs to."""
Cure = Callable[[tuple[Move, ...]], tuple[Move, ...]]
"""The moves of a unit with what they promise."""


def standing(view: RebalanceView) -> Mask:
    """[P] pods that are where the snapshot has them, on a selected, ready node: the others are on their way, in this
    plan or before it."""
    columns = view.snapshot.columns
    seen = np.array([node.ready and not node.virtual for node in view.snapshot.nodes] + [False], np.bool_)
    seen[:-1] &= view.selected_nodes
    found: Mask = columns.pod_live & ~columns.pod_ending & seen[columns.pod_node]
    found[list(view.start.moved)] = False
    return found


def places(view: RebalanceView) -> Positions:
    """[P] where pods are by now: who holds a node and does not end, with all that this plan moves; -1: nowhere."""
    columns = view.snapshot.columns
    found = np.where(columns.pod_live & ~columns.pod_ending, columns.pod_node, -1).astype(np.int32)
    for pod, node in view.start.moved.items():
        found[pod] = node
    return found


def findings(
    view: RebalanceView, pods: Positions, strategy: str, measure: str, say: Callable[[str, Positions], str], resource: str = ""
) -> About:
    """How many of the pods [K] each workload has, and what `say` says of these by its name; the workloads that appear
    first have a finding each."""
    columns = view.snapshot.columns
    _, first, row = np.unique(columns.pod_workload[pods], return_index=True, return_inverse=True)
    turn = np.argsort(np.argsort(first))[row.reshape(-1)]  # [K] when the workload appears
    made = list[Finding]()
    for at in range(min(len(first), MOST_TOLD + 1)):
        mine = pods[turn == at] if at < MOST_TOLD else pods[turn >= at]
        name = str(columns.workloads[columns.pod_workload[mine[0]]])
        subject = Subject(SubjectKind.WORKLOAD, name)
        if at == MOST_TOLD:
            name = plural(len(first) - at, "further workload")
            subject = Subject(SubjectKind.WORKLOADS, "further ones")
        text = say(f"{plural(len(mine), 'pod')} of {name}", mine)
        made.append(Finding(strategy, subject, measure, float(len(mine)), 0.0, text, resource=resource))
    of = dict(zip(pods.tolist(), np.minimum(turn, MOST_TOLD).tolist(), strict=True))
    return lambda pod: made[of[pod]]


def answered(
    view: RebalanceView, pods: Positions, about: About, cure: Cure = lambda moves: moves
) -> Iterator[Proposal | Observation]:
    """For each of the pods [K] in turn a proposal that it moves, with all that moves with it; then of each finding those
    that are left alone."""
    tried: dict[FindingKey, list[Tried]] = {}
    finding: dict[FindingKey, Finding] = {}

    def leave(left: Iterable[int], why: Blocked) -> None:
        for key, mine in _by_finding(left, about, finding).items():
            tried.setdefault(key, []).append(Tried(tuple(mine), why))

    may, broken, done = view.movable[pods], frozenset(pods.tolist()), set[int]()
    going = pods[may].tolist()
    left = MOST_PROPOSED - sum(p.finding.strategy == about(pod).strategy for pod in going[:1] for p in view.granted)
    for at, pod in enumerate(going):
        if pod in done:
            continue
        unit = view.moving(pod)
        if left <= 0:
            leave(going[at:], Blocked(Reason.CYCLE_LIMIT, about(pod).strategy, f"{MOST_PROPOSED} units go in one plan"))
            break
        left -= 1
        done.update(unit)
        moves = cure(tuple(Move(one, view.start.node_of(one)) for one in unit))
        yield Proposal(about(pod), moves, -float(len(broken.intersection(unit))), required(view, unit))
    staying = pods[~may].tolist()
    for pod in staying[:MOST_ASKED]:
        blocked = view.blocked(pod)
        if blocked is not None:  # else it was refused before in this plan
            leave((pod,), blocked)
    for key, units in tried.items():
        yield left_alone(finding[key], units)


def _by_finding(
    pods: Iterable[int], about: About, finding: dict[FindingKey, Finding]
) -> dict[FindingKey, list[int]]:
    """The pods of each finding, all of which `finding` then knows."""
    found: dict[FindingKey, list[int]] = {}
    for pod in pods:
        one = about(pod)
        finding.setdefault(one.key, one)
        found.setdefault(one.key, []).append(pod)
    return found


def left_alone(finding: Finding, tried: Sequence[Tried]) -> Observation:
    """The observation of units that were tried in vain: the most frequent reason speaks for all."""
    most = Counter(one.blocked.reason for one in tried).most_common(1)[0][0]
    first = next(one for one in tried if one.blocked.reason is most)
    return Observation(finding, first.blocked, tried=tuple(tried))


def named(texts: Iterable[str]) -> str:
    """The first few of them, and how many more."""
    every = sorted(set(texts))
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more


def nodes_of(view: RebalanceView, pods: Positions) -> str:
    """The nodes on which the pods are, in few words."""
    nodes = view.snapshot.nodes
    return named(nodes[node].name for node in np.unique(view.snapshot.columns.pod_node[pods]).tolist())
