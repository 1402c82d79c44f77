"""Who waits for GPUs: pending pods and gangs, as requests that a search can answer."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.moves import Seat
from descheduler.model.pods import Pod
from descheduler.packing.make_room.demands import Demand
from descheduler.packing.state import Shapes
from descheduler_strategies.gang_needs import UNRESOLVED, domains, required_level
from descheduler_strategies.gpu_defragmentation.args import PendingChoice


@dataclass(frozen=True, eq=False, slots=True)
class Waiting:
    """A gang, or a pod alone, that has no place yet.

    `pods` are those that must start together, ascending (of a gang no more than its minimum needs); `gpus` what they
    hold together; `domain` [N] ids of the places of which all must share one (None: anywhere).
    """

    name: str
    pods: tuple[int, ...]
    gpus: float
    priority: int
    since: float
    within: str = ""
    domain: NDArray[np.int32] | None = None

    @property
    def text(self) -> str:
        """For people: the gang, or the pod."""
        return self.name if len(self.pods) == 1 else f"gang {self.name} of {len(self.pods)}"


def waiting(view: RebalanceView, choice: PendingChoice) -> list[Waiting]:
    """All that the choice names, that asks for GPUs and was granted no room yet: highest priority first, then age.

    For a nominated pod the scheduler keeps room itself.
    """
    snapshot = view.snapshot
    unbound = np.flatnonzero(snapshot.columns.pod_node < 0)
    granted = {seat.pod for proposal in view.granted for seat in proposal.seats}
    units: dict[str, list[int]] = {}
    for pod in unbound.tolist():
        kept = snapshot.pods[pod].nominated in snapshot.node_index
        if not kept and pod not in granted and _waits(snapshot.pods[pod], snapshot.taken_at, choice):
            units.setdefault(view.units.of(pod).name, []).append(pod)
    found = [w for name, pods in units.items() if (w := _of(view, name, pods, choice)) is not None]
    return sorted(found, key=lambda w: (-w.priority, w.since, w.name))


def _waits(pod: Pod, now: float, choice: PendingChoice) -> bool:
    old = now - pod.created >= choice.older_than.total_seconds()
    return (
        not pod.terminal and not pod.gated and not pod.node and pod.deleting is None and not pod.problem
        and old and pod.priority >= choice.min_priority
    )  # fmt: skip


def pending_with_gpus(view: RebalanceView) -> list[int]:
    """All pods that ask for GPUs and have no node, ascending, whatever keeps them from one."""
    snapshot = view.snapshot
    return [
        p
        for p in np.flatnonzero(snapshot.columns.pod_node < 0).tolist()
        if _gpus(snapshot.pods[p]) and not snapshot.pods[p].terminal and not snapshot.pods[p].node
    ]


def _of(view: RebalanceView, name: str, pods: list[int], choice: PendingChoice) -> Waiting | None:
    """The members that are still needed; None when nobody of them asks for GPUs, or the choice does not name it."""
    snapshot = view.snapshot
    unit = view.units.of(pods[0])
    full = name.partition(":")[2] or name
    if choice.names and not any(fnmatch.fnmatchcase(full, pattern) for pattern in choice.names):
        return None
    if unit.blocked is not None and unit.blocked.reason in UNRESOLVED:
        return None
    running = sum(1 for m in unit.members if snapshot.columns.pod_live[m])
    needed = max(1, unit.min_available - running) if unit.gang else 1
    chosen = tuple(sorted(pods, key=lambda p: (-_gpus(snapshot.pods[p]), p))[:needed])
    if not _gpus(snapshot.pods[chosen[0]]) or len(chosen) < needed:
        return None
    within = required_level(snapshot, snapshot.pods[chosen[0]]) or (choice.within if unit.gang else "")
    return Waiting(
        name=full,
        pods=chosen,
        gpus=sum(_gpus(snapshot.pods[p]) for p in chosen),
        priority=max(snapshot.pods[p].priority for p in chosen),
        since=min(snapshot.pods[p].created for p in chosen),
        within=within,
        domain=domains(snapshot, within) if within else None,
    )


def _gpus(pod: Pod) -> float:
    request = pod.spec.gpu
    return request.devices if request is not None else 0.0


def demand_of(one: Waiting, shapes: Shapes, shape_of: dict[int, int], pool: NDArray[np.bool_]) -> tuple[Demand, int]:
    """What each member with GPUs takes (the most that any of them does) on nodes of the `pool` [N], and how many such
    members there are."""
    rows = np.array([shape_of[p] for p in one.pods])
    rows = rows[shapes.count[rows] > 0]
    largest = shapes.amounts[rows].max(axis=0)
    nodes = shapes.allowed[rows].all(axis=0) & pool
    return Demand(
        amounts=tuple(int(x) for x in largest),
        gpus=int(shapes.count[rows].max()),
        milli=int(shapes.milli[rows].max()),
        nodes=nodes,
    ), len(rows)


def seat(state: Scenario, one: Waiting, preferred: Sequence[int], pool: NDArray[np.bool_]) -> tuple[Seat, ...] | int:
    """Give every member a node of the `pool` [N] on which it fits, preferred ones first, and place it in `state`.

    Returns the seats, or the member that finds none.
    """
    left = list(preferred)
    seats: list[Seat] = []
    inside = _domain(one, preferred)
    for pod in one.pods:
        fits = state.fits(pod)
        if inside is not None:
            fits = fits & inside
        node = next((n for n in left if fits[n]), -1)
        if node >= 0:
            left.remove(node)
        else:
            able = np.flatnonzero(fits & pool) if state.gpu_need(pod) is not None else np.flatnonzero(fits)
            if not len(able):
                return pod
            node = int(able[0])
        state.place(pod, node)
        seats.append(Seat(pod, node))
    return tuple(seats)


def _domain(one: Waiting, preferred: Sequence[int]) -> NDArray[np.bool_] | None:
    if one.domain is None or not preferred:
        return None
    same: NDArray[np.bool_] = one.domain == one.domain[preferred[0]]
    return same
