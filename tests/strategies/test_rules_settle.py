"""Random clusters with broken rules: no plan breaks more than it cures, and soon there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import cluster, node, pod, spec, workload
from descheduler.contract import load
from descheduler.model.labels import Labels
from descheduler.model.nodes import Taint
from descheduler.model.pods import NodeAffinity, PodAffinity, PodAffinityTerm, PodSpec, SpreadConstraint
from descheduler.model.selectors import LabelSelector, NodeSelectorTerm, Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy
from strategies.balancing import made

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
PLANS = 8  # in which every cluster of this size is at rest
BOTH = ["requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"]
RULES = {
    "RemovePodsViolatingNodeTaints": {"includePreferNoSchedule": True},
    "RemovePodsViolatingNodeAffinity": {"nodeAffinityType": BOTH},
    "RemovePodsViolatingInterPodAntiAffinity": {},
    "RemoveDuplicates": {},
    "RemovePodsViolatingTopologySpreadConstraint": {"constraints": ["DoNotSchedule", "ScheduleAnyway"]},
}
Look = Callable[[LabelSelector], dict[str, object]]


def _on(values: tuple[str, ...]) -> NodeSelectorTerm:
    return NodeSelectorTerm((Requirement("disk", Operator.IN, values),))


def _spread(key: str, skew: int, when: str) -> Look:
    return lambda mine: {"spread": (SpreadConstraint(skew, key, when, mine),)}


LOOKS: list[Look] = [
    lambda _: {},
    lambda _: {"node_selector": Labels({"disk": "ssd"})},
    lambda _: {"node_affinity": NodeAffinity((_on(("ssd", "hdd")),))},
    lambda _: {"node_affinity": NodeAffinity(preferred=((10, _on(("ssd",))), (3, _on(("hdd",)))))},
    lambda mine: {"anti_affinity": PodAffinity((PodAffinityTerm(HOST, mine),))},
    lambda mine: {"anti_affinity": PodAffinity((PodAffinityTerm(ZONE, mine),))},
    _spread(ZONE, 1, "DoNotSchedule"),
    _spread(HOST, 2, "DoNotSchedule"),
    _spread(ZONE, 1, "ScheduleAnyway"),
    lambda mine: {
        "spread": tuple(SpreadConstraint(1, key, "ScheduleAnyway", mine) for key in (ZONE, HOST)),
    },
]


@st.composite
def clusters(draw: st.DrawFn) -> ClusterSnapshot:
    """Pods of a few controllers that stand anywhere, whatever their rules say."""
    taints = st.sampled_from([(), (), (Taint("own", "", "NoSchedule"),), (Taint("own", "", "PreferNoSchedule"),)])
    nodes = [
        node(
            f"n{i}",
            cpu=draw(st.sampled_from(["4", "8"])),
            zone=draw(st.sampled_from("abc")),
            labels={"disk": draw(st.sampled_from(["ssd", "hdd", "tape"]))},
            taints=draw(taints),
        )
        for i in range(draw(st.integers(2, 5)))
    ]
    pods, owners = [], []
    for number, look in enumerate(draw(st.lists(st.sampled_from(LOOKS), min_size=1, max_size=4))):
        labels = {"app": f"a{number}"}
        mine = LabelSelector.of(labels)
        of: PodSpec = spec(cpu=draw(st.sampled_from(["100m", "1"])), **look(mine))
        places = draw(st.lists(st.integers(0, len(nodes) - 1), min_size=1, max_size=5))
        priority = draw(st.integers(0, 1))
        pods += [
            pod(f"a{number}-{i}", node=f"n{at}", of=of, labels=labels, priority=priority) for i, at in enumerate(places)
        ]
        owners.append(workload("ReplicaSet", f"a{number}", len(places), selector=mine))
    return cluster(nodes, pods, workloads=owners)


def chosen(*names: str) -> list[ChosenStrategy]:
    strategies = [load(name) for name in names]
    return [ChosenStrategy(one, one.Args.model_validate(RULES[one.name])) for one in strategies]


def broken(snapshot: ClusterSnapshot, name: str) -> float:
    """How many pods are too many where they are; of spreads, the skews."""
    found = made(snapshot, *chosen(name)).outcome.findings
    return sum(one.value for one in found.values())


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(snapshot=clusters())
def test_no_plan_leaves_more_broken_and_the_last_moves_nothing(name: str, snapshot: ClusterSnapshot) -> None:
    left = broken(snapshot, name)
    for _ in range(PLANS):
        plan = made(snapshot, *chosen(name))
        if not plan.gone:
            return
        snapshot = plan.after()
        now = broken(snapshot, name)
        assert now <= left
        left = now
    raise AssertionError("it never comes to rest")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(snapshot=clusters())
def test_all_of_them_together_come_to_rest(snapshot: ClusterSnapshot) -> None:
    moves = []
    for _ in range(PLANS):
        plan = made(snapshot, *chosen(*RULES))
        if not plan.gone:
            return
        snapshot = plan.after()
        moves.append([(one.proposal.finding.strategy, plan.landed) for one in plan.outcome.accepted])
    raise AssertionError(f"it never comes to rest: {moves}")
