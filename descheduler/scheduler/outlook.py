"""Which node the scheduler takes for one pod in one state, with whatever taints and directions of ours.

Where the pod fits, and what most scores come to, is worked out once; what we add to a cluster is then tried on it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property

import numpy as np

from descheduler.model.arrays import Indices, Ints
from descheduler.scheduler.scoring import Scores

_NEGLIGIBLE = 0.001


class Outlook:
    """`room` [F] are the nodes on which the pod fits, ascending; it may be that it would not stay on some of them.

    `scores` of these nodes are asked for when somebody needs them; of a cluster of `size` nodes the scheduler looks at
    a part only.
    """

    def __init__(self, room: Indices, scores: Callable[[], Scores], size: int) -> None:
        self.room = room
        self._made, self._size = scores, size

    @cached_property
    def _scores(self) -> Scores:
        return self._made()

    def totals(self, steered: Collection[int] = (), towards: Collection[int] = ()) -> Ints:
        """[F] the scheduler's summed scores.

        Scores are relative to all nodes on which the pod fits, as in the scheduler of a cluster of under 100 nodes.
        """
        return self._scores.totals(steered, towards)

    def likely(self, steered: Collection[int] = (), towards: Collection[int] = ()) -> tuple[tuple[int, float], ...]:
        """(node, probability) of where the default scheduler would put the pod, likeliest first; empty: nowhere.

        `steered` nodes are judged as if they carried our taint (`VACATING`), and the pod as if it were made with a
        preference for the nodes `towards` which it is directed.
        """
        return likely(self.room, self.totals(steered, towards), sample_size(self._size))


def sample_size(nodes: int) -> int:
    """How many feasible nodes the scheduler looks for before it scores (schedule_one.go numFeasibleNodesToFind)."""
    if nodes < 100:
        return nodes
    return max(100, nodes * max(50 - nodes // 125, 5) // 100)


def likely(nodes: Indices, totals: Ints, seen: int) -> tuple[tuple[int, float], ...]:
    """Which of the feasible `nodes` [K] the scheduler takes: (node, probability), likeliest first; only what matters
    (99.9 %). `totals` [K] are the summed scores.

    It takes one of the best at random. In large clusters it scores only the first `seen` feasible nodes from a rotating
    start, so a node is looked at with probability seen / feasible.
    """
    if not len(nodes):
        return ()
    look = min(1.0, seen / len(nodes))
    best = _best(totals, 1 if look >= 1.0 else int(np.ceil(np.log(_NEGLIGIBLE) / np.log1p(-look))))
    order = best[np.argsort(-totals[best], kind="stable")]
    cuts = np.flatnonzero(np.diff(totals[order])) + 1
    out: list[tuple[int, float]] = []
    left = 1.0
    for tied in _split(nodes[order].tolist(), cuts.tolist()):
        missed = (1.0 - look) ** len(tied)
        out.extend((node, left * (1.0 - missed) / len(tied)) for node in tied)
        left *= missed
        if left < _NEGLIGIBLE:
            break
    known = sum(share for _, share in out)
    return tuple((node, share / known) for node, share in out)


def _best(totals: Ints, count: int) -> Indices:
    """Positions of the `count` highest totals and all that equal the last of them."""
    if count >= len(totals):
        return np.arange(len(totals))
    least = np.partition(totals, len(totals) - count)[len(totals) - count]
    return np.flatnonzero(totals >= least)


def _split(items: list[int], cuts: list[int]) -> list[list[int]]:
    return [items[a:b] for a, b in zip([0, *cuts], [*cuts, len(items)], strict=True)]
