"""GpuTopology: which jobs move, for what gain, and what it says of those it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, cluster, node, owner, pod, spec, workload
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Observation, Proposal
from descheduler.model.nodes import Node
from descheduler.model.objects import CustomObject, Json
from descheduler.model.plan import PlanDocument
from descheduler.model.pods import Pod, PodAffinity, PodAffinityTerm
from descheduler.model.reasons import Reason
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import FailureAction
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.topology import LinkRow, TopologyRules, read_topology, set_of
from descheduler_strategies.gpu_topology.args import GpuTopologyArgs
from descheduler_strategies.gpu_topology.strategy import GpuTopology
from gang_builders import GROUP_LABEL, core_group, custom, group
from planning.cases import outcome, planned

V100 = "Tesla-V100-SXM2-32GB"
HOUR = 3600.0
OTHERS = {"v3": (0, 6), "v4": (0, 1)}
"""Nodes, and the pair that is left of each."""


def job(name: str, at: str, held: Sequence[int], gpus: int = 0, cpu: str = "4", **more: object) -> Pod:
    """A pod of a Job that holds these GPUs (of `gpus` whose places nobody tells, when there are none)."""
    more.setdefault("owners", [owner("Job", name.rpartition("-")[0], "batch/v1")])
    return pod(name, cpu=cpu, gpu=gpus or len(held), node=at, gpu_indices=tuple(held), **more)  # type: ignore[arg-type]


def jobs(
    nodes: Iterable[Node], pods: Iterable[Pod], objects: Iterable[CustomObject] = (), **train: object
) -> ClusterSnapshot:
    """A cluster of Jobs that do not mind an eviction; `train` says more of the one of that name."""
    pods = list(pods)
    names = sorted({o.name for p in pods for o in p.owners if o.kind == "Job"})
    found = [
        workload("Job", n, api_version="batch/v1", on_eviction=FailureAction.IGNORE, **(train if n == "train" else {}))  # type: ignore[arg-type]
        for n in names
    ]
    return cluster(nodes, pods, workloads=found, objects=objects)


def mesh(name: str, **more: object) -> Node:
    return node(name, cpu="96", memory="768Gi", gpu=8, model=V100, **more)  # type: ignore[arg-type]


def scene(
    free: Sequence[int] = (0, 3),
    held: Sequence[int] = (0, 6),
    extra: Iterable[Pod] = (),
    annotations: Mapping[str, str] | None = None,
    **train: object,
) -> ClusterSnapshot:
    """`train` holds `held` of node v1, which is full otherwise; of v2, less busy, only the GPUs of `free` are left."""
    mine = job("train-0", "v1", held, annotations=annotations)
    others = job("full-0", "v1", [d for d in range(8) if d not in held], cpu="60")
    there = job("there-0", "v2", [d for d in range(8) if d not in free])
    return jobs([mesh("v1"), mesh("v2")], [mine, others, there, *extra], (), **train)


def run(snapshot: ClusterSnapshot, settings: PlanningSettings | None = None, **args: object) -> PlanDocument:
    arguments = GpuTopologyArgs.model_validate_json(json.dumps(args))
    unlimited = replace(settings or PlanningSettings(), limits=DisruptionLimits(None, None, None, None, None))
    return planned(snapshot, chosen=[ChosenStrategy(GpuTopology(), arguments)], settings=unlimited)


def asked(snapshot: ClusterSnapshot, **args: object) -> list[Proposal | Observation]:
    arguments = GpuTopologyArgs.model_validate(args)
    return list(GpuTopology().propose(outcome(snapshot).view, arguments))


def moved(document: PlanDocument) -> dict[str, tuple[str, str]]:
    return {move.pod: (move.source, move.destination) for action in document.actions for move in action.pods}


def refusals(document: PlanDocument) -> dict[str, tuple[str, str]]:
    subjects = {finding.id: finding.subject for finding in document.findings}
    return {subjects[r.finding]: (r.reason, r.detail) for r in document.refusals if r.finding}


class TestPairs:
    def test_a_job_on_the_worst_pair_moves_to_a_good_one(self) -> None:
        document = run(scene())
        assert moved(document) == {"train-0": ("v1", "v2")}

    @pytest.mark.parametrize(("landing", "target"), [("predicted", ""), ("directed", "v2")])
    def test_directed_it_takes_the_best_pair_though_the_scheduler_likes_others_more(
        self, landing: str, target: str
    ) -> None:
        """v3 has the pair that is as bad as its own left, v4 a middling one, and both are emptier than v2."""
        worse = [job(f"at{n}-0", n, [d for d in range(8) if d not in left], cpu="1") for n, left in OTHERS.items()]
        found = scene(extra=[*worse, job("busy-0", "v2", (), cpu="40")])
        more = cluster([*found.nodes, *map(mesh, OTHERS)], found.pods, workloads=found.workloads.values())
        document = run(more, PlanningSettings(landing=LandingMode(landing)))
        assert moved(document).get("train-0", ("", ""))[1] == target

    def test_it_says_what_is_gained_and_of_whom_that_is_expected(self) -> None:
        (proposal,) = (a for a in asked(scene()) if isinstance(a, Proposal))
        assert proposal.finding.value == pytest.approx(0.32)
        assert "GPUs 0, 6 of v1 are linked at 16 GB/s, the best 2 at 50" in proposal.finding.text
        assert "16 → 50 GB/s, whichever GPUs the kubelet gives" in proposal.note
        assert proposal.benefit == pytest.approx(0.68)

    def test_worth_is_what_amdahl_leaves_on_the_rest_of_the_job(self) -> None:
        (proposal,) = (a for a in asked(scene(), communication=0.5, remaining="10h") if isinstance(a, Proposal))
        factor = 1 / (0.5 + 0.5 * 16 / 50)
        assert proposal.worth == pytest.approx(2 * 20 * 10 * HOUR * (1 - 1 / factor))

    def test_a_job_on_a_good_pair_is_no_finding(self) -> None:
        assert not asked(scene(held=(0, 3), free=(1, 2)))

    def test_one_that_is_about_to_end_stays(self) -> None:
        document = run(scene(annotations={"rebalance.descheduler.dev/expected-end": "2025-10-09T09:00:00Z"}))
        assert not moved(document)
        reason, detail = refusals(document)["workload/default/Job/train"]
        assert reason == Reason.NOT_WORTH_IT
        assert "about to end" in detail
        assert "annotation" in detail

    def test_what_a_restart_costs_more_than_it_gains_stays(self) -> None:
        document = run(scene(), communication=0.01, remaining="1h")
        assert not moved(document)
        assert refusals(document)["workload/default/Job/train"][0] == Reason.NOT_WORTH_IT

    def test_a_set_no_better_than_its_own_is_no_destination(self) -> None:
        document = run(scene(free=(1, 7)))
        assert not moved(document)
        assert refusals(document)["workload/default/Job/train"][0] == Reason.NO_GAIN

    def test_another_model_is_no_destination(self) -> None:
        full = job("full-0", "v1", [1, 2, 3, 4, 5, 7], cpu="60")
        nodes = [mesh("v1"), node("a1", cpu="96", memory="768Gi", gpu=8, model="NVIDIA-A100-SXM4-80GB")]
        assert not moved(run(jobs(nodes, [job("train-0", "v1", (0, 6)), full])))


class TestWhoChoosesTheDevice:
    def test_a_good_pair_that_the_kubelet_may_miss_is_not_promised(self) -> None:
        document = run(scene(free=(0, 3, 6)))
        assert not moved(document)
        reason, detail = refusals(document)["workload/default/Job/train"]
        assert reason == Reason.NO_GAIN
        assert "v2 has a set at 50 GB/s left, but the kubelet chooses" in detail

    def test_with_a_plugin_that_gives_the_best_set_it_is(self) -> None:
        document = run(scene(free=(0, 3, 6)), devices="best")
        assert moved(document) == {"train-0": ("v1", "v2")}

    def test_gpus_that_others_may_hold_are_counted_as_free_ones_that_may_be_bad(self) -> None:
        hidden = job("hidden-0", "v2", (), gpus=1)
        snapshot = jobs(
            [mesh("v1"), mesh("v2")],
            [
                job("train-0", "v1", (0, 6)),
                job("full-0", "v1", [1, 2, 3, 4, 5, 7], cpu="60"),
                job("there-0", "v2", [1, 2, 4, 5, 7]),
                hidden,
            ],
        )
        assert not moved(run(snapshot))
        assert not moved(run(snapshot, devices="best")), "0, 3 and 6 are left for one of the two: which, nobody says"

    def test_what_nobody_reports_is_said_and_not_guessed(self) -> None:
        document = run(scene(extra=[job("lost-0", "v2", (), gpus=2)]))
        reason, _ = refusals(document)["gpu/devices"]
        assert reason == Reason.DATA_MISSING

    def test_unknown_links_are_said(self) -> None:
        strange = node("x1", cpu="96", gpu=8, model="X9000")
        (found,) = asked(jobs([strange, mesh("v1")], [job("train-0", "x1", (0, 6))]))
        assert isinstance(found, Observation)
        assert (str(found.finding.subject), found.blocked.reason) == ("gpu/links", Reason.DATA_MISSING)

    def test_flat_links_need_no_places(self) -> None:
        flat = node("a1", cpu="96", gpu=8, model="NVIDIA-A100-SXM4-80GB")
        assert not asked(jobs([flat], [job("train-0", "a1", (), gpus=4)]))

    def test_own_link_tables_count(self) -> None:
        nodes = [node(name, cpu="96", memory="768Gi", gpu=3, model="X9000") for name in ("x1", "x2")]
        pods = [job("train-0", "x1", (0, 2)), job("full-0", "x1", (1,), cpu="60"), job("there-0", "x2", (2,))]
        rows = (LinkRow("x9000", ((0, 100, 10), (100, 0, 10), (10, 10, 0))),)
        settings = PlanningSettings(topology=TopologyRules(links=rows))
        assert moved(run(jobs(nodes, pods), settings)) == {"train-0": ("x1", "x2")}


class TestHowLongItRuns:
    def marked(self, **marks: str) -> list[Proposal | Observation]:
        annotations = {f"rebalance.descheduler.dev/{k.replace('_', '-')}": v for k, v in marks.items()}
        return asked(scene(annotations=annotations))

    def test_by_its_expected_duration(self) -> None:
        (found,) = self.marked(expected_duration="30h")  # it started a day ago
        assert isinstance(found, Proposal)
        assert dict(found.finding.numbers)["expected hours left"] == pytest.approx(6.0)

    def test_by_the_deadline_of_its_job(self) -> None:
        (found,) = asked(scene(deadline=NOW + 600))
        assert isinstance(found, Observation)
        assert "10 min left (deadline of its controller)" in found.blocked.detail

    def test_by_the_deadline_of_a_custom_job(self) -> None:
        spec: dict[str, Json] = {"runPolicy": {"activeDeadlineSeconds": 86_400 + 1200}}
        train = custom("kubeflow.org/v1", "PyTorchJob", "train", spec, status={"startTime": "2025-10-08T08:53:20Z"})
        mine = job("train-0", "v1", (0, 6), owners=[owner("PyTorchJob", "train", "kubeflow.org/v1")])
        (found,) = asked(jobs([mesh("v1"), mesh("v2")], [mine], [train]))
        assert isinstance(found, Observation)
        assert "20 min left" in found.blocked.detail

    def test_by_its_kind(self) -> None:
        (found,) = asked(scene(), expected={"Job": "24h5m"})
        assert isinstance(found, Observation)
        assert "5 min left (policy, by its kind)" in found.blocked.detail

    @pytest.mark.parametrize(
        "marks",
        [
            {"expected_end": "soon"},
            {"expected_end": "2030-01-01T00:00:00"},
            {"expected_duration": "long"},
            {"communication_fraction": "1.5"},
            {"communication_fraction": "nan"},
        ],
    )
    def test_marks_that_cannot_be_read_move_nothing(self, marks: dict[str, str]) -> None:
        (found,) = self.marked(**marks)
        assert isinstance(found, Observation)
        assert found.blocked.reason == Reason.DATA_MISSING

    def test_how_much_it_communicates(self) -> None:
        (little,) = self.marked(communication_fraction="0.2")
        (much,) = self.marked(communication_fraction="0.9")
        assert isinstance(little, Proposal)
        assert isinstance(much, Proposal)
        assert much.worth > 2 * little.worth


RACK = "example.com/rack"
RACKS = PlanningSettings(topology=TopologyRules(labels=(RACK,)))


def rack_node(name: str, rack: str) -> Node:
    labels = {RACK: rack} if rack else {}
    return node(name, cpu="96", memory="768Gi", gpu=8, model="NVIDIA-H100-80GB-HBM3", labels=labels)


def spread_gang(racks: Sequence[str], busy: Sequence[str] = (), near: bool = True) -> ClusterSnapshot:
    """A gang of two pods of 8 GPUs on n0 and n1 (busy with CPU), `racks` of n0, n1, …; the nodes of `busy` are full.

    `near`: the pods ask to be in one rack with each other.
    """
    nodes = [rack_node(f"n{i}", rack) for i, rack in enumerate(racks)]
    marks = {GROUP_LABEL: "big"}
    together = PodAffinityTerm(RACK, LabelSelector.of(marks))
    asks = spec("4", gpu=8, affinity=PodAffinity(preferred=((100, together),) if near else ()))
    made = [owner("Job", "big", "batch/v1")]
    pods = [pod(f"big-{i}", node=f"n{i}", of=asks, labels=marks, owners=made) for i in range(2)]
    pods += [job(f"other{name}-0", name, range(8)) for name in busy]
    pods += [pod(f"web-{i}", cpu="60", node=f"n{i}") for i in range(2)]
    return jobs(nodes, pods, objects=[group("big", 2)])


class TestGangs:
    def test_a_gang_in_two_racks_moves_whole_into_one_that_holds_it(self) -> None:
        document = run(spread_gang(["r1", "r2", "r3", "r3"]), RACKS, remaining="24h")
        assert {target for _, target in moved(document).values()} == {"n2", "n3"}
        (finding,) = document.findings
        assert "use 2 domains of level rack where 1 would do" in finding.text
        assert finding.value == 0.5

    def test_it_stays_where_the_scheduler_would_not_gather_it(self) -> None:
        document = run(spread_gang(["r1", "r2", "r3", "r3", "r4", "r5"], near=False), RACKS, remaining="24h")
        assert not moved(document)
        ((reason, _),) = refusals(document).values()
        assert reason == Reason.NO_GAIN

    def test_steered_it_is_gathered(self) -> None:
        settings = replace(RACKS, landing=LandingMode.STEERED)
        document = run(spread_gang(["r1", "r2", "r3", "r3", "r4", "r5"], near=False), settings, remaining="24h")
        assert {target for _, target in moved(document).values()} == {"n2", "n3"}
        assert set(document.actions[0].steer) == {"n0", "n1", "n4", "n5"}

    def test_directed_it_is_gathered_and_each_member_prefers_the_nodes_of_all(self) -> None:
        settings = replace(RACKS, landing=LandingMode.DIRECTED)
        document = run(spread_gang(["r1", "r2", "r3", "r3", "r4", "r5"], near=False), settings, remaining="24h")
        assert {target for _, target in moved(document).values()} == {"n2", "n3"}
        assert {frozenset(pod.towards) for pod in document.actions[0].pods} == {frozenset(("n2", "n3"))}
        assert document.actions[0].steer == ()

    def test_a_gang_in_one_rack_is_no_finding(self) -> None:
        assert not run(spread_gang(["r1", "r1", "r3", "r3"]), RACKS).findings

    def test_a_gang_that_no_rack_holds_is_no_finding(self) -> None:
        assert not run(spread_gang(["r1", "r2", "r3", "r3"], busy=["n3"]), RACKS).findings

    def test_nodes_that_do_not_say_where_they_are_move_nothing(self) -> None:
        document = run(spread_gang(["r1", "", "r3", "r3"]), RACKS)
        assert not moved(document)
        assert refusals(document)["gpu/network"][0] == Reason.DATA_MISSING

    def test_a_gang_on_a_bad_set_moves_whole_and_is_not_torn_apart(self) -> None:
        marks = {GROUP_LABEL: "duo"}
        pods = [
            job("train-0", "v1", (0, 6), labels=marks),
            job("train-1", "v1", (1, 2), labels=marks),
            job("full-0", "v1", (3, 4, 5, 7), cpu="60"),
            job("there-0", "v2", (5, 6, 7)),
        ]
        snapshot = jobs([mesh("v1"), mesh("v2")], pods, objects=[group("duo", 2)])
        assert not moved(run(snapshot, remaining="24h")), "of GPUs 0 to 4, 1 and 4 have no link"
        pods[3] = job("there-0", "v2", (4, 5, 6, 7))
        snapshot = jobs([mesh("v1"), mesh("v2")], pods, objects=[group("duo", 2)])
        assert set(moved(run(snapshot, remaining="24h"))) == {"train-0", "train-1"}


def test_no_gpus_no_words() -> None:
    assert not asked(cluster([node("n1")], [pod("web-0", node="n1")]))


def test_at_most_so_many_moves_are_proposed() -> None:
    nodes = [mesh(f"v{i}") for i in range(4)]
    pods = [
        job("a-0", "v0", (0, 6)),
        job("fa-0", "v0", [1, 2, 3, 4, 5, 7], cpu="60"),
        job("b-0", "v1", (0, 6)),
        job("fb-0", "v1", [1, 2, 3, 4, 5, 7], cpu="60"),
        job("fc-0", "v2", [1, 2, 4, 5, 6, 7]),
        job("fd-0", "v3", [1, 2, 4, 5, 6, 7]),
    ]
    found = asked(jobs(nodes, pods), max_moves=1)
    assert [type(a) for a in found] == [Proposal, Observation]
    assert isinstance(found[1], Observation)
    assert found[1].blocked.reason == Reason.CYCLE_LIMIT


class TestPerPod:
    """A gang that may lose single pods beyond its minimum loses only those that stand apart."""

    def elastic(self, minimum: int) -> ClusterSnapshot:
        nodes = [rack_node(f"n{i}", "r1" if i < 3 else "r2") for i in range(5)]
        core = core_group("big", minimum, "Pod")
        made = [owner("Job", "big", "batch/v1")]
        places = ("n0", "n1", "n3")
        pods = [pod(f"big-{i}", cpu="4", gpu=8, node=n, owners=made, pod_group="big") for i, n in enumerate(places)]
        return jobs(
            nodes, [*pods, pod("web-0", cpu="60", node="n3"), pod("web-1", cpu="60", node="n4")], objects=[core]
        )

    def test_the_stray_comes_back(self) -> None:
        assert moved(run(self.elastic(2), RACKS, remaining="24h")) == {"big-2": ("n3", "n2")}

    def test_not_below_the_minimum(self) -> None:
        assert not moved(run(self.elastic(3), RACKS, remaining="24h"))


def test_what_is_promised_holds_on_the_destinations_alone() -> None:
    proposals = [a for a in asked(scene()) if isinstance(a, Proposal)]
    assert all(move.only for proposal in proposals for move in proposal.moves)


def test_a_plan_refuses_promises_that_another_move_has_undone() -> None:
    """Two strategies of one plan: what the first took is no destination of the second any more."""
    twice = [ChosenStrategy(GpuTopology(), GpuTopologyArgs()), ChosenStrategy(GpuTopology(), GpuTopologyArgs())]
    unlimited = PlanningSettings(limits=DisruptionLimits(None, None, None, None, None))
    other = job("also-0", "v1", (1, 7))
    full = job("full-0", "v1", (2, 3, 4, 5), cpu="60")
    there = job("there-0", "v2", [1, 2, 4, 5, 6, 7])
    snapshot = jobs([mesh("v1"), mesh("v2")], [job("train-0", "v1", (0, 6)), other, full, there])
    document = planned(snapshot, chosen=twice, settings=unlimited)
    assert len(moved(document)) == 1


@given(st.lists(st.permutations(range(8)), min_size=2, max_size=4), st.integers(0, 3), st.sampled_from(["any", "best"]))
def test_no_kubelet_breaks_a_promise(orders: list[list[int]], free: int, devices: str) -> None:
    """Whatever sets the kubelet gives (`best`: the best that is left), no moved job has less than it was promised."""
    nodes, pods, left = [], [], {}
    for i, order in enumerate(orders):
        nodes.append(mesh(f"v{i}"))
        cut = 8 - 2 * free if i else 8
        for j in range(0, cut, 2):
            pods.append(job(f"j{i}{j}-0", f"v{i}", order[j : j + 2], cpu="4" if i else "20"))
        left[f"v{i}"] = set_of(tuple(order[cut:]))
    snapshot = jobs(nodes, pods)
    board = read_topology(snapshot).links.boards[0]
    held = {p.name: set_of(p.gpu_indices) for p in pods}
    document = run(snapshot, devices=devices, min_score=1.0, remaining="100h")
    for action in document.actions:
        for move in action.pods:
            table = board.rings.best_in(2) if devices == "best" else board.rings.worst_in(2)
            assert table[left[move.destination]] > board.rings.bandwidth[held[move.pod]]


def test_many_alike_are_summed_up() -> None:
    pods = [job(f"j{i:03}-0", f"v{i // 4}", held) for i, held in enumerate([(0, 5), (1, 4), (2, 7), (3, 6)] * 60)]
    found = asked(jobs([mesh(f"v{i}") for i in range(60)], pods))
    assert len(found) == 201
    assert isinstance(found[-1], Observation)
    assert (found[-1].finding.value, len(found[-1].pods), found[-1].blocked.reason) == (40, 40, Reason.NO_GAIN)


def test_the_replacement_of_a_pod_has_the_finding_of_its_job() -> None:
    (before,) = asked(scene())
    snapshot = scene()
    renamed = [replace(p, name="train-xyz", uid="another") if p.name == "train-0" else p for p in snapshot.pods]
    (after,) = asked(jobs(snapshot.nodes, renamed))
    assert str(before.finding.subject) == str(after.finding.subject) == "workload/default/Job/train"


def test_several_pods_of_one_workload_are_told_apart() -> None:
    pods = [job(f"train-{i}", "v1", held) for i, held in enumerate([(0, 6), (1, 7)])]
    found = asked(jobs([mesh("v1"), mesh("v2")], pods))
    assert {str(a.finding.subject) for a in found} == {"pod/default/train-0", "pod/default/train-1"}
