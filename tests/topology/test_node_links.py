"""Links of nodes: by model, by a policy's rows, by what devices and partitions tell; the worth of partitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from builders import GPU, node
from descheduler.model.devices import Device, GpuPartition, NodeGpus
from descheduler.model.nodes import Node
from descheduler.topology import Board, LinkRow, aligned, fragmentation, node_links, potential, set_of
from descheduler.topology.links import TABLE
from descheduler.topology.partitions import Partition


def with_gpus(**gpus: object) -> Node:
    return replace(node("a"), gpus=NodeGpus(**{"resource": GPU, "count": 8, **gpus}))  # type: ignore[arg-type]


def board_of(one: Node, rows: tuple[LinkRow, ...] = TABLE) -> Board | None:
    return node_links([one], rows).board(0)


def board(one: Node, rows: tuple[LinkRow, ...] = TABLE) -> Board:
    found = board_of(one, rows)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("model", "bandwidth"),
    [
        ("NVIDIA-A100-SXM4-80GB", 300),
        ("NVIDIA-A100-PCIE-40GB", 32),
        ("NVIDIA-H100-80GB-HBM3", 450),
        ("NVIDIA-H100-PCIe", 64),
        ("NVIDIA H100 PCIe", 64),
        ("NVIDIA H100 80GB HBM3", 450),
        ("Tesla V100-SXM3-32GB", 150),
        ("NVIDIA-H200", 450),
        ("NVIDIA-H200-NVL", 64),
        ("H800", 200),
        ("H20", 450),
        ("NVIDIA-B200", 900),
        ("Tesla-V100-SXM3-32GB", 150),
        ("Tesla-V100-PCIE-16GB", 16),
        ("Tesla-T4", 16),
        ("NVIDIA-L40S", 32),
        ("AMD-Instinct-MI300X-OAM", 64),
    ],
)
def test_models_whose_links_are_all_alike(model: str, bandwidth: float) -> None:
    rings = board(with_gpus(model=model)).rings
    assert rings.best(2) == rings.worst_in(2)[255] == bandwidth


def test_half_a_cube_mesh_has_the_links_of_its_first_four() -> None:
    rings = board(with_gpus(model="Tesla-V100-SXM2-16GB", count=4)).rings
    assert rings.bandwidth[set_of((0, 3))] == 50
    assert rings.bandwidth[set_of((0, 1))] == 25


def test_of_an_unknown_model_nothing_is_known() -> None:
    assert board_of(with_gpus(model="X9000")) is None
    assert board_of(with_gpus()) is None
    assert board_of(node("plain")) is None


def test_rows_of_a_policy_come_first() -> None:
    rows = (LinkRow("x9000", flat=123.0), LinkRow("*a100*", ((0, 7.0), (7.0, 0)), devices=2), *TABLE)
    assert board(with_gpus(model="X9000"), rows).rings.best(2) == 123
    assert board(with_gpus(model="A100", count=2), rows).rings.best(2) == 7
    assert board(with_gpus(model="A100", count=8), rows).rings.best(2) == 300


def test_cards_across_sockets_have_less() -> None:
    devices = tuple(Device(i, numa=i // 2) for i in range(4))
    rings = board(with_gpus(model="NVIDIA-L40S", count=4, devices=devices)).rings
    assert rings.bandwidth[set_of((0, 1))] == 32
    assert rings.bandwidth[set_of((1, 2))] == pytest.approx(32 * 10 / 12)


def test_only_whole_healthy_devices_are_usable() -> None:
    devices = (Device(0), Device(1, healthy=False), Device(2, mig=True), Device(3))
    links = node_links([with_gpus(model="A100", count=2, devices=devices)], TABLE)
    assert links.usable.tolist() == [set_of((0, 3))]


@pytest.mark.parametrize("gpus", [{"replicas": 4}, {"problem": "two say different things"}])
def test_sets_mean_nothing_where_devices_are_shared_or_doubtful(gpus: dict[str, object]) -> None:
    assert board_of(with_gpus(model="A100", **gpus)) is None


def partitions(bandwidth: int = 0) -> tuple[GpuPartition, ...]:
    pairs = ((0, 1), (2, 3), (4, 5), (6, 7))
    return (
        *(GpuPartition(pair, "NVLink", bandwidth, 1) for pair in pairs),
        GpuPartition((0, 1, 2, 3, 4, 5, 6, 7), "NVLink", bandwidth, 1),
    )


def test_partitions_tell_bandwidth_and_the_rest_has_the_bus() -> None:
    rings = board(with_gpus(model="H100", partitions=partitions(400_000_000_000))).rings
    assert rings.bandwidth[set_of((2, 3))] == 400
    assert rings.bandwidth[set_of((1, 2))] == 64
    assert rings.worst_in(2)[255] == 64, "preferred sets are no promise"


def test_where_partitions_are_honoured_nothing_else_is_given_out() -> None:
    found = board(with_gpus(model="H100", partitions=partitions(400_000_000_000), partition_policy="Honor"))
    assert found.strict
    assert found.rings.worst_in(2)[255] == 400
    assert np.isinf(found.rings.worst_in(2)[set_of((1, 2))])
    assert found.rings.worst_in(3)[255] == 64, "of sizes that have no partition nothing is said"


def test_value_of_whole_partitions_as_koordinator_counts_it() -> None:
    table = aligned(8)
    free = np.array([255, 0b1111, 0b0011, 0b0110, 0b1111_1101], np.int64)
    assert potential(table, free).tolist() == [10_204, 102, 1, 0, 103]
    assert fragmentation(table, free, 8).tolist() == [0, 10_102, 10_203, 10_204, 10_101]


def test_allocation_scores_multiply() -> None:
    assert potential((Partition(0b11, 2, 5),), np.array([0b11], np.int64)).tolist() == [5]


def test_boards_are_shared_by_nodes_alike() -> None:
    links = node_links([with_gpus(model="A100"), with_gpus(model="A100"), with_gpus(model="H100"), node("n")], TABLE)
    assert links.board_of.tolist() == [0, 0, 1, -1]
