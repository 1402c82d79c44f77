"""Contenders beside each other, and a policy with its settings varied, on the embedded example."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from descheduler.backtest.compare import Comparing, compare
from descheduler.backtest.ours import Ours
from descheduler.backtest.recorded import Recorded
from descheduler.backtest.rivals import RIVALS, rivals
from descheduler.backtest.tuning import AS_IS, Schedule, Tuned, tune
from descheduler.example.example import NOW, example_policy
from descheduler.model.errors import PolicyError, UsageError
from descheduler.policy import load_policy, policy_hash
from descheduler.policy.acting import LandingWish
from descheduler.report.backtests.document import Backtest, Tuning, Varied
from descheduler.report.serial import to_json
from descheduler_profiling.executors import ChunkRunner, InProcess, Processes

HOUR = 3600
NOON = Recorded(None, ("cpu", "gpu", "memory"), NOW - 24 * HOUR, NOW - 22 * HOUR)  # checkout peaks then
HOT_NODES = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
strategies:
  - HotNodes: {thresholds: {cpu: 75%, memory: 85%}, minDuration: 30m}
"""
POLICY = load_policy(HOT_NODES, "hot.yaml")
COMPARING = Comparing(
    NOON, (Ours("hot.yaml", POLICY, LandingWish.DIRECTED),), rivals(["LowNodeUtilization"]), (0, 1), 60.0
)
TUNED = Tuned(
    NOON,
    "hot.yaml",
    POLICY,
    (Varied("HotNodes.thresholds.cpu", ("60%", "80%")), Varied("limits.perCycle", ("1", "20"))),
    LandingWish.DIRECTED,
)


def compared(runner: ChunkRunner | None = None) -> Backtest:
    return compare(COMPARING, runner or InProcess(), lambda _: None)


def tuned(asked: Tuned = TUNED) -> Tuning:
    return tune(asked, Schedule.of(asked), InProcess(), lambda _: None)


@pytest.fixture(scope="module")
def backtest() -> Backtest:
    return compared()


@pytest.fixture(scope="module")
def tuning() -> Tuning:
    return tuned()


def test_all_contenders_are_beside_nobody(backtest: Backtest) -> None:
    kinds = [(one.name, one.kind) for one in backtest.contenders]
    assert kinds == [
        ("nobody", "nobody"),
        ("hot.yaml", "policy"),
        ("LowNodeUtilization", "peer"),
        ("oracle", "oracle"),
    ]
    nobody, ours, *_ = backtest.contenders
    assert ours.figures["hot_minutes"].mean < nobody.figures["hot_minutes"].mean
    assert ours.figures["evictions"].mean >= 1
    assert sum(row.count for row in ours.restarts) == pytest.approx(ours.figures["restarts"].mean)
    assert (ours.landing, ours.policy_hash) == ("directed", policy_hash(POLICY))
    steps = (backtest.replay.end - backtest.replay.begin) // backtest.replay.step_seconds
    assert all(len(one.hot) == steps for one in backtest.contenders)
    minutes = sum(nobody.hot) * backtest.replay.step_seconds / 60
    assert minutes == pytest.approx(nobody.figures["hot_minutes"].mean)


def test_the_same_input_gives_the_same_bytes_in_however_many_processes(backtest: Backtest) -> None:
    with Processes(2) as runner:
        assert to_json(compared(runner)) == to_json(backtest)


def test_everybody_waits_for_all_steps() -> None:
    counted: list[int] = []
    only = replace(COMPARING, recorded=replace(NOON, end=NOW - 23.5 * HOUR), seeds=(0,))
    compare(only, InProcess(), counted.append)
    assert sum(counted) == only.steps() == 4 * 6


def test_rivals_are_named_in_any_case_and_once() -> None:
    assert [one.name for one in rivals(["LOWNODELOAD,lownodeload", "highnodeutilization"])] == [
        "LowNodeLoad",
        "HighNodeUtilization",
    ]
    with pytest.raises(UsageError, match=r"lownodelod: nobody is called that \(did you mean lownodeload\?\)"):
        rivals(["lownodelod"])
    assert set(RIVALS) == {"lownodeutilization", "highnodeutilization", "lownodeload"}


def test_every_combination_and_the_policy_as_it_is_are_tried(tuning: Tuning) -> None:
    assert {tuple(trial.values.values()) for trial in tuning.trials} == {
        (), ("60%", "1"), ("60%", "20"), ("80%", "1"), ("80%", "20"),
    }  # fmt: skip
    assert all(trial.share == 1 for trial in tuning.trials)
    assert len({trial.policy_hash for trial in tuning.trials}) == 5


def test_trials_are_judged_by_the_thresholds_of_the_policy_as_it_is(tuning: Tuning) -> None:
    assert tuning.replay.thresholds == {"cpu": (0.75,), "memory": (0.85,)}
    assert tuning.nobody["hot_minutes"].mean > 60


def test_the_best_has_the_lowest_cost_and_no_front_has_another_in_it(tuning: Tuning) -> None:
    assert tuning.best == tuning.trials[0].id
    assert all(first.cost <= second.cost for first, second in pairwise(tuning.trials))
    points = [(t.figures["hot_minutes"].mean, t.figures["restarts"].mean, t.front) for t in tuning.trials]
    for hot, moved, front in points:
        worse = any(h <= hot and m <= moved and (h, m) != (hot, moved) for h, m, _ in points)
        assert front is not worse


def test_dear_restarts_want_another_policy_than_cheap_ones(tuning: Tuning) -> None:
    dear = tuned(replace(TUNED, price=10_000.0))
    best_when_cheap, best_when_dear = (
        next(trial for trial in one.trials if trial.id == one.best) for one in (tuning, dear)
    )
    assert best_when_cheap.figures["hot_minutes"].mean <= best_when_dear.figures["hot_minutes"].mean
    assert best_when_cheap.figures["restarts"].mean >= best_when_dear.figures["restarts"].mean


def test_the_best_policy_is_a_file_that_means_the_same(tuning: Tuning) -> None:
    best = next(trial for trial in tuning.trials if trial.id == tuning.best)
    assert policy_hash(load_policy(tuning.best_policy, "best.yaml")) == best.policy_hash
    assert "# Found by `descheduler tune` from hot.yaml" in tuning.best_policy


def test_a_small_budget_walks_the_best_alone_to_the_end() -> None:
    long = replace(NOON, begin=NOW - 36 * HOUR, end=NOW - 18 * HOUR)
    asked = replace(TUNED, recorded=long, budget=3)
    document = tuned(asked)
    whole = [trial for trial in document.trials if trial.share == 1]
    assert AS_IS in {trial.id for trial in whole}
    assert len(whole) == 2
    assert document.walks <= 3
    assert document.combinations == 4
    assert document.best in {trial.id for trial in whole}
    assert {trial.share for trial in document.trials if trial not in whole} == {0.3333}


def test_a_value_that_no_policy_may_have_is_told_with_its_option() -> None:
    with pytest.raises(PolicyError) as caught:
        Schedule.of(replace(TUNED, varied=(Varied("HotNodes.thresholds.cpu", ("200%", "80%")),)))
    assert "--vary HotNodes.thresholds.cpu=200%" in caught.value.problems[0]


def test_the_example_shows_what_replaying_shows() -> None:
    """Something is hot every noon, and the example's policy does something about it and about its GPUs."""
    policy = load_policy(example_policy(), "example")
    asked = Comparing(NOON, (Ours("example", policy),), (), (0,), 60.0)
    nobody, ours, _ = compare(asked, InProcess(), lambda _: None).contenders
    assert nobody.figures["hot_minutes"].mean > 60
    assert ours.figures["hot_minutes"].mean < nobody.figures["hot_minutes"].mean
    assert ours.figures["gpu_slots"].mean > nobody.figures["gpu_slots"].mean


def test_a_policy_may_remove_pods() -> None:
    text = HOT_NODES.partition("strategies:")[0] + "strategies: [{PodLifeTime: {maxPodLifeTimeSeconds: 3600}}]\n"
    ours = Ours("old.yaml", load_policy(text, "old.yaml"), LandingWish.DIRECTED)
    _, found, *_ = compare(Comparing(NOON, (ours,), (), (0,), 60.0), InProcess(), lambda _: None).contenders
    assert found.name == "old.yaml"
    assert found.figures["evictions"].mean > 0
