"""Which gangs hold a part of what they need and wait for the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.contract import GPU_WEIGHT, RebalanceView, Scenario
from descheduler.model.arrays import Mask, Positions
from descheduler.model.pods import Pod
from descheduler.model.units import Unit
from descheduler_strategies.gang_needs import UNRESOLVED, domains, required_level


@dataclass(frozen=True, eq=False, slots=True)
class Stuck:
    """A gang: the members that are `holding` a place, and as many of the `waiting` ones as it needs to start.

    `inside` [N] are the nodes of the domain in which it must stay, None where it may go anywhere.
    """

    name: str
    namespace: str
    holding: tuple[int, ...]
    waiting: tuple[int, ...]
    priority: int
    since: float
    inside: Mask | None

    @property
    def size(self) -> int:
        """How many members it needs."""
        return len(self.holding) + len(self.waiting)

    @property
    def text(self) -> str:
        """For people."""
        return f"gang {self.name.partition(':')[2] or self.name} holds {len(self.holding)} of {self.size}"


def stuck_gangs(view: RebalanceView, timeout: float) -> list[Stuck]:
    """By name. Of a gang that is on the move, or of whom it is not known how many it needs, nothing is said."""
    state = view.what_if()
    moved = {move.pod for proposal in view.granted for move in proposal.moves}
    seated = {seat.pod for proposal in view.granted for seat in proposal.seats}
    found = (
        _stuck(view, state, unit, timeout)
        for unit in view.units.gangs
        if moved.isdisjoint(unit.members) and seated.isdisjoint(unit.members)
    )
    return sorted((one for one in found if one is not None), key=lambda one: one.name)


def worth_of(view: RebalanceView, gang: Stuck) -> float:
    """Cores that its members ask for, a GPU as `GPU_WEIGHT`."""
    pods = (*gang.holding, *gang.waiting)
    cores = float(view.snapshot.columns.requests(np.array(pods, np.int32))[:, 0].sum()) / 1000.0
    return cores + GPU_WEIGHT * sum(_gpus(view.snapshot.pods[pod]) for pod in pods)


def _stuck(view: RebalanceView, state: Scenario, unit: Unit, timeout: float) -> Stuck | None:
    snapshot, columns = view.snapshot, view.snapshot.columns
    if unit.blocked is not None and unit.blocked.reason in UNRESOLVED:
        return None
    members = np.array(unit.members, np.int32)
    if columns.pod_ending[members].any():
        return None
    placed = columns.pod_live[members]
    holding: Positions = members[placed]
    left = [pod for pod in members[~placed].tolist() if _waits(snapshot.pods[pod], snapshot.taken_at - timeout)]
    missing = unit.min_available - len(holding)
    if not len(holding) or missing <= 0 or len(left) < missing:
        return None
    waiting = sorted(left, key=lambda pod: (-_gpus(snapshot.pods[pod]), pod))[:missing]
    first = snapshot.pods[waiting[0]]
    level = required_level(snapshot, first)
    return Stuck(
        name=unit.name,
        namespace=first.namespace,
        holding=tuple(holding.tolist()),
        waiting=tuple(waiting),
        priority=max(snapshot.pods[pod].priority for pod in (*holding.tolist(), *waiting)),
        since=min(snapshot.pods[pod].created for pod in waiting),
        inside=_domain(view, state, int(holding[0]), level) if level else None,
    )


def _domain(view: RebalanceView, state: Scenario, pod: int, level: str) -> Mask:
    """[N] the nodes in the domain where the pod is."""
    of = domains(view.snapshot, level)
    mine: Mask = (of >= 0) & (of == of[state.node_of(pod)])
    return mine


def _waits(pod: Pod, before: float) -> bool:
    """Whether it has waited for a node since `before` (unix seconds), and the scheduler holds none for it."""
    over = pod.terminal or pod.gated or pod.deleting is not None or bool(pod.problem)
    return not over and not pod.node and not pod.nominated and pod.created <= before


def _gpus(pod: Pod) -> float:
    return pod.spec.gpu.devices if pod.spec.gpu is not None else 0.0
