"""Which pods may be moved at all, and for the others why not: one gate after the other, cheapest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from descheduler.gangs import Units
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.budgets.match import Matches, match_budgets
from descheduler.planning.filters.context import Gate, Mask, Scene
from descheduler.planning.filters.disruption import budget_gates, consequence_gates, ledger_gates, member_gate
from descheduler.planning.filters.opt_outs import choice_gates, protection_gates, reluctant
from descheduler.planning.filters.pod import pod_gates
from descheduler.planning.filters.quota import quota_gates
from descheduler.planning.filters.rules import GatePolicy, LedgerView
from descheduler.planning.filters.window import window_gates

__all__ = ["GatePolicy", "Gates", "LedgerView", "build_gates"]

REASONS = tuple(Reason)


class Gates:
    """The verdict of all gates over the pods of a snapshot (P).

    `movable` [P] is True where no gate stops the pod. `reason_code` [P] is the position in `REASONS` of the first
    gate's reason, -1 where movable. `reluctant` [P] marks pods that prefer not to be evicted, whether or not they may.
    `matches` are the disruption budgets of each pod, for whoever needs them next.
    """

    def __init__(self, pods: int, matches: Matches, reluctant: Mask) -> None:
        self.matches = matches
        self.reluctant = reluctant
        self._gates: list[Gate] = []
        self._first: NDArray[np.int16] = np.full(pods, -1, np.int16)

    def add(self, gates: Iterable[Gate]) -> None:
        """Put further gates behind the others."""
        for gate in gates:
            self._first[gate.mask & (self._first < 0)] = len(self._gates)
            self._gates.append(gate)

    @property
    def movable(self) -> Mask:
        free: Mask = self._first < 0
        return free

    @property
    def reason_code(self) -> NDArray[np.int16]:
        codes = np.array([*(REASONS.index(gate.reason) for gate in self._gates), -1], np.int16)
        found: NDArray[np.int16] = codes[self._first]
        return found

    def blocked(self, pod: int) -> Blocked | None:
        """What stops the pod first; None when it may move."""
        at = int(self._first[pod])
        return None if at < 0 else self._gates[at].explain(pod)

    def together(self, pods: Sequence[int]) -> Blocked | None:
        """What keeps the pods from leaving all at once, though each of them may; None when nothing does."""
        judging = (gate.together for gate in self._gates if gate.together is not None)
        return next((blocked for judge in judging if (blocked := judge(pods)) is not None), None)

    def every(self, pod: int) -> tuple[Blocked, ...]:
        """Everything that stops the pod, in the order of the gates."""
        return tuple(gate.explain(pod) for gate in self._gates if gate.mask[pod])


def build_gates(
    snapshot: ClusterSnapshot,
    units: Units,
    policy: GatePolicy,
    *,
    now: float,
    ledger: LedgerView | None = None,
    matches: Matches | None = None,
    in_flight: Collection[int] = (),
) -> Gates:
    """Judge every pod. `now` in unix seconds; `matches` may be given to save the time of matching budgets.

    `in_flight` are pods that are being moved already, even if the snapshot does not show it yet.
    """
    matches = match_budgets(snapshot) if matches is None else matches
    scene = Scene(snapshot, units, policy, matches, now, ledger, in_flight)
    gates = Gates(len(snapshot.pods), matches, reluctant(scene))
    gates.add(pod_gates(scene))
    gates.add(choice_gates(scene))
    gates.add(protection_gates(scene))
    gates.add(consequence_gates(scene))
    gates.add(budget_gates(scene))
    gates.add(quota_gates(scene))
    gates.add(ledger_gates(scene, gates.movable))
    gates.add(window_gates(scene))
    gates.add(member_gate(scene, ~gates.movable))
    return gates
