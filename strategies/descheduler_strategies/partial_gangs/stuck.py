"""Which gangs hold a part of what they need and wait for the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Mask, Positions
from descheduler.model.units import Unit
from descheduler_strategies.gang_needs import UNRESOLVED, domains, required_level
from descheduler_strategies.releases import gpus, short, waits


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
    def pods(self) -> tuple[int, ...]:
        """All that it needs."""
        return (*self.holding, *self.waiting)

    @property
    def size(self) -> int:
        """How many members it needs."""
        return len(self.pods)

    @property
    def text(self) -> str:
        """For people."""
        return f"gang {short(self.name)} holds {len(self.holding)} of {self.size}"


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


def _stuck(view: RebalanceView, state: Scenario, unit: Unit, timeout: float) -> Stuck | None:
    snapshot, columns = view.snapshot, view.snapshot.columns
    if unit.blocked is not None and unit.blocked.reason in UNRESOLVED:
        return None
    members = np.array(unit.members, np.int32)
    if columns.pod_ending[members].any():
        return None
    placed = columns.pod_live[members]
    holding: Positions = members[placed]
    left = [pod for pod in members[~placed].tolist() if waits(snapshot.pods[pod], snapshot.taken_at - timeout)]
    missing = unit.min_available - len(holding)
    if not len(holding) or missing <= 0 or len(left) < missing:
        return None
    waiting = sorted(left, key=lambda pod: (-gpus(snapshot.pods[pod]), pod))[:missing]
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
