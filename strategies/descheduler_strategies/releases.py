"""What strategies share that have some let go of what they hold, so that others start: arrays, groups, proposals."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from descheduler.contract import GPU_WEIGHT, RebalanceView, Scenario
from descheduler.model.action_kind import ActionKind
from descheduler.model.arrays import Mask
from descheduler.model.moves import Finding, Move, Proposal, Seat
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.packing.letting_go import Holder, Members

_NAMED = 3
Places = Sequence[tuple[int, int]]
"""(pod, node) of those who start."""


def waits(pod: Pod, before: float) -> bool:
    """Whether it has waited for a node since `before` (unix seconds), and the scheduler holds none for it."""
    over = pod.terminal or pod.gated or pod.deleting is not None or bool(pod.problem)
    return not over and not pod.node and not pod.nominated and pod.created <= before


def cores(view: RebalanceView, pods: Sequence[int]) -> float:
    """What the pods ask for, a GPU as `GPU_WEIGHT`."""
    asked = float(view.snapshot.columns.requests(np.array(pods, np.int32))[:, 0].sum()) / 1000.0
    return asked + GPU_WEIGHT * sum(gpus(view.snapshot.pods[pod]) for pod in pods)


def gpus(pod: Pod) -> float:
    """Devices that it asks for."""
    return pod.spec.gpu.devices if pod.spec.gpu is not None else 0.0


def alike(view: RebalanceView, pods: Iterable[int]) -> list[list[int]]:
    """The pods, those of one spec together."""
    found: dict[int, list[int]] = {}
    for pod in pods:
        found.setdefault(int(view.snapshot.columns.pod_spec[pod]), []).append(pod)
    return list(found.values())


def members(
    view: RebalanceView, cleared: Scenario, pods: Iterable[int], inside: Mask | None = None
) -> tuple[Members, ...]:
    """Who is to start, as `alike` has them; on nodes [N] that take one in the state in which all that may have let go,
    of those `inside` [N] (None: all)."""
    near = view.destinations() if inside is None else view.destinations() & inside
    columns = view.snapshot.columns
    return tuple(
        Members(
            len(some),
            columns.requests(np.array(some[:1], np.int32))[0].astype(np.int64),
            cleared.fits(some[0]) & near,
        )
        for some in alike(view, pods)
    )


def seated(view: RebalanceView, pods: Iterable[int], nodes: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The pods with their nodes, which are in the order of `members`."""
    return tuple(zip((pod for some in alike(view, pods) for pod in some), nodes, strict=True))


def holder(view: RebalanceView, state: Scenario, pods: Sequence[int], weight: float) -> Holder:
    """What the pods hold, node by node."""
    columns = view.snapshot.columns
    nodes, rows = np.unique(np.array([state.node_of(pod) for pod in pods]), return_inverse=True)
    amounts = np.zeros((len(nodes), len(columns.resources)), np.int64)
    np.add.at(amounts, rows, columns.requests(np.array(pods, np.int32)))
    return Holder(nodes, amounts, weight)


def without(state: Scenario, pods: Iterable[int]) -> Scenario:
    """The state in which these pods are gone."""
    cleared = state.fork()
    for pod in pods:
        cleared.remove(pod)
    return cleared


def joined(
    released: Mapping[int, set[Hashable]], started: Mapping[int, set[Hashable]]
) -> list[tuple[list[int], list[int]]]:
    """Who lets go and who starts, those together that share anything; only where somebody does either. In the order of
    those who start."""
    groups: list[tuple[set[int], set[int], set[Hashable]]] = []
    entries = [({at}, set[int](), things) for at, things in released.items()]
    entries += [(set[int](), {at}, things) for at, things in started.items()]
    for gone, starts, things in entries:
        for group in [group for group in groups if group[2] & things]:
            groups.remove(group)
            gone, starts, things = gone | group[0], starts | group[1], things | group[2]
        groups.append((gone, starts, things))
    return sorted(((sorted(g), sorted(s)) for g, s, _ in groups if g and s), key=lambda pair: pair[1])


def unfit(view: RebalanceView, state: Scenario, leaving: Sequence[int], places: Places) -> Blocked | None:
    """Why somebody does not fit by the rules of the scheduler once those who leave are gone."""
    attempt = without(state, leaving)
    for pod, node in places:
        if not attempt.fits(pod)[node]:
            return Blocked(Reason.NO_CURE, f"pod/{view.snapshot.pods[pod].key}", attempt.explain(pod))
        attempt.place(pod, node)
    return None


def release(
    state: Scenario, finding: Finding, leaving: Sequence[int], places: Places, worth: float, note: str
) -> Proposal:
    """The proposal that takes its finding's value to the threshold; `state` then has it done."""
    moves = tuple(Move(pod, state.node_of(pod)) for pod in leaving)
    for pod in leaving:
        state.remove(pod)
    for pod, node in places:
        state.place(pod, node)
    return Proposal(
        finding=finding,
        moves=moves,
        benefit=finding.threshold - finding.value,
        worth=worth,
        note=note,
        seats=tuple(Seat(pod, node) for pod, node in places),
        kind=ActionKind.RELEASE,
    )


def short(name: str) -> str:
    """A gang without its dialect."""
    return name.partition(":")[2] or name


def listed(names: Sequence[str], by: str = ", ") -> str:
    """The first few, and how many more there are."""
    more = f"{by if by != ', ' else ' '}and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return by.join(names[:_NAMED]) + more


def granted_to(view: RebalanceView, strategy: str) -> list[Proposal]:
    """What this plan grants to this use of the strategy."""
    return [proposal for proposal in view.granted if proposal.finding.strategy == (view.use or strategy)]
