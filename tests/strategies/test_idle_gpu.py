"""IdleGpu: what counts as idle, what is not known, and what is done about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from builders import NOW, cluster, key, node, pod, spec
from descheduler.gangs import resolve
from descheduler.model.moves import Observation, Proposal
from descheduler.model.plan import PlanDocument
from descheduler.model.pods import Pod
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import SubjectKind
from descheduler.planning import (
    ChosenStrategy,
    Outcome,
    PlanningInput,
    PlanningSettings,
    build_document,
    decide,
    survey,
)
from descheduler_profiling.build import build
from descheduler_profiling.series import History
from descheduler_strategies.idle_gpu.args import IdleGpuArgs
from descheduler_strategies.idle_gpu.strategy import IdleGpu
from gang_builders import core_group
from histories import grid, history

Row = NDArray[np.float32]


def idle(until_minutes_ago: float = 0, before: float = 0.8, days: int = 7) -> Row:
    """Busy until so many minutes ago, then nothing."""
    times = grid(days)
    return np.where(times <= times[-1] - until_minutes_ago * 60, before, 0.0).astype(np.float32)


def gpu_history(
    rows: Mapping[str, float | Row], replicas: Mapping[str, int] | None = None, pods: Mapping[str, Row] | None = None
) -> History:
    """The gpu signal by ReplicaSet, and of single pods where given (their last hour)."""
    made = history("gpu", {key("ReplicaSet", name): row for name, row in rows.items()})
    counts = np.array([(replicas or {}).get(k.name, 1) for k in made.keys], np.float32)
    named = sorted(pods or {})
    recent = np.stack([(pods or {})[n][-12:] for n in named]) if named else np.empty((0, 0), np.float32)
    return replace(made, replicas=counts, pods=tuple(("default", n) for n in named), recent=recent.astype(np.float32))


def judged(pods: Iterable[Pod], *histories: History, **args: object) -> Outcome:
    nodes = [node(f"g{i}", cpu="96", memory="768Gi", gpu=8) for i in (1, 2, 3)]
    snapshot = cluster(nodes, pods)
    return decided(snapshot, histories, **args)


def decided(snapshot: ClusterSnapshot, histories: Iterable[History], **args: object) -> Outcome:
    by_signal = {h.signal: h for h in histories}
    profiles = {name: build(h) for name, h in by_signal.items()}
    given = PlanningInput(snapshot, resolve(snapshot), profiles, NOW, histories=by_signal)
    chosen = [ChosenStrategy(IdleGpu(), IdleGpuArgs.model_validate({"window": "30m", **args}))]
    return decide(survey(given, PlanningSettings()), chosen)


def documented(outcome: Outcome) -> PlanDocument:
    return build_document(outcome)


def reported(outcome: Outcome) -> dict[str, float]:
    """GPUs without work by workload."""
    found = [f for f in outcome.findings.values() if f.subject.kind == SubjectKind.WORKLOAD]
    return {f.subject.name.rpartition("/")[2]: f.value for f in found}


def unknown(outcome: Outcome) -> float:
    return sum(f.value for f in outcome.findings.values() if f.subject.kind == SubjectKind.GPUS)


def test_a_gpu_that_did_nothing_for_the_window_is_reported_with_its_hours_and_nothing_moves() -> None:
    outcome = judged([pod("lab-0", gpu=2, node="g1")], gpu_history({"lab": idle(180)}))
    (finding,) = documented(outcome).findings
    assert finding.value == 2
    assert finding.numbers["idle GPU-hours"] == pytest.approx(6.0)
    assert finding.numbers["idle GPU-hours in namespace default"] == pytest.approx(6.0)
    assert finding.since == pytest.approx(grid()[-1] - 180 * 60)
    assert finding.outcome == "left-alone"
    assert documented(outcome).actions == ()
    assert [r.reason for r in documented(outcome).refusals] == [Reason.REPORT_ONLY.value]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (idle(24), {}),  # its last work is in the window
        (idle(31), {"lab": 1.0}),
        (np.full(len(grid()), 0.04, np.float32), {"lab": 1.0}),  # a heartbeat is no work
        (np.full(len(grid()), 0.06, np.float32), {}),
    ],
)
def test_the_largest_activity_of_the_window_decides(row: Row, found: dict[str, float]) -> None:
    outcome = judged([pod("lab-0", gpu=1, node="g1")], gpu_history({"lab": row}))
    assert reported(outcome) == found


def test_one_short_burst_is_forgiven_where_a_quantile_decides() -> None:
    burst = idle(600)
    burst[-3] = 0.5
    pods = [pod("lab-0", gpu=1, node="g1")]
    assert reported(judged(pods, gpu_history({"lab": burst}))) == {}
    assert reported(judged(pods, gpu_history({"lab": burst}), window="2h", quantile=0.9)) == {"lab": 1.0}


def test_a_pod_that_may_still_be_loading_is_left_out() -> None:
    young = [pod("lab-0", gpu=1, node="g1", created=NOW - 50 * 60)]
    outcome = judged(young, gpu_history({"lab": idle(600)}))
    assert reported(outcome) == {}
    assert unknown(outcome) == 0
    assert reported(judged(young, gpu_history({"lab": idle(600)}), grace="30m")) == {"lab": 1.0}


def test_an_idle_replica_among_busy_ones_is_seen_where_pods_are_measured_one_by_one() -> None:
    pods = [pod(f"web-{i}", gpu=1, node="g1") for i in range(3)]
    mean = np.full(len(grid()), 0.5, np.float32)
    single = {"web-0": idle(600), "web-1": mean * 1.5, "web-2": mean * 1.5}
    outcome = judged(pods, gpu_history({"web": mean}, {"web": 3}, single))
    assert reported(outcome) == {"web": 1.0}
    (finding,) = outcome.findings.values()
    # Of the time before the last hour only the mean is known.
    assert dict(finding.numbers)["idle GPU-hours"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("level", "idle_gpus", "unclear"),
    [(0.01, 4.0, 0.0), (0.03, 0.0, 4.0), (0.5, 0.0, 0.0)],
    ids=["the sum is idle", "all may be idle or one busy", "surely busy"],
)
def test_the_mean_of_replicas_bounds_each_of_them(level: float, idle_gpus: float, unclear: float) -> None:
    pods = [pod(f"web-{i}", gpu=1, node="g1") for i in range(4)]
    outcome = judged(pods, gpu_history({"web": np.full(len(grid()), level, np.float32)}, {"web": 4}))
    assert sum(reported(outcome).values()) == idle_gpus
    assert unknown(outcome) == unclear


def test_a_busy_gpu_among_eight_is_not_taken_for_idle() -> None:
    """The series is the mean over the GPUs of the pod."""
    lab = [pod("lab-0", gpu=8, node="g1")]
    for level, found, unclear in ((0.3 / 8, 0.0, 8.0), (0.004, 8.0, 0.0)):
        mean = np.full(len(grid()), level, np.float32)
        for single in (None, {"lab-0": mean}):
            outcome = judged(lab, gpu_history({"lab": mean}, pods=single))
            assert sum(reported(outcome).values()) == found
            assert unknown(outcome) == unclear


def test_a_replica_that_is_missing_from_the_mean_is_not_known() -> None:
    pods = [pod(f"web-{i}", gpu=1, node="g1") for i in range(4)]
    outcome = judged(pods, gpu_history({"web": idle(600)}, {"web": 3}))
    assert reported(outcome) == {}
    assert unknown(outcome) == 4


def test_without_history_it_says_so_and_proposes_nothing() -> None:
    outcome = judged([pod("lab-0", gpu=3, node="g1")], act="evict")
    document = documented(outcome)
    assert [f.value for f in document.findings] == [3.0]
    assert [r.reason for r in document.refusals] == [Reason.DATA_MISSING.value]
    assert document.actions == ()


def test_partial_and_stale_history_is_not_used() -> None:
    pods = [pod("lab-0", gpu=1, node="g1")]
    whole = gpu_history({"lab": idle(600)})
    late = replace(whole, start=whole.start - 3600)
    for history_ in (replace(whole, complete=False, problems=("a day is missing",)), late):
        outcome = judged(pods, history_, act="evict")
        assert reported(outcome) == {}
        assert unknown(outcome) == 1
        assert outcome.accepted == ()


def test_gaps_in_the_window_make_a_pod_unknown() -> None:
    row = idle(600)
    row[-4:-2] = np.nan
    outcome = judged([pod("lab-0", gpu=1, node="g1")], gpu_history({"lab": row}))
    assert reported(outcome) == {}
    assert unknown(outcome) == 1


def test_a_pod_that_no_series_names_is_unknown() -> None:
    outcome = judged([pod("lab-0", gpu=1, node="g1"), pod("web-0", gpu=1, node="g2")], gpu_history({"lab": idle(600)}))
    assert reported(outcome) == {"lab": 1.0}
    assert unknown(outcome) == 1


def test_memory_that_changes_is_a_sign_of_work() -> None:
    rising = np.linspace(10e9, 60e9, len(grid())).astype(np.float32)
    rising[-12:] = np.linspace(40e9, 60e9, 12)
    flat = np.full(len(grid()), 4e10, np.float32)
    for row, found in ((rising, {}), (flat, {"lab": 1.0})):
        memory = history("gpu_memory", {key("ReplicaSet", "lab"): row})
        outcome = judged([pod("lab-0", gpu=1, node="g1")], gpu_history({"lab": idle(600)}), memory)
        assert reported(outcome) == found


def test_only_so_many_workloads_are_told_one_by_one_and_no_gpu_is_lost() -> None:
    pods = [pod(f"w{i}-0", gpu=1, node=f"g{1 + i // 8}") for i in range(12)]
    outcome = judged(pods, gpu_history({f"w{i}": idle(60 + 30 * i) for i in range(12)}), max_findings=3)
    assert list(reported(outcome)) == ["w11", "w10", "w9"]
    assert sum(f.value for f in outcome.findings.values()) == 12


def test_pools_limit_what_is_looked_at() -> None:
    outcome = judged([pod("lab-0", gpu=1, node="g1")], gpu_history({"lab": idle(600)}), pools=["elsewhere"])
    assert outcome.findings == {}


class TestEvicting:
    def test_an_idle_pod_moves_to_a_node_in_use(self) -> None:
        pods = [pod("lab-0", of=replace(spec(gpu=2), grace_seconds=0), node="g1"), pod("web-0", gpu=4, node="g2")]
        busy = gpu_history({"lab": idle(600), "web": 0.9})
        answers = IdleGpu().propose(
            # g3 is empty: an idle pod must not open it.
            judged([*pods, pod("fill-0", cpu="80", node="g3")], busy).view,
            IdleGpuArgs(act="evict"),
        )
        (proposal,) = answers
        assert isinstance(proposal, Proposal)
        assert [m.destinations for m in proposal.moves] == [(1,)]
        assert proposal.benefit == -2
        assert proposal.worth > 0

    def test_what_would_open_a_free_node_stays(self) -> None:
        pods = [pod("lab-0", gpu=2, node="g1"), pod("fill-0", cpu="80", node="g1")]
        outcome = judged(pods, gpu_history({"lab": idle(600)}), act="evict")
        assert outcome.accepted == ()
        assert {r.blocked.reason for r in outcome.observed.values()} == {Reason.CLOSES_SLOT}

    def test_a_gang_with_a_busy_member_stays(self) -> None:
        gang = [pod(f"lab-{i}", gpu=1, node="g1", pod_group="lab") for i in range(2)]
        busy = np.full(len(grid()), 0.9, np.float32)
        nodes = [node(f"g{i}", cpu="96", memory="768Gi", gpu=8) for i in (1, 2, 3)]
        other = pod("web-0", gpu=4, node="g2")
        snapshot = cluster(nodes, [*gang, other], objects=[core_group("lab", 2, "PodGroup")])
        for second, moved in ((busy, 0), (idle(600), 2)):
            single = {"lab-0": idle(600), "lab-1": second, "web-0": busy}
            known = gpu_history({"lab": busy, "web": busy}, {"lab": 2}, single)
            outcome = decided(snapshot, [known], act="evict")
            assert sum(len(a.proposal.moves) for a in outcome.accepted) == moved
            assert sum(reported(outcome).values()) == (2.0 if moved else 1.0)

    def test_no_more_pods_than_allowed(self) -> None:
        pods = [pod(f"w{i}-0", gpu=1, node="g1") for i in range(6)] + [pod("web-0", gpu=1, node="g2")]
        outcome = judged(
            pods, gpu_history({**{f"w{i}": idle(600) for i in range(6)}, "web": 0.9}), act="evict", max_moves=2
        )
        assert len(outcome.accepted) <= 2


def test_observations_name_their_pods() -> None:
    outcome = judged([pod("lab-0", gpu=1, node="g1")], gpu_history({"lab": idle(600)}))
    (answer,) = IdleGpu().propose(outcome.view, IdleGpuArgs())
    assert isinstance(answer, Observation)
    assert answer.pods == (0,)
    assert answer.finding.value == 1


@pytest.mark.parametrize("pinned", [True, False])
def test_it_evicts_on_what_the_exporter_says_and_only_reports_what_anybody_could_say(pinned: bool) -> None:
    pods = [pod("lab-0", of=replace(spec(gpu=1), grace_seconds=0), node="g1"), pod("web-0", gpu=1, node="g2")]
    seen = replace(gpu_history({"lab": idle(600), "web": 0.9}), pinned=pinned)
    outcome = judged(pods, seen, act="evict")
    assert reported(outcome) == {"lab": 1.0}
    assert bool(outcome.accepted) == pinned
    told = [row.detail for row in documented(outcome).refusals if row.reason == Reason.NOT_PINNED]
    assert [("history.sources.gpus" in one) for one in told] == ([] if pinned else [True])
