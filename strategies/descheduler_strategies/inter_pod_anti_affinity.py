"""RemovePodsViolatingInterPodAntiAffinity: pods that stand where required anti-affinity forbids it.

Of the pods that may not stand together as few go as will do. Of two it is the one that goes first by priority, quality
of service and wish; of equals the one that carries the rule, for it says that it would rather be elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from descheduler.contract import Clash, RebalanceView, StrategyArgs
from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.model.moves import Observation, Proposal
from descheduler.model.reasons import Reason
from descheduler_strategies.selection import SelectedArgs, selected
from descheduler_strategies.sorting import first_to_go
from descheduler_strategies.violations import answered, findings, named, standing

NAME = "RemovePodsViolatingInterPodAntiAffinity"
MEASURE = "pods that required anti-affinity forbids where they are"
_PASSING = frozenset(
    {
        Reason.BUDGET_STALE,
        Reason.COOLDOWN,
        Reason.DISRUPTION_BUDGET,
        Reason.NOT_RUNNING,
        Reason.OUTSIDE_WINDOW,
        Reason.QUOTA,
        Reason.ROLLING_OUT,
        Reason.TOO_YOUNG,
    }
)
"""What holds a pod for a while only."""


class InterPodAntiAffinityArgs(SelectedArgs):
    """Move pods away from others that their required anti-affinity, or that of the others, forbids."""


class RemovePodsViolatingInterPodAntiAffinity:
    name: ClassVar[str] = NAME
    order: ClassVar[int] = 10
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = InterPodAntiAffinityArgs

    def propose(self, view: RebalanceView, args: InterPodAntiAffinityArgs) -> Iterator[Proposal | Observation]:
        clashes = view.start.clashes()
        chosen = selected(view, args) & standing(view)
        meeting = _Meeting(view, clashes)
        going = meeting.fewest(chosen & view.movable)
        held = meeting.fewest(chosen & ~view.movable)
        pods = first_to_go(view, np.array([*going, *held], np.int32))

        def say(who: str, mine: Positions) -> str:
            rules = named(key for pod in mine.tolist() for key in meeting.keys[pod])
            return f"required anti-affinity by {rules} is broken by {who}"

        yield from answered(view, self.name, pods, findings(view, pods, self.name, MEASURE, say))


class _Meeting:
    """Pods that meet others whom they may not meet. Positions in `pods` [K] stand for them in all arrays here."""

    def __init__(self, view: RebalanceView, clashes: Sequence[Clash]) -> None:
        sides = [side for clash in clashes for side in (clash.carriers, clash.matched)]
        self.pods = np.unique(np.concatenate(sides)) if sides else np.zeros(0, np.int32)
        self.keys: dict[int, set[str]] = {}
        self._sides: list[tuple[Ints, Ints]] = []
        self._clashes_of: list[list[int]] = [[] for _ in self.pods]
        carries = np.zeros(len(self.pods), np.bool_)
        for number, clash in enumerate(clashes):
            carriers, matched = (np.searchsorted(self.pods, side) for side in (clash.carriers, clash.matched))
            self._sides.append((carriers, matched))
            carries[carriers] = True
            for at in np.union1d(carriers, matched).tolist():
                self._clashes_of[at].append(number)
                self.keys.setdefault(int(self.pods[at]), set()).add(clash.topology_key)
        self._carries = carries
        self._there = np.ones(len(self.pods), np.bool_)
        self._held = np.array([_is_held(view, pod) for pod in self.pods.tolist()], np.bool_)
        rank = np.empty(len(self.pods), np.int64)
        order = np.searchsorted(self.pods, first_to_go(view, self.pods, (~carries).astype(np.int64)))
        rank[order] = np.arange(len(order))
        self._rank = rank
        self._degree = np.zeros(len(self.pods), np.int64)
        for number in range(len(clashes)):
            self._count(number, 1)

    def fewest(self, candidates: Mask) -> list[int]:
        """As few of the `candidates` [P] as part those who meet, as far as they can; the state is then without them.

        Who meets most others goes first (the greedy cover of a graph), of several the first by rank.
        """
        gone: list[int] = []
        able = candidates[self.pods]
        while True:
            open_ = np.flatnonzero(able & self._there & (self._degree > 0))
            if not len(open_):
                return gone
            at = int(open_[np.lexsort((self._rank[open_], -self._degree[open_]))[0]])
            if not self._carries[at] and self._others_should(at):
                able[at] = False
                continue
            self._leave(at)
            gone.append(int(self.pods[at]))

    def _others_should(self, at: int) -> bool:
        """Whether one who carries the rule meets more than this one, and may go as such: it goes another time."""
        carriers = np.concatenate([self._sides[number][0] for number in self._clashes_of[at]])
        more = self._there & ~self._held & (self._degree > self._degree[at])
        return bool(more[carriers].any())

    def _leave(self, at: int) -> None:
        for number in self._clashes_of[at]:
            self._count(number, -1)
        self._there[at] = False
        for number in self._clashes_of[at]:
            self._count(number, 1)

    def _count(self, number: int, sign: int) -> None:
        """Add or take away what one clash makes of the degrees: how many others each of it meets."""
        carriers, matched = (side[self._there[side]] for side in self._sides[number])
        self._degree[carriers] += sign * (len(matched) - np.isin(carriers, matched))
        self._degree[matched] += sign * (len(carriers) - np.isin(matched, carriers))


def _is_held(view: RebalanceView, pod: int) -> bool:
    """Whether the pod may not move, and will not be let go in a while either."""
    blocked = None if view.movable[pod] else view.blocked(pod)
    return blocked is not None and blocked.reason not in _PASSING
