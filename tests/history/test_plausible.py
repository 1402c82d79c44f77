"""What no machine and no limit allows is no measurement; what they allow is, however much it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from builders import amounts, spec
from controlplane.prometheus import PrometheusServer, Series
from descheduler.model.pods import PodSpec
from descheduler.observe.observed import Observed
from descheduler.pipeline import profile
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.plausible import bounded
from descheduler_profiling.history.pods_here import pods_here
from histories import history
from history.fleet import DB, PODS, SIGNALS, cadvisor, owned, read, snapshot
from history.world import DAY, NOW, STEP, times

Start = Callable[..., PrometheusServer]
AT = times(DAY)
HOUR = 3600
RECENT = Grid(NOW - NOW % STEP - 11 * STEP, STEP, 12)
DB0 = ("shop", "db-0")


def glitches(series: list[Series], *ago: float, seconds: float = 300_000) -> list[Series]:
    """CPU counters of db-0 that jump by so many seconds at those times before now, and go on from there."""
    jumps = sum((np.where(NOW - past <= AT, seconds, 0.0) for past in ago), np.zeros(AT.shape))

    def jumped(one: Series) -> Series:
        hit = one.labels["pod"] == "db-0" and one.name.endswith("seconds_total")
        return replace(one, values=np.asarray(one.values) + jumps) if hit else one

    return [jumped(one) for one in series]


@pytest.mark.parametrize("by_workload", [False, True], ids=["pods", "rolled up by the server"])
def test_a_thousand_cores_of_sixteen_are_a_gap_and_weigh_nothing(prometheus_server: Start, by_workload: bool) -> None:
    server = prometheus_server([*glitches(cadvisor(AT), HOUR / 2, DAY / 2), *owned(AT)])
    signal = replace(SIGNALS["cpu"], roll_up_on_server="always" if by_workload else "never")
    made = read(server, signal)
    history = made.histories["cpu"]
    assert history.complete, history.problems
    assert ("<= 20" in made.notes["cpu"].bulk_query) == by_workload
    np.testing.assert_allclose(history.values[history.keys.index(DB)], 2.0, rtol=1e-3, err_msg="db-1 still tells")
    assert history.pod_level[DB0] == pytest.approx(2.0, rel=1e-3)
    assert made.notes["cpu"].oddities.absurd > 0


def test_fifteen_cores_of_sixteen_are_load(prometheus_server: Start) -> None:
    history = read(prometheus_server(cadvisor(AT, times=7.5)), SIGNALS["cpu"]).histories["cpu"]
    np.testing.assert_allclose(history.values[history.keys.index(DB)], 15.0, rtol=1e-3)


def _bounded(
    signal: str, values: list[float], of: PodSpec | None = None, created: float = NOW - 2 * DAY
) -> list[float]:
    here = pods_here(snapshot(of=of, created=created))
    found, dropped = bounded(here, signal, [DB0], RECENT, 300, np.array([values], np.float32))
    assert dropped == np.isnan(found).sum()
    return [round(float(value), 3) for value in found[0]]


GAP = pytest.approx(float("nan"), nan_ok=True)
LIMITED = replace(spec(), bounds=amounts(cpu="1", memory="1Gi"))


def test_a_limit_bounds_what_is_seldom_and_not_what_is_sustained() -> None:
    assert _bounded("cpu", [0.5] * 11 + [12.0], LIMITED) == [0.5] * 11 + [GAP]
    assert _bounded("cpu", [0.5] * 11 + [2.5], LIMITED) == [0.5] * 11 + [2.5], "a burst"
    assert _bounded("cpu", [12.0] * 12, LIMITED) == [12.0] * 12, "quotas may be off"
    assert _bounded("cpu", [0.5] * 11 + [12.0]) == [0.5] * 11 + [12.0], "without a limit"
    raised = replace(spec(), bounds=amounts(cpu="8"))
    assert _bounded("cpu", [0.5] * 11 + [8.0], raised) == [0.5] * 11 + [8.0]


def test_memory_is_at_most_the_limit_and_the_machine() -> None:
    gib = 2.0**30
    assert _bounded("memory", [0.5 * gib] * 10 + [1.2 * gib, 5 * gib], LIMITED)[9:] == [0.5 * gib, gib, GAP]
    assert _bounded("memory", [100 * gib] * 10 + [130 * gib, 200 * gib])[9:] == [100 * gib, 128 * gib, GAP]


def test_jitter_above_the_machine_is_the_machine() -> None:
    assert _bounded("cpu", [15.0] * 11 + [17.0]) == [15.0] * 11 + [16.0]


def test_before_it_was_made_a_pod_of_its_name_may_have_been_on_a_larger_machine_without_its_limit() -> None:
    known = snapshot(of=LIMITED, created=NOW - 900)
    larger = replace(known.nodes[1], allocatable=amounts(cpu="64", memory="256Gi", pods=110))
    here = pods_here(replace(known, nodes=(known.nodes[0], larger)))
    values = np.full((1, 12), 40.0, np.float32)
    found, _ = bounded(here, "cpu", [DB0], RECENT, 300, values)
    assert np.isfinite(found[0, :9]).all()
    assert np.isnan(found[0, -1])
    gone, _ = bounded(here, "cpu", [("shop", "gone-1")], RECENT, 300, values)
    np.testing.assert_array_equal(gone, values)


def test_machines_have_more_than_is_allocatable() -> None:
    known = snapshot(cpu="14")
    nodes = tuple(replace(node, capacity=amounts(cpu="16", memory="128Gi")) for node in known.nodes)
    here = pods_here(replace(known, nodes=nodes))
    assert here.largest("cpu") == 16.0
    assert pods_here(known).largest("cpu") == 14.0
    assert len(here.index) == len(PODS)


def test_what_was_kept_or_recorded_with_a_glitch_is_read_without_it() -> None:
    made = history("cpu", {DB: 2.0})
    values = made.values.copy()
    values[0, -3] = 1000.0
    with_glitch = replace(made, values=values, pod_level={DB0: 85.0, ("shop", "db-1"): 2.0})
    known, now = snapshot(), float(NOW)
    one, other = (profile(Observed(known, {"cpu": each}, now))["cpu"] for each in (with_glitch, made))
    assert one.levels[0] == pytest.approx(other.levels[0], rel=0.02)
    np.testing.assert_allclose(one.peaks, other.peaks, rtol=0.02)
    assert one.pod_level == {("shop", "db-1"): 2.0}
    real = profile(Observed(known, {"cpu": history("cpu", {DB: 15.0})}, now))["cpu"]
    assert real.levels[0] == pytest.approx(15.0, rel=0.05)
