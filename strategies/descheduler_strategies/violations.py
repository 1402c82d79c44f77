"""Pods that break a rule, one by one: from who they are to what is answered.

An operator reads one finding for each workload; who moves is answered unit by unit, in the order in which pods go. What
is said and what is proposed in one plan is bounded: a rule may be broken by any number of pods.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

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
_OF_A_NODE = frozenset({"DaemonSet", "Node"})  # owners; static pods have the second
_NAMED = 3  # names in a sentence before the others are counted

About = Callable[[int], Finding]
"""The finding that a pod belongs to."""
Cure = Callable[[tuple[Move, ...]], tuple[Move, ...]]
"""The moves of a unit with what they promise."""


def in_sight(view: RebalanceView) -> Mask:
    """[N] nodes that are looked at: selected, ready and real, cordoned or not."""
    nodes = view.snapshot.nodes
    found: Mask = view.selected_nodes & np.fromiter((n.ready and not n.virtual for n in nodes), np.bool_, len(nodes))
    return found


def standing(view: RebalanceView) -> Mask:
    """[P] pods that are where the snapshot has them, on a node that is looked at: the others are on their way, in this
    plan or before it. Pods that are made for their node are not meant."""
    columns, owners = view.snapshot.columns, view.snapshot.looks.owners
    made_for_node = [any(one.kind in _OF_A_NODE for one in pod.owners) for pod in view.snapshot.looks.first_of_owner]
    found: Mask = columns.pod_live & ~columns.pod_ending & np.append(in_sight(view), False)[columns.pod_node]
    found &= ~np.array([*made_for_node, False], np.bool_)[owners.rows]
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
    view: RebalanceView,
    pods: Positions,
    strategy: str,
    measure: str,
    say: Callable[[str, Positions], str],
    resource: str = "",
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
            name, subject = plural(len(first) - at, "further workload"), Subject(SubjectKind.WORKLOADS, "others")
        text = say(f"{plural(len(mine), 'pod')} of {name}", mine)
        made.append(Finding(strategy, subject, measure, float(len(mine)), 0.0, text, resource=resource))
    of = dict(zip(pods.tolist(), np.minimum(turn, MOST_TOLD).tolist(), strict=True))
    return lambda pod: made[of[pod]]


def answered(
    view: RebalanceView, strategy: str, pods: Positions, about: About, cure: Cure = lambda moves: moves
) -> Iterator[Proposal | Observation]:
    """For each of the pods [K] in turn a proposal that it moves, with all that moves with it; then of each finding the
    pods that are left alone."""
    may, tried = view.movable[pods], _Tried(about)
    going, broken, done = pods[may].tolist(), frozenset(pods.tolist()), set[int]()
    left = MOST_PROPOSED - sum(one.finding.strategy == (view.use or strategy) for one in view.granted)
    for at, pod in enumerate(going):
        unit = view.moving(pod)
        if pod in done:
            continue
        if left <= 0:
            tried.add(going[at:], Blocked(Reason.CYCLE_LIMIT, strategy, f"{MOST_PROPOSED} units go in one plan"))
            break
        left, done = left - 1, done.union(unit) if len(unit) > 1 else done
        moves = cure(tuple(Move(one, view.start.node_of(one)) for one in unit))
        yield Proposal(about(pod), moves, -float(len(broken.intersection(unit))), required(view, unit))
    for pod in pods[~may][:MOST_ASKED].tolist():
        blocked = view.blocked(pod)
        if blocked is not None:  # else it was refused before in this plan
            tried.add((pod,), blocked)
    yield from tried.observations()


class _Tried:
    """Pods that are left alone, by their findings."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._findings: dict[FindingKey, Finding] = {}
        self._units: dict[FindingKey, list[Tried]] = {}

    def add(self, pods: Iterable[int], why: Blocked) -> None:
        found = defaultdict[int, list[int]](list)  # by finding; there are few of them, and many pods
        for pod in pods:
            found[id(self._about(pod))].append(pod)
        for mine in found.values():
            one = self._about(mine[0])
            self._findings[one.key] = one
            self._units.setdefault(one.key, []).append(Tried(tuple(mine), why))

    def observations(self) -> Iterator[Observation]:
        """One for each finding: the most frequent reason speaks for all."""
        for key, units in self._units.items():
            most = Counter(one.blocked.reason for one in units).most_common(1)[0][0]
            first = next(one for one in units if one.blocked.reason is most)
            yield Observation(self._findings[key], first.blocked, tried=tuple(units))


def named(texts: Iterable[str]) -> str:
    """The first few of them, and how many more."""
    every = sorted(set(texts))
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more


def nodes_of(view: RebalanceView, pods: Positions) -> str:
    """The nodes on which the pods [K] are, in few words."""
    nodes = view.snapshot.nodes
    return named(nodes[node].name for node in np.unique(view.snapshot.columns.pod_node[pods]).tolist())
