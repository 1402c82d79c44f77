"""What LowNodeUtilization and HighNodeUtilization promise of where pods land holds in whatever state it is proved."""

from __future__ import annotations

import numpy as np

from builders import cluster, node, pod
from descheduler.model.moves import Proposal
from strategies.balancing import PACKING, UNLIMITED, high, low, made


def proposals(plan: object) -> list[Proposal]:
    return [one for one in plan if isinstance(one, Proposal)]  # type: ignore[attr-defined]


def test_a_node_that_others_filled_meanwhile_takes_no_more() -> None:
    pods = [pod(f"web-{i}", cpu="1", node="a") for i in range(6)]
    pods += [pod(f"api-{i}", cpu="2", node="c") for i in range(2)]
    nodes = [node(name, cpu="10") for name in "abc"]
    view = made(cluster(nodes, pods), settings=UNLIMITED).outcome.view
    chosen = low(thresholds={"cpu": 20}, targetThresholds={"cpu": 50})
    (one,) = proposals(chosen.strategy.propose(view, chosen.args))
    promise, moved = one.moves[0].promise, one.moves[0].pod
    assert promise is not None
    state = view.what_if()
    state.remove(moved)
    every = np.arange(3, dtype=np.int32)
    assert promise.keeps(state, moved, every).tolist() == [False, True, True]
    for at in (p for p in range(len(pods)) if view.snapshot.pods[p].name.startswith("api")):
        state.remove(at)
        state.place(at, 1)
    assert promise.keeps(state, moved, every).tolist() == [False, True, True]  # five of ten
    other = next(p for p in view.snapshot.columns.pods_on(0).tolist() if p != moved)
    state.remove(other)
    state.place(other, 1)
    assert promise.keeps(state, moved, every).tolist() == [False, False, True]


def test_pods_of_an_emptied_node_land_on_nodes_in_use() -> None:
    nodes = [node(name, cpu="10") for name in "abc"]
    pods = [pod("web-0", cpu="1", node="a"), *(pod(f"api-{i}", cpu="1", node="b") for i in range(5))]
    view = made(cluster(nodes, pods), settings=PACKING).outcome.view
    chosen = high()
    (one,) = proposals(chosen.strategy.propose(view, chosen.args))
    promise = one.moves[0].promise
    assert promise is not None
    assert promise.keeps(view.what_if(), one.moves[0].pod, np.arange(3, dtype=np.int32)).tolist() == [
        False,
        True,
        False,
    ]
