"""IdleGpu: GPUs that are shared or cut into parts, and signals that disagree: idle only what nothing speaks against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from builders import GPU, cluster, key, node, pod, spec
from descheduler.contract import RebalanceView
from descheduler.model.devices import GpuShare, NodeGpus
from descheduler.model.moves import Observation, Proposal
from descheduler.model.nodes import Node
from descheduler.model.pods import GpuRequest, Pod, PodSpec
from descheduler.planning import Outcome
from descheduler_profiling.series import History
from descheduler_strategies.idle_gpu.args import IdleGpuArgs
from descheduler_strategies.idle_gpu.strategy import IdleGpu
from histories import grid, history
from strategies.test_idle_gpu import decided, gpu_history, idle, reported, unknown

BUSY = np.full(len(grid()), 0.97, np.float32)
NOTHING = np.zeros(len(grid()), np.float32)
MOVING = np.linspace(10e9, 60e9, len(grid())).astype(np.float32)
MOVING[-12:] = np.linspace(40e9, 60e9, 12)
FLAT = np.full(len(grid()), 4e10, np.float32)


def shared(name: str, gpus: int = 1, replicas: int = 4, resource: str = GPU, parts: int = 1) -> Node:
    """A node of which each GPU is so many units."""
    count = gpus * replicas * parts
    made = node(name, cpu="96", memory="768Gi", **({"gpu": count} if resource == GPU else {resource: count}))
    return replace(made, gpus=NodeGpus(resource, count, replicas=replicas, parts=parts))


def least(row: np.ndarray, *names: str) -> History:
    return history("gpu_least", {key("ReplicaSet", name): row for name in names})


def memory(**rows: np.ndarray) -> History:
    return history("gpu_memory", {key("ReplicaSet", name): row for name, row in rows.items()})


def whole() -> Iterable[Node]:
    return [node(f"g{i}", cpu="96", memory="768Gi", gpu=8) for i in (1, 2, 3)]


def why(outcome: Outcome) -> str:
    """What is said of the GPUs of which nothing is known."""
    return " ".join(r.blocked.detail for r in outcome.observed.values() if r.finding.subject.name == "not measured")


def judged(nodes: Iterable[Node], pods: Iterable[Pod], *histories: History, **args: object) -> Outcome:
    return decided(cluster(nodes, pods), histories, **args)


class TestSignals:
    def test_metrics_that_disagree_are_not_known(self) -> None:
        pods = [pod("lab-0", gpu=1, node="g1"), pod("web-0", gpu=1, node="g1")]
        outcome = judged(whole(), pods, gpu_history({"lab": BUSY, "web": NOTHING}), least(NOTHING, "lab", "web"))
        assert (reported(outcome), unknown(outcome)) == ({"web": 1.0}, 1.0)
        assert "1 pod: have metrics that disagree" in why(outcome)

    def test_metrics_that_agree_on_work_leave_nothing_to_say(self) -> None:
        outcome = judged(whole(), [pod("lab-0", gpu=1, node="g1")], gpu_history({"lab": BUSY}), least(BUSY, "lab"))
        assert (reported(outcome), unknown(outcome)) == ({}, 0.0)

    def test_memory_that_moves_without_activity_is_not_known(self) -> None:
        outcome = judged(whole(), [pod("lab-0", gpu=1, node="g1")], gpu_history({"lab": NOTHING}), memory(lab=MOVING))
        assert (reported(outcome), unknown(outcome)) == ({}, 1.0)
        assert "GPU memory changes" in why(outcome)

    @pytest.mark.parametrize(
        ("other", "found", "unclear"),
        [(NOTHING, {"far": 1.0}, 2.0), (BUSY, {"web": 1.0, "far": 1.0}, 1.0)],
        ids=["no GPU of the node shows any", "another GPU of the node does"],
    )
    def test_where_memory_moves_and_no_gpu_of_the_node_shows_activity_none_is_called_idle(
        self, other: np.ndarray, found: dict[str, float], unclear: float
    ) -> None:
        pods = [pod(f"{name}-0", gpu=1, node=at) for name, at in (("lab", "g1"), ("web", "g1"), ("far", "g2"))]
        rows = {"lab": NOTHING, "web": NOTHING, "far": NOTHING}
        if other is BUSY:
            pods.append(pod("run-0", gpu=1, node="g1"))
            rows["run"] = BUSY
        outcome = judged(whole(), pods, gpu_history(rows), memory(lab=MOVING, web=FLAT, far=FLAT))
        assert (reported(outcome), unknown(outcome)) == (found, unclear)


class TestTurns:
    """Time-slicing and MPS: four pods on one GPU are one GPU."""

    def pods(self, count: int = 4, at: str = "g1") -> list[Pod]:
        return [pod(f"w{i}-0", gpu=1, node=at) for i in range(count)]

    def rows(self, *levels: np.ndarray) -> History:
        return gpu_history({f"w{i}": level for i, level in enumerate(levels)})

    def test_of_an_idle_gpu_all_users_are_idle_and_together_they_hold_one(self) -> None:
        outcome = judged([shared("g1")], self.pods(), self.rows(*[NOTHING] * 4))
        assert reported(outcome) == {f"w{i}": 0.25 for i in range(4)}
        assert unknown(outcome) == 0

    def test_the_exporter_may_name_one_user_only(self) -> None:
        outcome = judged([shared("g1")], self.pods(), self.rows(NOTHING))
        assert sum(reported(outcome).values()) == 1.0

    def test_the_exporter_may_know_where_one_user_is(self) -> None:
        first, *others = self.pods()
        named = replace(first, gpu_indices=(3,), gpu_shares=(GpuShare(3),))
        outcome = judged([shared("g1")], [named, *others], self.rows(NOTHING))
        assert sum(reported(outcome).values()) == 1.0

    def test_of_a_busy_gpu_nobody_knows_whose_work_it_is(self) -> None:
        outcome = judged([shared("g1")], self.pods(), self.rows(NOTHING, BUSY))
        assert (reported(outcome), unknown(outcome)) == ({}, 1.0)
        assert "4 pods: share GPUs that are in use" in why(outcome)

    def test_memory_of_the_device_is_everybodys(self) -> None:
        outcome = judged([shared("g1")], self.pods(), self.rows(*[NOTHING] * 4), memory(w0=MOVING, w1=FLAT))
        assert (reported(outcome), unknown(outcome)) == ({}, 1.0)

    def test_on_several_gpus_each_pod_is_judged_by_the_one_it_was_measured_on(self) -> None:
        outcome = judged([shared("g1", gpus=2)], self.pods(), self.rows(NOTHING, BUSY, NOTHING))
        assert reported(outcome) == {"w0": 0.25, "w2": 0.25}
        assert unknown(outcome) == 0.5

    def test_who_is_alone_on_the_node_is_no_sharer(self) -> None:
        outcome = judged([shared("g1")], self.pods(1), self.rows(BUSY))
        assert (reported(outcome), unknown(outcome)) == ({}, 0.0)

    def test_under_a_name_of_their_own(self) -> None:
        turns = "nvidia.com/gpu.shared"
        asks = PodSpec(requests=(("pods", 1), (turns, 1)))
        pods = [pod(f"w{i}-0", of=asks, node="g1") for i in range(4)]
        outcome = judged([shared("g1", resource=turns)], pods, self.rows(*[NOTHING] * 4))
        assert sum(reported(outcome).values()) == 1.0

    def test_parts_that_a_scheduler_accounts_for_are_shared_too(self) -> None:
        asks = PodSpec(gpu=GpuRequest(GPU, 1, 500))
        made = [
            pod(f"w{i}-0", of=asks, node="g1", gpu_indices=(i // 2,), gpu_shares=(GpuShare(i // 2, milli=500),))
            for i in range(4)
        ]
        outcome = judged(whole(), made, self.rows(NOTHING, BUSY, NOTHING, NOTHING))
        assert (reported(outcome), unknown(outcome)) == ({"w2": 0.5, "w3": 0.5}, 1.0)

    @pytest.mark.parametrize(
        ("level", "users", "found", "unclear"),
        [(NOTHING, 2, 1.0, 0.0), (BUSY, 2, 0.0, 1.0), (BUSY, 1, 0.0, 0.0), (NOTHING, 1, 0.5, 0.0)],
    )
    def test_what_is_measured_for_a_placeholder_is_of_those_who_use_its_device(
        self, level: np.ndarray, users: int, found: float, unclear: float
    ) -> None:
        asks = PodSpec(gpu=GpuRequest(GPU, 1, 500))
        made = [
            pod(f"w{i}-0", of=asks, node="g1", gpu_indices=(1,), gpu_shares=(GpuShare(1, milli=500),))
            for i in range(users)
        ]
        holds = pod("hold-0", gpu=1, node="g1", gpu_indices=(1,), gpu_shares=(GpuShare(1, milli=0),))
        outcome = judged(whole(), [*made, holds], gpu_history({"hold": level}))
        assert (sum(reported(outcome).values()), unknown(outcome)) == (found, unclear)
        assert "hold" not in reported(outcome)

    def answers(self, view: RebalanceView) -> list[Proposal | Observation]:
        return list(IdleGpu().propose(view, IdleGpuArgs(act="evict")))

    def test_users_leave_together_or_not_at_all(self) -> None:
        used = pod("run-0", gpu=8, node="g2")
        nodes = [shared("g1"), node("g2", cpu="96", memory="768Gi", gpu=16)]
        rows = {"w0": NOTHING, "w1": NOTHING, "run": BUSY}
        outcome = judged(nodes, [*self.pods(2), used], gpu_history(rows))
        (proposal,) = self.answers(outcome.view)
        assert isinstance(proposal, Proposal)
        assert len(proposal.moves) == 2
        assert proposal.benefit == -0.5

        kept = gpu_history({**rows, "w1": BUSY})
        assert not any(isinstance(a, Proposal) for a in self.answers(judged(nodes, [*self.pods(2), used], kept).view))

    def test_an_idle_pod_opens_no_free_gpu_that_is_shared(self) -> None:
        fill = pod("fill-0", cpu="80", node="g2")
        lab = pod("w0-0", gpu=1, node="g1")
        outcome = judged([shared("g2"), node("g1", cpu="96", memory="768Gi", gpu=8)], [lab, fill], self.rows(NOTHING))
        assert not any(isinstance(a, Proposal) for a in self.answers(outcome.view))


class TestParts:
    """MIG: an instance is measured by itself, and is a part of a GPU."""

    def test_instances_that_are_counted_as_gpus_are_no_gpus(self) -> None:
        pods = [pod(f"w{i}-0", gpu=1, node="g1") for i in range(7)]
        rows = gpu_history({"w0": BUSY, **{f"w{i}": NOTHING for i in range(1, 7)}})
        outcome = judged([shared("g1", gpus=4, replicas=1, parts=7)], pods, rows)
        assert sum(reported(outcome).values()) == pytest.approx(6 / 7)
        assert unknown(outcome) == 0, "one instance says nothing of another"

    def test_instances_under_names_of_their_own_are_looked_at(self) -> None:
        asks = PodSpec(requests=(("nvidia.com/mig-3g.20gb", 1), ("pods", 1)))
        nodes = [node("g1", cpu="96", **{"nvidia.com/mig-3g.20gb": 4})]
        pods = [pod(f"w{i}-0", of=asks, node="g1") for i in range(3)]
        outcome = judged(nodes, pods, gpu_history({"w0": NOTHING, "w1": BUSY}))
        assert reported(outcome) == {"w0": pytest.approx(3 / 7)}
        assert unknown(outcome) == pytest.approx(3 / 7), "w2 was not measured"


def test_a_whole_gpu_is_what_it_was() -> None:
    outcome = judged(whole(), [pod("lab-0", of=spec(gpu=2), node="g1")], gpu_history({"lab": idle(600)}))
    assert (reported(outcome), unknown(outcome)) == ({"lab": 2.0}, 0.0)
