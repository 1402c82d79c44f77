"""Recordings are as clusters are: whatever is missing or odd in one, everybody walks through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from builders import NOW, cluster, key, node, owner, pod
from descheduler.backtest.assumptions import replay_of
from descheduler.backtest.contender import Nobody
from descheduler.backtest.oracle import Oracle
from descheduler.backtest.ours import Ours
from descheduler.backtest.rivals import RIVALS
from descheduler.backtest.score import Score
from descheduler.backtest.walk import rules_of, walk
from descheduler.backtest.world import world_of
from descheduler.model.errors import UsageError
from descheduler.model.pods import Phase
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy.acting import LandingWish
from descheduler_profiling.series import History
from histories import history, steady
from replays import HOUR, POLICY, histories, policy, snapshot

BEGIN, END = NOW - 24 * HOUR, NOW - 22 * HOUR
ALL = policy(POLICY + "  - GpuDefragmentation: {}\n  - IdleGpu: {}\n  - GpuTopology: {}\n  - SlotDefragmentation: {}\n")


def with_pods(*more: object, nodes: tuple[object, ...] = ()) -> ClusterSnapshot:
    base = snapshot()
    return cluster(
        [*base.nodes, *nodes],  # type: ignore[list-item]
        [*base.pods, *more],  # type: ignore[list-item]
        workloads=base.workloads.values(),
    )


def without(names: tuple[str, ...], known: Mapping[str, History]) -> dict[str, History]:
    return {name: one for name, one in known.items() if name not in names}


def gaps(one: History) -> History:
    values = one.values.copy()
    values[:, ::7] = np.nan
    values[0, -300:-200] = np.nan
    return replace(one, values=values)


def late(one: History, columns: int) -> History:
    """It was measured later than the others are, and not up to the end."""
    return replace(one, start=one.start + columns * one.step, values=one.values[:, columns:-3])


GPU_NODES = tuple(node(f"g{i}", cpu="32", gpu=8) for i in range(2))
GPU_PODS = tuple(pod(f"train-{i}", node=f"g{i % 2}", gpu=1, owners=(owner("ReplicaSet", "train"),)) for i in range(3))
ODD: dict[str, tuple[ClusterSnapshot, Mapping[str, History]]] = {
    "pods without history": (with_pods(pod("new-1", node="n2", cpu="2")), histories()),
    "no memory": (snapshot(), without(("memory",), histories())),
    "gaps": (snapshot(), {name: gaps(one) for name, one in histories().items()}),
    "memory began later": (snapshot(), {**histories(), "memory": late(histories()["memory"], 500)}),
    "waiting pods": (with_pods(pod("big-1", cpu="400"), pod("small-1", cpu="1")), histories()),
    "ended pods": (with_pods(pod("job-1", node="n2", cpu="4", phase=Phase.SUCCEEDED)), histories()),
    "ending pods": (with_pods(pod("old-1", node="n1", deleting=NOW)), histories()),
    "nodes that are not ready": (
        with_pods(nodes=(node("n9", ready=False), node("n8", unschedulable=True))),
        histories(),
    ),
    "a pod on a node that is gone": (with_pods(pod("lost-1", node="n77")), histories()),
    "GPUs": (with_pods(*GPU_PODS, pod("wait-1", gpu=8), nodes=GPU_NODES), histories()),
    "GPUs with history": (
        with_pods(*GPU_PODS, nodes=GPU_NODES),
        {**histories(), "gpu": history("gpu", {key("ReplicaSet", "train"): steady(0.0)})},
    ),
    "history of nobody who is there": (
        snapshot(),
        {**histories(), "memory": history("memory", {key("Deployment", "gone"): 5e8})},
    ),
    "a node without capacity": (with_pods(nodes=(node("n0", cpu="0", memory="0"),)), histories()),
}


def scores(taken: ClusterSnapshot, known: Mapping[str, History]) -> list[Score]:
    world = world_of(taken, known, BEGIN, END)
    rules = rules_of(ALL, taken)
    makers = [Nobody(), Ours("ours", ALL, LandingWish.DIRECTED), *RIVALS.values(), Oracle()]
    assert replay_of(world, rules, [("policy.yaml", ALL)], (0,)).notes
    return [walk(world, maker, rules).score for maker in makers]


@pytest.mark.parametrize("name", ODD)
def test_everybody_walks_through(name: str) -> None:
    nobody, ours, *_ = made = scores(*ODD[name])
    assert all(np.isfinite(one.hot_minutes) and np.isfinite(one.excess) for one in made)
    assert ours.hot_minutes <= nobody.hot_minutes


def test_what_is_odd_is_said() -> None:
    taken, known = ODD["pods without history"]
    world = world_of(taken, {"cpu": gaps(known["cpu"])}, BEGIN, END)
    notes = "\n".join(replay_of(world, rules_of(ALL, taken), [("p", ALL)], (0,)).notes)
    assert "no history of cpu of 1 pod" in notes
    assert "of the samples of cpu are missing" in notes
    assert "no history of memory" in notes
    assert "HotNodes does not run: no history of memory" in notes


def test_a_history_that_is_not_whole_is_said() -> None:
    known = histories()
    torn = replace(known["cpu"], complete=False, problems=("2 of 7 days are missing",))
    world = world_of(snapshot(), {**known, "cpu": torn}, BEGIN, END)
    notes = replay_of(world, rules_of(ALL, snapshot()), [("p", ALL)], (0,)).notes
    assert any(note.startswith("history of cpu: 2 of 7 days are missing; in life") for note in notes)


def test_what_strategies_are_not_given_is_said() -> None:
    taken, known = ODD["GPUs with history"]
    world = world_of(taken, known, BEGIN, END)
    notes = [note for note in replay_of(world, rules_of(ALL, taken), [("p", ALL)], (0,)).notes if "IdleGpu" in note]
    assert len(notes) == 1
    assert "counts as absent" in notes[0]


def test_gpus_that_wait_and_slots_are_counted() -> None:
    nobody = scores(*ODD["GPUs"])[0]
    assert nobody.gpu_slots == 0  # both nodes have a pod with a GPU
    assert nobody.pending_gpu_hours == pytest.approx(8 * (END - BEGIN) / 3600, rel=0.05)


@pytest.mark.parametrize(
    ("known", "begin", "end", "message"),
    [
        ({}, None, None, "no history of cpu"),
        (without(("cpu",), histories()), None, None, "no history of cpu"),
        ({"cpu": history("cpu", {key("Deployment", "web"): steady(1, days=1)}, days=1)}, None, None, "nothing between"),
        (histories(), NOW - 30 * 86_400, None, "a day later"),
        (histories(), NOW + HOUR, None, "there is nothing between"),
        (histories(), NOW - HOUR, NOW - 2 * HOUR, "there is nothing between"),
        ({**histories(), "memory": replace(histories()["memory"], step=60)}, None, None, "do not line up"),
    ],
)
def test_what_cannot_be_walked_through_is_refused(
    known: Mapping[str, History], begin: float | None, end: float | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        world_of(snapshot(), known, begin, end)
