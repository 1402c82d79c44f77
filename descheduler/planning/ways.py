"""By which executor each unit moves: the gentlest of those that the policy names, which is the first that can.

All pods of an action move in one way. What an executor spares its units is left out of their cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from descheduler.gangs import Units
from descheduler.model.arrays import Mask
from descheduler.model.landing_mode import LandingMode
from descheduler.model.manners import Manner, Part
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.costs import PodCosts

PodFilter = Callable[[Pod], Blocked | None]


@dataclass(frozen=True, slots=True)
class ExecutorTraits:
    """What planning knows of an executor: its name, who decides where pods land, why it cannot move a pod, and what
    its moves are like. `filter` None: it moves whatever may be moved at all.
    """

    name: str = "evict"
    landing: LandingMode = LandingMode.PREDICTED
    filter: PodFilter | None = None
    manner: Manner = field(default_factory=lambda: Manner(()))


def refusing(executors: Sequence[ExecutorTraits]) -> PodFilter | None:
    """Why none of them can move a pod; None where there is one that moves all."""
    filters = [one.filter for one in executors if one.filter is not None]
    if len(filters) < len(executors):
        return None

    def refuses(pod: Pod) -> Blocked | None:
        found = [refuse(pod) for refuse in filters]
        if not all(found):
            return None
        first, *others = (blocked for blocked in found if blocked is not None)
        return replace(first, detail="; ".join([first.detail, *(f"{one.by}: {one.detail}" for one in others)]))

    return refuses


class Ways:
    """The ways of one snapshot. Positions index `snapshot.pods` (P)."""

    def __init__(self, snapshot: ClusterSnapshot, units: Units, executors: Sequence[ExecutorTraits]) -> None:
        self._snapshot, self._units = snapshot, units
        self.executors = tuple(executors)

    def of(self, pods: Iterable[int]) -> ExecutorTraits | Blocked:
        """The one that moves these pods; or what the last one that was asked has against it."""
        pods = tuple(pods)
        blocked: Blocked | None = None
        for one in self.executors:
            blocked = self._against(one, pods)
            if blocked is None:
                return one
        return blocked or Blocked(Reason.EXECUTOR, "policy", "no executor is named")

    def refusal(self, name: str, pods: Iterable[int]) -> Blocked | None:
        """Why the executor of that name, where the policy still names it, cannot move these pods."""
        one = next((one for one in self.executors if one.name == name), None)
        return None if one is None else self._against(one, pods)

    def in_full(self, among: Mask) -> Mask:
        """[P] those of the pods `among` [P] of whose owners there are never fewer ready pods while they move."""
        found = np.zeros(len(among), np.bool_)
        if any(one.manner.full for one in self.executors):
            for pod in np.flatnonzero(among).tolist():
                way = self.of(self._units.moving(pod))
                found[pod] = not isinstance(way, Blocked) and way.manner.full
        return found

    def spared(self, costs: PodCosts, movable: Mask) -> PodCosts:
        """The costs without what the executors of `movable` pods [P] spare them."""
        sparing = {one.name: one.manner.spares for one in self.executors if one.manner.spares}
        if not sparing:
            return costs
        kept = {part: np.ones(len(movable), np.float64) for part in Part}
        for pod in np.flatnonzero(movable).tolist():
            way = self.of(self._units.moving(pod))
            for part in () if isinstance(way, Blocked) else way.manner.spares:
                kept[part][pod] = 0.0
        return PodCosts(
            restart=costs.restart * kept[Part.RESTART],
            warm_up=costs.warm_up * kept[Part.WARM_UP],
            lost_work=costs.lost_work * kept[Part.LOST_WORK],
        )

    def _against(self, executor: ExecutorTraits, pods: Iterable[int]) -> Blocked | None:
        pods = tuple(pods)
        refuses = executor.filter
        asked = (refuses(as_remade(self._snapshot, pod)) for pod in pods) if refuses is not None else ()
        blocked = next((blocked for blocked in asked if blocked is not None), None)
        return self._in_part(executor, pods) if blocked is None and executor.manner.whole else blocked

    def _in_part(self, executor: ExecutorTraits, pods: Sequence[int]) -> Blocked | None:
        """Why an executor that moves whole owners cannot move these pods, where others of their owners would go too."""
        columns = self._snapshot.columns
        owners = columns.pod_workload[list(pods)]
        others = np.setdiff1d(np.flatnonzero(np.isin(columns.pod_workload, owners)), pods)
        left = next((found for other in others if not (found := self._snapshot.pods[other]).terminal), None)
        if left is None:
            return None
        return Blocked(Reason.EXECUTOR, f"executor/{executor.name}", f"{left.key} would go too, and is not of the unit")


def as_remade(snapshot: ClusterSnapshot, pod: int) -> Pod:
    """The pod with the spec and labels that its replacement will have."""
    made, found = snapshot.remade.different.get(pod), snapshot.pods[pod]
    return found if made is None else replace(found, spec=made.spec, labels=made.labels)
