"""The GPU map of a plan: who holds which device before and after, what is free in which shape, what is not known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import msgspec

from builders import GPU, NOW, cluster, node, ordinal, pod, spec
from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.devices import Device, GpuShare, GpuSource, NodeGpus
from descheduler.model.moves import Finding, Move, Proposal
from descheduler.model.nodes import Node
from descheduler.model.plan import PlanDocument
from descheduler.model.plan_gpus import GpuHold, GpuMap, GpuNodeRow
from descheduler.model.pods import GpuRequest
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.scheduler import Scoring
from planning.cases import gpus, planned, scattered_gpus

PACKING = PlanningSettings(scoring={"default-scheduler": Scoring.MOST_ALLOCATED})


class _Vacate:
    """Moves the only GPU pod of g1 away."""

    name: ClassVar[str] = "Vacate"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def propose(self, view: RebalanceView, args: StrategyArgs) -> Iterable[Proposal]:
        pod_ = view.snapshot.pod_index["default", "a-0"]
        if view.start.node_of(pod_) == 0:
            yield Proposal(
                Finding(self.name, Subject(SubjectKind.GPU, "slots"), "free slots", 0, 1, ""),
                (Move(pod_, 0, (2,)),),
                1.0,
                1e9,
            )


def the_map(document: PlanDocument) -> GpuMap:
    assert document.gpus is not None
    return document.gpus


def row(document: PlanDocument, name: str) -> GpuNodeRow:
    return next(r for r in the_map(document).nodes if r.name == name)


def test_a_cluster_without_gpus_has_no_map() -> None:
    assert planned(cluster([node("n1")], [pod("a-0", node="n1")])).gpus is None


def test_what_moves_is_on_its_source_before_and_on_its_destination_after() -> None:
    document = planned(scattered_gpus(), [], [ChosenStrategy(_Vacate(), StrategyArgs())], PACKING)
    (action,) = document.actions
    (move,) = action.pods
    key = f"{move.namespace}/{move.pod}"
    source, target = row(document, move.source), row(document, move.destination)
    assert key in {h.pod for h in source.before}
    assert source.after == ()
    assert (source.free_before, source.free_after) == (7, 8)
    assert target.after is not None
    assert {h.pod for h in target.after} == {h.pod for h in target.before} | {key}
    (capacity,) = the_map(document).capacity
    assert (capacity.before.slots["8"], capacity.after.slots["8"]) == (0, 1)
    assert (capacity.before.open_nodes, capacity.after.open_nodes) == (0, 1)
    assert capacity.before.whole == capacity.after.whole == 15


def test_nothing_is_said_twice_of_nodes_that_do_not_change() -> None:
    document = planned(scattered_gpus(), [], [ChosenStrategy(_Vacate(), StrategyArgs())], PACKING)
    assert {r.name for r in the_map(document).nodes if r.after is None} == {"g1", "g2", "g3"} - {
        name for a in document.actions for m in a.pods for name in (m.source, m.destination)
    }


def test_counted_gpus_have_no_device_and_told_ones_have_their_source() -> None:
    located = replace(pod("a-0", gpu=2, node="g1"), gpu_indices=(3, 5), gpu_source=GpuSource.STATUS)
    document = planned(cluster([node("g1", gpu=8)], [located, pod("b-0", gpu=1, node="g1")]))
    assert row(document, "g1").before == (
        GpuHold("default/a-0", "default/ReplicaSet/a", 2, 1000, (3, 5), "status"),
        GpuHold("default/b-0", "default/ReplicaSet/b", 1),
    )
    assert row(document, "g1").source == "counts"
    assert the_map(document).unsteerable == 1


def test_devices_health_and_parts_are_told() -> None:
    described = NodeGpus(
        GPU,
        3,
        "H100",
        devices=(Device(0), Device(1, healthy=False), Device(2), Device(4)),
        reserved=(GpuShare(4, milli=500),),
        source=GpuSource.KOORDINATOR,
        steerable=True,
    )
    share = replace(
        pod("a-0", node="g1", of=replace(spec(), gpu=GpuRequest(GPU, 1, 300))),
        gpu_indices=(0,),
        gpu_shares=(GpuShare(0, milli=300),),
        gpu_source=GpuSource.KOORDINATOR,
    )
    document = planned(cluster([replace(node("g1", gpu=3), gpus=described)], [share]))
    found = row(document, "g1")
    assert found.indices == (0, 1, 2, 4)
    assert (found.devices, found.unhealthy, found.source, found.steerable) == (4, (1,), "koordinator", True)
    assert {(h.pod, h.milli, h.devices) for h in found.before} == {("default/a-0", 300, (0,)), ("", 500, (4,))}
    (capacity,) = the_map(document).capacity
    assert (capacity.before.whole, capacity.before.partial) == (1, 1.2)
    assert the_map(document).unsteerable == 0


def test_what_is_free_where_no_gpu_pod_fits_is_stranded() -> None:
    nodes = [
        node("open", cpu="16", gpu=8),
        node("full", cpu="16", gpu=8),
        node("cordoned", cpu="16", gpu=8, unschedulable=True),
    ]
    pods = [pod("small-0", cpu="4", gpu=1, node="open"), pod("cpu-0", cpu="13", node="full")]
    (capacity,) = the_map(planned(cluster(nodes, pods))).capacity
    assert capacity.before.whole == 23
    assert capacity.before.stranded == 16
    assert capacity.before.slots == {"1": 7, "2": 3, "4": 1, "8": 0}


def test_pools_and_models_are_summed_apart() -> None:
    nodes = [node("a", gpu=8, model="H100"), node("b", gpu=4, model="L4"), node("c", gpu=4, model="L4")]
    rows = the_map(planned(cluster(nodes, []))).capacity
    assert [(r.model, r.nodes, r.devices) for r in rows] == [("H100", 1, 8), ("L4", 2, 8)]


def test_of_many_nodes_the_most_fragmented_are_listed_and_the_document_stays_small() -> None:
    nodes = [node(f"g{i:04d}", gpu=8) for i in range(600)]
    pods = [pod(f"w{i}-0", gpu=1 if i % 100 == 0 else 8, node=f"g{i:04d}") for i in range(600)]
    document = planned(cluster(nodes, pods))
    found = the_map(document)
    assert len(found.nodes) == 64
    assert found.left_out == 536
    assert {f"g{i:04d}" for i in range(0, 600, 100)} <= {r.name for r in found.nodes}
    assert len(msgspec.json.encode(found)) < 64 * 500


def test_those_for_whom_room_is_made_stand_in_the_map_afterwards() -> None:
    waits = [pod("want-0", cpu="4", gpu=8, created=NOW - 3600)]
    document = planned(scattered_gpus(pods=waits), [], [gpus(objective="pending")], PACKING)
    (seat,) = {seat for action in document.actions for seat in action.room_for}
    found = row(document, seat.node)
    assert found.after is not None
    assert [(h.pod, h.count, h.devices) for h in found.after] == [("default/want-0", 8, ())]
    assert found.free_after == 0


def test_the_largest_gang_is_told_by_network_level() -> None:
    zones = {"g1": "a", "g2": "a", "g3": "b"}
    snapshot = scattered_gpus()
    nodes = [replace(n, labels=n.labels.with_({"topology.kubernetes.io/zone": zones[n.name]})) for n in snapshot.nodes]
    document = planned(cluster(nodes, snapshot.pods), [], [gpus(wanted=1)], PACKING)
    largest = {g.level: (g.gpus, g.before, g.after) for g in the_map(document).gangs}
    assert largest["zone"] == (8, 0, 1)
    assert largest["node"] == (8, 0, 1)


def cut(name: str, *, parts: int = 1, replicas: int = 1, gpus: int = 4) -> Node:
    """A node that counts parts of its GPUs, or turns on them, as if they were GPUs."""
    count = gpus * parts * replicas
    found = NodeGpus(GPU, count, "A100", parts=parts, replicas=replicas)
    return replace(node(name, cpu="96", memory="768Gi", gpu=count), gpus=found)


def test_units_of_shared_gpus_are_no_gpus_in_the_map_and_in_no_slot() -> None:
    slices = [pod(f"w{i}-0", gpu=1, node="mig") for i in range(9)]
    turns = [pod(f"t{i}-0", gpu=1, node="turns") for i in range(4)]
    nodes = [cut("mig", parts=7), cut("turns", replicas=4, gpus=1), node("plain", cpu="96", gpu=8, model="H100")]
    document = planned(cluster(nodes, [*slices, *turns]))
    mig, shared = row(document, "mig"), row(document, "turns")
    assert (mig.devices, mig.units, mig.free_before, shared.devices, shared.units) == (4, 7, 0, 1, 4)
    assert {(h.count, h.milli) for h in mig.before} == {(1, 142)}
    assert sum(h.count * h.milli for h in shared.before) == 1000
    parts, plain = the_map(document).capacity
    assert (parts.devices, parts.before.whole, parts.before.partial) == (5, 0, 2.714)
    assert parts.before.slots == {"1": 0, "2": 0, "4": 0, "8": 0}
    assert (plain.devices, plain.before.whole, plain.before.slots["8"]) == (8, 8, 1)
    used = {n.name: (n.gpus, round(n.before.gpus_used, 3)) for n in document.nodes}
    assert used == {"mig": (4, 1.286), "turns": (1, 1.0), "plain": (8, 0.0)}


def test_parts_of_gpus_make_no_slot_that_somebody_asked_for() -> None:
    nodes = [cut("mig", parts=7), *(node(f"g{i}", cpu="96", memory="768Gi", gpu=8) for i in (1, 2))]
    busy = [pod(f"a{i}-0", cpu="4", gpu=1, node=f"g{i}", owners=ordinal(f"a{i}-0")) for i in (1, 2)]
    document = planned(cluster(nodes, busy), [], [gpus(wanted=1)], PACKING)
    (finding,) = document.findings
    assert (finding.value, finding.after) == (0, 1)
    assert {move.source for action in document.actions for move in action.pods} <= {"g1", "g2"}
