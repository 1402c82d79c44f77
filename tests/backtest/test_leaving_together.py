"""Pods that leave at one moment hold their room until they have ended."""

from __future__ import annotations

import numpy as np

from builders import cluster, node, ordinal, pod
from descheduler.backtest.cluster import NOBODY, Cluster, Departure
from descheduler.model.pods import Phase, Pod


def landed(*pods: Pod) -> list[int]:
    """Nodes of the replacements, `small` (0) or `full` (1), when all but the last of the pods leave at once."""
    seen = cluster([node("small", cpu="4"), node("zz-full", cpu="4")], pods)
    alive = Cluster(seen, np.random.default_rng(0))
    moves = alive.move([Departure(slot) for slot in range(len(pods) - 1)], seen.taken_at)
    return [move.target for move in sorted(moves, key=lambda move: move.slot)]


def test_a_replacement_that_is_made_at_once_cannot_have_the_place_of_an_ordinal_that_still_ends() -> None:
    first, other = pod("db-0", cpu="2", node="small", owners=ordinal("db-0")), pod("web-1", cpu="2", node="small")
    assert landed(first, other, pod("zz-1", cpu="4", node="zz-full")) == [0, NOBODY]


def test_two_ordinals_may_take_each_others_places() -> None:
    both = [pod(name, cpu="2", node="small", owners=ordinal(name)) for name in ("db-0", "kv-0")]
    assert landed(*both, pod("zz-1", cpu="4", node="zz-full")) == [0, 0]


def test_a_pod_that_is_over_is_cleared_away_and_nobody_makes_another() -> None:
    over = pod("job-0", node="small", phase=Phase.FAILED, ready=False)
    seen = cluster([node("small", cpu="4")], [over, pod("web-0", node="small")])
    alive = Cluster(seen, np.random.default_rng(0))
    alive.clear(0)
    assert [one.node for one in alive.snapshot(seen.taken_at).pods] == ["", "small"]
    assert alive.nodes.tolist() == [NOBODY, 0]
    alive.settle(seen.taken_at)
    assert alive.nodes.tolist() == [NOBODY, 0]
