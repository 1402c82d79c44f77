"""Where a pod will land, and whether that is good: the one rule that strategies and proofs share.

On a plain cluster the scheduler decides, not we. What is likely must therefore be good: the probability of landing on
the source again, on a node that is about to go, or on one that the caller does not accept, may not exceed an agreed
risk. A state that steers is asked with the taint on the source, as it will be. Where the executor names the node, any
good node with room will do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.contract.view import Scenario
from descheduler.model.arrays import Mask, Positions
from descheduler.model.landing_mode import LandingMode
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot

Accept = Callable[[Positions], Mask]
"""[K] which of K nodes would be good for the pod, in the present state."""


@dataclass(frozen=True, slots=True)
class Landing:
    """`nodes` are the good ones, likeliest (or most wished) first; `share` is their probability together; `likely` is
    all. `candidates` nodes besides the source have room."""

    nodes: tuple[int, ...]
    share: float
    likely: tuple[tuple[int, float], ...]
    candidates: int


def land(
    snapshot: ClusterSnapshot,
    state: Scenario,
    pod: int,
    source: int,
    accept: Accept,
    max_risk: float,
    bad: Reason,
    wished: Sequence[int] = (),
) -> Landing | Blocked:
    """Where the pod, removed from `source` in `state`, will be; or why not: NO_PLACE, WOULD_STAY, NODE_LEAVING, `bad`.

    `wished` nodes, best first, come before others where the landing is directed; elsewhere a wish changes nothing.
    """
    key = f"pod/{snapshot.pods[pod].key}"
    if state.mode is LandingMode.DIRECTED:
        return _directed(state, pod, source, key, accept, bad, wished)
    room, likely = state.outlook(pod, source)
    if all(node == source for node, _ in likely):
        if likely and len(room) > 1:
            return Blocked(Reason.WOULD_STAY, key, "other nodes could take it, its own scores best")
        return Blocked(Reason.NO_PLACE, key, state.explain(pod))
    nodes = np.array([node for node, _ in likely], np.int32)
    shares = np.array([share for _, share in likely])
    back = float(shares[nodes == source].sum())
    if back > max_risk:
        return Blocked(Reason.WOULD_STAY, key, f"probability {back:.0%}")
    stays = state.stays(pod, nodes)
    good = accept(nodes) & (nodes != source) & stays
    share = float(shares[good].sum())
    if share < 1.0 - max_risk:
        worst = int(np.argmin(good))
        name = snapshot.nodes[int(nodes[worst])].name
        return Blocked(bad if stays[worst] else Reason.NODE_LEAVING, f"node/{name}", f"{key} would probably land there")
    others = room[room != source]
    return Landing(tuple(nodes[good].tolist()), share, likely, int(state.stays(pod, others).sum()))


def _directed(
    state: Scenario, pod: int, source: int, key: str, accept: Accept, bad: Reason, wished: Sequence[int]
) -> Landing | Blocked:
    """The good nodes with room: as wished, then in the scheduler's own order of preference, then by position."""
    room = state.fits(pod)
    if source >= 0:
        room[source] = False
    if not room.any():
        return Blocked(Reason.NO_PLACE, key, state.explain(pod))
    free = np.flatnonzero(room).astype(np.int32)
    preferred = free[np.argsort(-state.scores(pod, free), kind="stable")]
    order = dict.fromkeys((*wished, *preferred.tolist()))
    nodes = np.array([node for node in order if room[node]], np.int32)
    good = nodes[accept(nodes)].tolist()
    if not good:
        return Blocked(bad, key, f"{len(nodes)} nodes have room, none of them would be good")
    return Landing(tuple(good), 1.0, ((good[0], 1.0),), len(free))
