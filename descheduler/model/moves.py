"""What strategies say: findings, moves, and all-or-nothing proposals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from descheduler.model.action_kind import ActionKind as ActionKind
from descheduler.model.arrays import Mask, Positions
from descheduler.model.reasons import Blocked
from descheduler.model.subjects import Subject

FindingKey = tuple[str, Subject, str]
"""What makes two findings the same one: strategy (by the name of its use), subject, resource."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, with numbers.

    `strategy` is the one that found it, in a plan by the name that its policy gives to that use of it. `subject` is the
    object that it is about; `measure` what is measured ("p95 cpu in the next hour, fraction of
    allocatable"); `value` against `threshold`. `since` and `until` are unix seconds of the expected excess, where a
    forecast gives them. `nodes` are positions of the nodes concerned, `curve` the forecast (fractions, one per step)
    of `resource` at `quantile`, of which the first `horizon_seconds` count.
    """

    strategy: str
    subject: Subject
    measure: str
    value: float
    threshold: float
    text: str
    nodes: tuple[int, ...] = ()
    since: float | None = None
    until: float | None = None
    curve: tuple[float, ...] = ()
    step_seconds: int = 0
    resource: str = ""
    quantile: float = 0.0
    horizon_seconds: float = 0.0
    bound: float | None = None  # the best value that any plan within the same limits could reach, where proven
    numbers: tuple[tuple[str, float], ...] = ()  # further ones, each by a name with its unit: ("idle GPU-hours", 12.5)

    @property
    def key(self) -> FindingKey:
        """By which the finding is known within a plan."""
        return (self.strategy, self.subject, self.resource)


class Placed(Protocol):
    """A state, as far as it tells where pods are in it."""

    @property
    def moved(self) -> Mapping[int, int]:
        """Pods whose place differs from the snapshot's, and where they are now (-1: nowhere)."""
        ...

    def node_of(self, pod: int) -> int:
        """Position of the pod's node, -1 when it has none."""
        ...


class Promise(Protocol):
    """What must be true of the node on which a pod lands for its move to do what it is for; a value, and pure."""

    def keeps(self, state: Placed, pod: int, nodes: Positions) -> Mask:
        """[K] whether the pod keeps the promise on each of these nodes, in a state in which it is nowhere."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Among:
    """The promise that it is one of some nodes, `mask` [N]; many moves share it."""

    mask: Mask

    def keeps(self, state: Placed, pod: int, nodes: Positions) -> Mask:
        """[K] for the nodes."""
        found: Mask = self.mask[nodes]
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Among) and np.array_equal(self.mask, other.mask)

    def __hash__(self) -> int:
        return hash(self.mask.tobytes())


@dataclass(frozen=True, slots=True)
class Move:
    """One pod from `source` to, preferably, one of `destinations` (positions of nodes, best first; empty: anywhere).

    `only`: what is promised holds on its destinations alone, so that one of them must be where it will probably land.
    `promise` says the same of nodes that nobody prefers to others.
    """

    pod: int
    source: int
    destinations: tuple[int, ...] = ()
    only: bool = False
    promise: Promise | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """A pending pod, and the node on which a proposal makes room for it."""

    pod: int
    node: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """An all-or-nothing bundle of moves that answers one finding.

    `benefit` is in the finding's own measure; `worth` is the same in cost units (core-seconds or GPU-seconds weighted
    as `descheduler.planning.costs` does), so that proposals of different strategies can be compared. `seats` are the
    pending pods that it makes room for: they must all fit, together, once the moves are done; a release has some.
    `avoid` are nodes, besides the sources and those of the seats, that replacements had better leave free: where the
    policy says `acting.landing: steered`, they are steered away from all of these while the moves are under way.
    `staged`: where budgets do not let all of it go at once, its units may go in several waves, one after the other.
    `follows`: it is judged right after the proposal of its strategy before it, and the two, with all that follow, are
    accepted together or not at all. They stay actions of their own: what a wave cannot do of one does not hold up the
    others. `cordon` are nodes that take nobody while the moves are under way, because they are cordoned for so long.
    """

    finding: Finding
    moves: tuple[Move, ...]
    benefit: float
    worth: float
    note: str = ""
    seats: tuple[Seat, ...] = ()
    avoid: tuple[int, ...] = ()
    staged: bool = False
    follows: bool = False
    kind: ActionKind = ActionKind.MOVE
    cordon: tuple[int, ...] = ()

    @property
    def vacating(self) -> tuple[int, ...]:
        """Positions of the nodes that replacements had better leave free, in order: sources, seats, what it avoids; of
        what only leaves none."""
        if self.kind is not ActionKind.MOVE:
            return ()
        return tuple(sorted({*(move.source for move in self.moves), *(seat.node for seat in self.seats), *self.avoid}))


@dataclass(frozen=True, slots=True)
class Tried:
    """Pods that would have left together to answer a finding, and why they may not."""

    pods: tuple[int, ...]
    blocked: Blocked


@dataclass(frozen=True, slots=True)
class Observation:
    """A finding that a strategy leaves alone, and why (a spike that passes, nothing that cures it, data too thin).

    `tried` are all units that it tried in vain, each with its own refusal: the plan counts their reasons. `blocked` is
    then the one that says most of the finding: the most frequent of these, or what came of them together.
    """

    finding: Finding
    blocked: Blocked
    pods: tuple[int, ...] = field(default=())
    tried: tuple[Tried, ...] = ()
