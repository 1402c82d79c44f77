"""What a cycle takes over from the profiles of the cycle before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from builders import NOW, cluster, key, node, pod
from descheduler.observe import Observed
from descheduler.pipeline import plan, profile
from descheduler.policy import Policy
from histories import STEP, history, peaking

WEB = key("ReplicaSet", "web")


def seen(later: int = 0) -> Observed:
    """One workload that will be hot in the next hour, seen a few steps later."""
    series = peaking(0.2, 3.0, minutes_ahead=50)
    known = history("cpu", {WEB: np.roll(series, -later)})
    known = replace(known, start=known.start + later * STEP)
    snapshot = cluster([node("n1", cpu="4"), node("n2", cpu="4")], [pod("web-1", cpu="1", node="n1")])
    return Observed(snapshot, {"cpu": known}, NOW + later * STEP)


def test_profiles_go_on_from_one_fit_until_it_is_as_old_as_the_policy_says() -> None:
    refit = Policy().history.refit
    assert refit == timedelta(hours=1)
    first = profile(seen())
    second = profile(seen(1), first)["cpu"]
    assert (second.fitted.at[0], second.origin) == (first["cpu"].origin, first["cpu"].origin + STEP)
    assert profile(seen(12), first, refit=refit.total_seconds())["cpu"].fitted.at[0] == first["cpu"].origin + 12 * STEP
    assert profile(seen(1), first, refit=0)["cpu"].fitted.at[0] == second.origin


def test_the_peak_comes_nearer_from_cycle_to_cycle() -> None:
    first = profile(seen())
    now, later = first["cpu"], profile(seen(6), first)["cpu"]
    ahead = [int(np.argmax(made.curve(made.vectors[0], 0.5) > 2)) for made in (now, later)]
    assert ahead[0] - ahead[1] == 6


def test_models_race_where_somebody_asks_and_plans_are_the_same() -> None:
    observed = seen()
    quick, raced = profile(observed), profile(observed, race=True)
    assert (quick["cpu"].raced, raced["cpu"].raced) == (False, True)
    np.testing.assert_array_equal(quick["cpu"].vectors, raced["cpu"].vectors)
    assert plan(observed, Policy(), quick).id == plan(observed, Policy(), raced).id
    assert profile(seen(1), quick, race=True)["cpu"].raced  # asked for from now on: fitted at once
