"""Whatever the cluster, the policy and the strategies: no plan exceeds a budget, tears a gang or overfills a node."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generated.clusters import random_cluster
from generated.usage import UsagePool
from invariants.running import Examined, examine

STATES, BLOCK = 3000, 250
FIRST = 10_000_000  # seeds of their own: the benchmark's begin at 0


@pytest.fixture(scope="module")
def pool() -> UsagePool:
    return UsagePool.build()


def wrong(found: Examined) -> str:
    return "\n".join(f"seed {found.seed}: {v.kind}: {v.detail}" for v in found.violations)


@pytest.mark.parametrize("start", range(FIRST, FIRST + STATES, BLOCK))
def test_no_plan_of_a_random_cluster_does_what_no_plan_may(pool: UsagePool, start: int) -> None:
    found = [examine(seed, pool) for seed in range(start, start + BLOCK)]
    assert not [text for one in found if (text := wrong(one))]
    # A check of plans that move nothing would prove nothing.
    assert sum(one.moves > 0 for one in found) > BLOCK / 6
    assert sum(one.waves > 1 for one in found) >= BLOCK / 125


def test_nor_does_one_that_removes_pods(pool: UsagePool) -> None:
    found = [examine(seed, pool, removals=True) for seed in range(FIRST, FIRST + BLOCK)]
    assert not [text for one in found if (text := wrong(one))]
    assert sum(one.removals > 0 for one in found) > BLOCK / 3
    assert sum(one.removals > 0 and one.moves > 0 for one in found) > BLOCK / 25


@pytest.mark.parametrize(
    ("seed", "once"),
    [
        (14_478, "nobody was left to make room for"),
        (77_000_039, "room was made for a pod that had failed"),
        (27_738, "a peak that is above its threshold in one precision and not in another"),
    ],
)
def test_what_once_went_wrong(pool: UsagePool, seed: int, once: str) -> None:
    assert not examine(seed, pool).violations, once


@given(st.integers(0, 2**40), st.integers(2, 4), st.integers(1, 12))
@example(1_322_734, 3, 9)  # a pod that had ended was still nominated
@settings(max_examples=200, deadline=None)
def test_nor_does_one_of_a_tiny_cluster(pool: UsagePool, seed: int, nodes: int, pods: int) -> None:
    """Shrinks towards few nodes and few pods."""
    found = examine(seed, pool, nodes, pods)
    assert not found.violations, wrong(found)


def test_the_clusters_know_every_kind_of_constraint(pool: UsagePool) -> None:
    seen: Counter[str] = Counter()
    for seed in range(300):
        snapshot = random_cluster(seed, pool).snapshot
        seen.update(kind for kind, found in snapshot.objects.items() if found)
        for budget in snapshot.budgets:
            seen["stale budget"] += budget.stale
            seen["percentage"] += budget.max_unavailable.endswith("%")
            seen["minAvailable"] += bool(budget.min_available)
            seen["closed budget"] += budget.allowed == 0
        for pod in snapshot.pods:
            spec = pod.spec
            seen["part of a GPU"] += spec.gpu is not None and spec.gpu.milli < 1000
            seen["whole GPU"] += spec.gpu is not None and spec.gpu.milli == 1000
            seen["anti-affinity"] += bool(spec.anti_affinity.required)
            seen["affinity"] += bool(spec.affinity.required)
            seen["spread"] += bool(spec.spread)
            seen["host port"] += bool(spec.host_ports)
            seen["claim"] += bool(pod.claims)
            seen["terminating"] += pod.deleting is not None
            seen["not ready"] += not pod.ready
            seen["pending"] += not pod.node
            seen[pod.controller.kind if pod.controller else "bare"] += 1
            seen["linked gang"] += "gang.scheduling.koordinator.sh/groups" in pod.annotations
    rare = {kind: n for kind, n in seen.items() if n < 5}
    assert not rare
    assert len([kind for kind in seen if "/" in kind]) >= 9, sorted(seen)  # kinds of gang objects
