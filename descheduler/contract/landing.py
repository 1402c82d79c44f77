"""Where a pod will land, and whether that is good: the one rule that strategies and proofs share.

On a plain cluster the scheduler decides, not we. What is likely must therefore be good: the probability of landing on
the source again, on a node that is about to go, or on one that the caller does not accept, may not exceed an agreed
risk. A state that steers is asked with the taint on the source, as it will be. Where the executor holds a place, any
good node with room will do. Where replacements are directed, good nodes are named, as few as it takes that the
scheduler, which prefers them then, will probably choose one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.contract.scenario import Scenario
from descheduler.model.arrays import Floats, Mask, Positions
from descheduler.model.directing import direction_of
from descheduler.model.format import plural
from descheduler.model.landing_mode import LandingMode
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import Outlook, sample_size

Accept = Callable[[Positions], Mask]
"""[K] which of K nodes would be good for the pod, in the present state."""


MOST_NAMED = 64
"""Good nodes that a pod is directed to at most. Where the scheduler looks at a part of a large cluster only
(`scheduler.outlook.sample_size`), one node may not be among those."""
MISSED = 0.05
"""Accepted probability that the scheduler looks at none of those that are named, where there are more good ones."""
_SPARE = 4  # nodes that are asked beyond those that are needed, in case some are not good
_AT_ONCE = 128  # nodes that are asked at most whether they are good in one go; a large cluster has far more than needed


@dataclass(frozen=True, slots=True)
class Landing:
    """`nodes` are the good ones, likeliest (or most wished) first; `share` is their probability together; `likely` is
    all. `candidates` nodes besides the source have room. `towards` are those that the pod is directed to, under the key
    `direction` (`model.directing.direction_of`); `others` that were looked at would have been good too."""

    nodes: tuple[int, ...]
    share: float
    likely: tuple[tuple[int, float], ...]
    candidates: int
    towards: tuple[int, ...] = ()
    direction: str = ""
    others: tuple[int, ...] = ()


def land(
    snapshot: ClusterSnapshot,
    state: Scenario,
    pod: int,
    source: int,
    accept: Accept,
    max_risk: float,
    bad: Reason,
    wished: Sequence[int] = (),
    named: Sequence[int] = (),
    *,
    only: bool = False,
) -> Landing | Blocked:
    """Where the pod, removed from `source` in `state`, will be; or why not: NO_PLACE, WOULD_STAY, NODE_LEAVING, `bad`.

    `wished` nodes, best first, come before others where the plan chooses; elsewhere a wish changes nothing. `named`
    are nodes that pods are directed to already under its key. `only`: the caller accepts no others than the wished.
    """
    search = _Search(snapshot, state, state.outlook(pod), pod, source, accept, max_risk, bad, only)
    if state.mode is LandingMode.RESERVED:
        return search.reserved(wished)
    if state.mode is LandingMode.DIRECTED and snapshot.maker(snapshot.pods[pod]) is not None:
        return search.directed(wished, named)
    return search.predicted()


@dataclass(frozen=True, slots=True)
class _Search:
    """One pod that looks for its place: the arguments of `land`, and where it could be."""

    snapshot: ClusterSnapshot
    state: Scenario
    seen: Outlook
    pod: int
    source: int
    accept: Accept
    max_risk: float
    bad: Reason
    only: bool

    @property
    def key(self) -> str:
        return f"pod/{self.snapshot.pods[self.pod].key}"

    def predicted(self) -> Landing | Blocked:
        """Where the scheduler will probably put it."""
        room, likely = self.seen.room, self.state.expected(self.seen, self.source)
        if all(node == self.source for node, _ in likely):
            if likely and len(room) > 1:
                return Blocked(Reason.WOULD_STAY, self.key, "other nodes could take it, its own scores best")
            return Blocked(Reason.NO_PLACE, self.key, self.state.explain(self.pod))
        nodes = np.array([node for node, _ in likely], np.int32)
        shares = np.array([share for _, share in likely])
        back = float(shares[nodes == self.source].sum())
        if back > self.max_risk:
            return Blocked(Reason.WOULD_STAY, self.key, f"probability {back:.0%}")
        stays = self.state.stays(self.pod, nodes)
        good = self.accept(nodes) & (nodes != self.source) & stays
        share = float(shares[good].sum())
        if share < 1.0 - self.max_risk or not good.any():  # whatever the risk, a move has a destination
            worst = int(np.argmin(good))
            name = self.snapshot.nodes[int(nodes[worst])].name
            reason = self.bad if stays[worst] else Reason.NODE_LEAVING
            return Blocked(reason, f"node/{name}", f"{self.key} would probably land there")
        others = room[room != self.source]
        return Landing(tuple(nodes[good].tolist()), share, likely, int(self.state.stays(self.pod, others).sum()))

    def reserved(self, wished: Sequence[int]) -> Landing | Blocked:
        """On the good nodes with room, in order of preference."""
        nodes, _, room = self._preferred(wished)
        if not room:
            return Blocked(Reason.NO_PLACE, self.key, self.state.explain(self.pod))
        good = nodes[self.accept(nodes)].tolist()
        if not good:
            return self._none_is_good(room)
        return Landing(tuple(good), 1.0, ((good[0], 1.0),), room)

    def directed(self, wished: Sequence[int], named: Sequence[int]) -> Landing | Blocked:
        """On one of as few good nodes, in order of preference, as it takes that the scheduler looks at one."""
        nodes, liked, room = self._preferred(wished)
        if not room:
            return Blocked(Reason.NO_PLACE, self.key, self.state.explain(self.pod))
        known = _Known(self.accept, len(self.snapshot.nodes))
        good, count = _Good(nodes, known.good), self._found_among(room)
        best = good.first(1)
        if not best:
            return self._none_is_good(room)
        if count > 1:
            good = _Good(_beside(best[0], nodes, liked), known.good)
        towards, likely = self._towards(good, count, named)
        there = np.array([node for node, _ in likely], np.int32)
        shares = np.array([share for _, share in likely])
        fine = known.good(there) & (there != self.source) & self.state.stays(self.pod, there)
        share = float(shares[fine].sum())
        if share < 1.0 - self.max_risk or not fine.any():
            reason = Reason.WOULD_STAY if self.source in there[~fine] else self.bad
            text = (
                f"directed to {plural(len(towards), 'node')}, it would land on a good one with probability {share:.0%}"
            )
            return Blocked(reason, self.key, text)
        key = direction_of(self.snapshot.pods[self.pod])
        others = tuple(node for node in good.found if node not in towards)
        return Landing(tuple(there[fine].tolist()), share, likely, room, towards, key, others)

    def _towards(
        self, good: _Good, count: int, named: Sequence[int]
    ) -> tuple[tuple[int, ...], tuple[tuple[int, float], ...]]:
        """Those that are named, `count` of the good ones and twice as many as long as that is not enough, and where the
        pod is expected then."""
        while True:
            chosen = good.first(count)
            towards = tuple(dict.fromkeys((*named, *chosen)))
            likely = self.state.expected(self.seen, self.source, towards)
            shares = np.array([share for node, share in likely if node in towards])
            enough = float(shares.sum()) >= 1.0 - self.max_risk
            if enough or len(chosen) < count or count >= MOST_NAMED:
                return towards, likely
            count *= 2

    def _found_among(self, room: int) -> int:
        """How many of the nodes with `room` must be named that one is among those that the scheduler scores."""
        look, missed = min(1.0, sample_size(len(self.snapshot.nodes)) / room), min(self.max_risk, MISSED)
        if look >= 1.0 - missed:
            return 1
        return min(MOST_NAMED, math.ceil(math.log(max(missed, 1e-6)) / math.log1p(-look)))

    def _none_is_good(self, room: int) -> Blocked:
        return Blocked(self.bad, self.key, f"{room} nodes have room, none of them would be good")

    def _preferred(self, wished: Sequence[int]) -> tuple[Positions, Floats, int]:
        """[K] nodes with room besides the source that may be good: as wished, then in the scheduler's own order, then
        by position; [N] its scores of all with room, and how many these are."""
        nodes = self.seen.room.astype(np.int32)
        able = self.state.stays(self.pod, nodes) & (nodes != self.source)
        scores = np.full(len(self.snapshot.nodes), -np.inf)
        room = int(able.sum())
        if not room:
            return nodes[:0], scores, 0
        scores[nodes[able]] = self.seen.totals()[able]
        first = np.array([node for node in dict.fromkeys(wished) if scores[node] > -np.inf], np.int32)
        if self.only:
            return first, scores, room
        named = np.zeros(len(scores), np.bool_)
        named[first] = True
        others = nodes[able & ~named[nodes]]
        small = scores[others].astype(np.int16)  # no sum of scores is above 1,100, and these are sorted by counting
        return np.concatenate((first, others[np.argsort(-small, kind="stable")])), scores, room


def _beside(best: int, nodes: Positions, liked: Floats) -> Positions:
    """[K] `nodes`, the `best` first, then those that the scheduler likes less than it (`liked` [N] are its scores).

    Of all that are named it takes the one that it likes most, among those that it looks at.
    """
    others = nodes[nodes != best]
    more = liked[others] >= liked[best]
    return np.concatenate((np.array([best], np.int32), others[~more], others[more]))


class _Known:
    """Which of the nodes are good, each asked once."""

    def __init__(self, accept: Accept, nodes: int) -> None:
        self._accept = accept
        self._asked = np.zeros(nodes, np.bool_)
        self._good = np.zeros(nodes, np.bool_)

    def good(self, nodes: Positions) -> Mask:
        new = nodes[~self._asked[nodes]]
        if len(new):
            self._good[new], self._asked[new] = self._accept(new), True
        found: Mask = self._good[nodes]
        return found


class _Good:
    """The good ones of many nodes, asked for in their order and no further than needed."""

    def __init__(self, nodes: Positions, accept: Accept) -> None:
        self._nodes, self._accept = nodes, accept
        self._asked = 0
        self.found: list[int] = []

    def first(self, count: int) -> list[int]:
        """The first `count` good nodes, fewer where there are no more."""
        at_once = min(count + _SPARE, _AT_ONCE)  # those that are wished for are good, as a rule
        while len(self.found) < count and self._asked < len(self._nodes):
            part = self._nodes[self._asked : self._asked + at_once]
            self.found += part[self._accept(part)].tolist()
            self._asked, at_once = self._asked + len(part), _AT_ONCE
        return self.found[:count]
