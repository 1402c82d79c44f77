"""The worlds that the benchmark cool.py measures in are what their descriptions say."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from descheduler.backtest.world import World

BENCHMARKS = str(Path(__file__).resolve().parents[2] / "benchmarks")
SIZE = 12


@pytest.fixture(scope="module")
def worlds():  # type: ignore[no-untyped-def]
    """The module, with traces that are drawn here."""
    sys.path.insert(0, BENCHMARKS)
    try:
        import _worlds
    finally:
        sys.path.remove(BENCHMARKS)
    return _worlds


@pytest.fixture(scope="module")
def given(worlds):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    hours = np.arange(3000) / 12
    machines = [np.clip(rng.normal(20, 5, 3000) + 10 * np.sin(hours / 5 + k), 1, 100).astype("f4") for k in range(6)]
    services = [(50 + 30 * np.sin(hours / 24 * 2 * np.pi + k)).astype("f4") for k in range(3)]
    return worlds.Traces(machines, services)


def loads(world: World) -> np.ndarray:
    """[N, T] CPU of allocatable, where pods stand at the beginning."""
    columns = world.snapshot.columns
    out = np.zeros((len(world.snapshot.nodes), world.usage["cpu"].values.shape[1]))
    np.add.at(out, columns.pod_node, world.usage["cpu"].values)
    return out / (columns.allocatable[:, columns.resource("cpu")] / 1000.0)[:, None]


@pytest.mark.parametrize("scenario", ["vm", "daily", "grow", "noon"])
def test_nodes_become_hot_though_requests_fit(worlds, given, scenario: str) -> None:  # type: ignore[no-untyped-def]
    world = worlds.world(scenario, 3, given, SIZE)
    day = loads(world)[:, worlds.HISTORY :]
    minutes = (day > 0.75).sum() * 5
    assert 0.7 < minutes / (worlds.HOT[scenario] * SIZE / worlds.NODES) < 1.3
    assert day.shape[1] == 288
    columns = world.snapshot.columns
    assert (columns.requested <= columns.allocatable).all()


def test_growth_comes_as_a_surprise(worlds, given) -> None:  # type: ignore[no-untyped-def]
    hot = loads(worlds.world("grow", 0, given, SIZE)) > 0.75
    assert hot[:, : worlds.HISTORY].sum() / 7 < hot[:, worlds.HISTORY :].sum() / 5


def test_nothing_comes_near_a_threshold_where_nothing_is_to_be_done(worlds, given) -> None:  # type: ignore[no-untyped-def]
    assert loads(worlds.world("null", 0, given, SIZE)).max() < 0.63


def test_bursts_are_over_within_ten_minutes(worlds, given) -> None:  # type: ignore[no-untyped-def]
    hot = loads(worlds.world("spikes", 0, given, SIZE)) > 0.75
    lasting = np.logical_and.reduce([hot[:, shift : hot.shape[1] - 3 + shift] for shift in range(4)])
    assert hot.sum() > 50
    assert lasting.sum() <= 0.02 * hot.sum()


def test_a_seed_makes_one_world_and_another_makes_another(worlds, given) -> None:  # type: ignore[no-untyped-def]
    first, again, other = (worlds.world("daily", seed, given, SIZE) for seed in (1, 1, 2))
    assert [pod.node for pod in first.snapshot.pods] == [pod.node for pod in again.snapshot.pods]
    assert np.array_equal(first.usage["cpu"].values, again.usage["cpu"].values)
    assert first.usage["cpu"].values.shape != other.usage["cpu"].values.shape


def test_the_halves_of_the_traces_share_none(worlds) -> None:  # type: ignore[no-untyped-def]
    from _usage import Series

    rng = np.random.default_rng(0)
    series = [
        *(Series(f"m{i}", "machines", "cpu_avg", rng.random(2400).astype("f4")) for i in range(8)),
        *(Series(f"service{i}", "services", "value", np.tile([1.0, 9.0], 1200).astype("f4") + i) for i in range(8)),
    ]
    chosen, reported = (worlds.traces(series, half) for half in ("choose", "report"))
    assert len(chosen.machines) + len(reported.machines) == 8
    assert not {id(row) for row in chosen.machines} & {id(row) for row in reported.machines}
