"""By which executor each unit moves: the gentlest of those that the policy names for it, which is the first that can.

All pods of an action move in one way. What an executor spares its units is left out of their cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from descheduler.gangs import Units
from descheduler.model.arrays import Ints, Mask
from descheduler.model.manners import Part
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.alike import alike
from descheduler.planning.costs import PodCosts
from descheduler.planning.executor_rules import ExecutorChoice, ExecutorTraits, OrderRule

_ONLY_MOVES = Blocked(Reason.EXECUTOR, "executor", "it moves units to where there is room, and lets none wait")


class Ways:
    """The ways of one snapshot. Positions index `snapshot.pods` (P)."""

    def __init__(
        self,
        snapshot: ClusterSnapshot,
        units: Units,
        executors: Sequence[ExecutorTraits],
        rules: Sequence[OrderRule] = (),
    ) -> None:
        self._snapshot, self._units = snapshot, units
        self.executors = tuple(executors)
        self._choice = ExecutorChoice(snapshot, executors, rules)
        self._orders: dict[int, tuple[ExecutorTraits, ...]] = {}  # by what pods are alike in
        self._answers: dict[tuple[str, int], Blocked | None] = {}  # by executor, and the same

    def of(self, pods: Iterable[int]) -> ExecutorTraits | Blocked:
        """The one that moves these pods; or what the last one that was asked has against it."""
        pods = tuple(pods)
        blocked: Blocked | None = None
        for one in self._among(pods):
            blocked = self._against(one, pods)
            if blocked is None:
                return one
        return blocked or Blocked(Reason.EXECUTOR, "policy", "no executor is named for all of its pods")

    def releasing(self, pods: Iterable[int]) -> ExecutorTraits | Blocked:
        """The one by which these pods let go of what they hold, those of their owners that wait themselves left out."""
        pods = tuple(pods)
        found: list[str] = []
        for one in self._among(pods):
            blocked = self._against(one, pods, holding=True) if one.manner.releases else _ONLY_MOVES
            if blocked is None:
                return one
            found.append(f"{one.name}: {blocked.detail}")
        return Blocked(Reason.EXECUTOR, "policy", "; ".join(found) or "no executor is named for all of its pods")

    def gentler(self, pods: Iterable[int]) -> tuple[str, ...]:
        """Why those cannot that would be gentler than the one that moves these pods."""
        pods = tuple(pods)
        found: list[str] = []
        for one in self._among(pods):
            blocked = self._against(one, pods)
            if blocked is None:
                return tuple(found)
            found.append(f"{one.name}: {blocked.detail}")
        return ()

    def refusal(self, name: str, pods: Iterable[int], *, releases: bool = False) -> Blocked | None:
        """Why the executor of that name, where the policy still names it, cannot move these pods, or let them go."""
        one = next((one for one in self.executors if one.name == name), None)
        return None if one is None else self._against(one, pods, holding=releases)

    def in_full(self, among: Mask) -> Mask:
        """[P] those of the pods `among` [P] of whose owners there are never fewer ready pods while they move."""
        full = np.array([*(one.manner.full for one in self.executors), False], np.bool_)
        found: Mask = full[self._each(among)] if full.any() else np.zeros(len(among), np.bool_)
        return found

    def spared(self, costs: PodCosts, movable: Mask) -> PodCosts:
        """The costs without what the executors of `movable` pods [P] spare them."""
        if not any(one.manner.spares for one in self.executors):
            return costs
        ways = self._each(movable)
        kept = {
            part: np.array([*(part not in one.manner.spares for one in self.executors), True], np.float64)[ways]
            for part in Part
        }
        return PodCosts(
            restart=costs.restart * kept[Part.RESTART],
            warm_up=costs.warm_up * kept[Part.WARM_UP],
            lost_work=costs.lost_work * kept[Part.LOST_WORK],
        )

    def _each(self, among: Mask) -> Ints:
        """[P] the position of who moves the unit of each of the pods `among` [P]; -1 where nobody does, of others too.

        Asked once of pods that are alike, and once of each gang that moves whole.
        """
        found: Ints = np.full(len(among), -1, np.int64)
        alone = among & (self._units.unit_index < 0)
        _, first, rows = np.unique(alike(self._snapshot)[alone], return_index=True, return_inverse=True)
        asked = np.flatnonzero(alone)[first].tolist()
        found[alone] = np.array([self._position((pod,)) for pod in asked], np.int64)[rows.reshape(-1)]
        known: dict[tuple[int, ...], int] = {}
        for pod in np.flatnonzero(among & ~alone).tolist():
            pods = self._units.moving(pod)
            if pods not in known:
                known[pods] = self._position(pods)
            found[pod] = known[pods]
        return found

    def _position(self, pods: tuple[int, ...]) -> int:
        way = self.of(pods)
        return -1 if isinstance(way, Blocked) else self.executors.index(way)

    def _among(self, pods: tuple[int, ...]) -> tuple[ExecutorTraits, ...]:
        """Those that may move all of them."""
        orders = dict.fromkeys(map(self._order, pods))
        first, *others = orders or ((),)
        return tuple(one for one in first if all(one in order for order in others))

    def _order(self, pod: int) -> tuple[ExecutorTraits, ...]:
        look = int(alike(self._snapshot)[pod])
        if look not in self._orders:
            self._orders[look] = self._choice.among(as_remade(self._snapshot, pod))
        return self._orders[look]

    def _against(self, executor: ExecutorTraits, pods: Iterable[int], *, holding: bool = False) -> Blocked | None:
        pods = tuple(pods)
        blocked = None
        if executor.filter is not None:
            blocked = next((found for pod in pods if (found := self._answer(executor, pod)) is not None), None)
        return self._in_part(executor, pods, holding) if blocked is None and executor.manner.whole else blocked

    def _answer(self, executor: ExecutorTraits, pod: int) -> Blocked | None:
        key = executor.name, int(alike(self._snapshot)[pod])
        if key not in self._answers:
            refuses = executor.filter
            self._answers[key] = None if refuses is None else refuses(as_remade(self._snapshot, pod))
        return self._answers[key]

    def _in_part(self, executor: ExecutorTraits, pods: Sequence[int], holding: bool) -> Blocked | None:
        """Why an executor that moves whole owners cannot move these pods, where others of their owners would go too;
        `holding`: others that hold something."""
        columns = self._snapshot.columns
        there = self._holding if holding else self._running
        owners, counts = np.unique(columns.pod_workload[list(pods)], return_counts=True)
        short = owners[counts < there[owners]]
        if not short.size:
            return None
        mine = (columns.pod_workload == short[0]) & ~columns.pod_terminal
        others = np.setdiff1d(np.flatnonzero(mine & ((columns.pod_node >= 0) | (not holding))), pods)
        text = f"{self._snapshot.pods[others[0]].key} would go too, and is not of the unit"
        return Blocked(Reason.EXECUTOR, f"executor/{executor.name}", text)

    @cached_property
    def _running(self) -> Ints:
        """[W] how many pods that have not finished each workload has."""
        return self._counted(~self._snapshot.columns.pod_terminal)

    @cached_property
    def _holding(self) -> Ints:
        """[W] how many of them have a node."""
        columns = self._snapshot.columns
        return self._counted(~columns.pod_terminal & (columns.pod_node >= 0))

    def _counted(self, among: Mask) -> Ints:
        """[W] how many of the pods `among` [P] each workload has."""
        columns = self._snapshot.columns
        found: Ints = np.bincount(columns.pod_workload[among], minlength=len(columns.workloads))
        return found


def as_remade(snapshot: ClusterSnapshot, pod: int) -> Pod:
    """The pod with the spec and labels that its replacement will have."""
    made, found = snapshot.remade.different.get(pod), snapshot.pods[pod]
    return found if made is None else replace(found, spec=made.spec, labels=made.labels)
