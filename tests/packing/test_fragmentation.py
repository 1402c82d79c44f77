"""FGD's measure against the values of its authors, and against a reading of the definition shape by shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.packing.fragmentation.measure import fragmentation, idle, measure_of
from descheduler.packing.state import Packing
from descheduler.packing.target_workload import TargetWorkload
from packed import WHOLE, packing_of, plain_f, workloads_and_packings

Target = tuple[int, int, int, str, float]
"""CPU, thousandths of each device, devices, model ("" any), weight in per cent."""

# hkust-adsl/kubernetes-scheduler-simulator pkg/utils/frag_test.go: the workload of mostly shared devices …
SHARING: list[Target] = [
    (6000, 465, 1, "", 9.33),
    (8000, 440, 1, "2080", 9.15),
    (8000, 475, 1, "T4", 8.76),
    (8000, 440, 1, "P100", 8.72),
    (2000, 465, 1, "", 8.68),
    (12000, 900, 1, "", 8.65),
    (4000, 900, 1, "", 8.43),
    (16000, 678, 1, "T4", 8.36),
    (8000, 500, 1, "", 8.29),
    (6000, 511, 1, "", 8.11),
    (14000, 1000, 2, "2080", 0.54),
    (4000, 1000, 1, "2080", 0.43),
    (32000, 1000, 2, "T4", 0.43),
    (16000, 1000, 1, "V100M16", 0.40),
    (64000, 1000, 2, "", 0.40),
    (10000, 1000, 2, "", 0.40),
    (11400, 1000, 1, "T4", 0.36),
    (16000, 1000, 1, "T4", 0.36),
    (4000, 1000, 2, "", 0.36),
    (14000, 1000, 2, "V100M16", 0.36),
    (8000, 1000, 4, "", 0.36),
    (16000, 1000, 2, "", 0.32),
    (2000, 1000, 1, "T4", 0.32),
    (6000, 1000, 1, "", 0.32),
    (4000, 1000, 1, "", 0.32),
    (5000, 1000, 1, "", 0.32),
    (32000, 1000, 4, "V100M16", 0.32),
    (32000, 1000, 2, "", 0.32),
    (24000, 1000, 8, "2080", 0.32),
    (40000, 1000, 4, "", 0.29),
    (32000, 1000, 8, "", 0.29),
    (32000, 1000, 1, "T4", 0.29),
    (16000, 1000, 1, "", 0.25),
    (7000, 1000, 1, "V100M16", 0.25),
    (24000, 1000, 1, "T4", 0.25),
]

# … and the one with CPU-only shapes.
WITH_CPU_ONLY: list[Target] = [
    (15700, 1000, 1, "", 28.69),
    (11900, 1000, 1, "", 18.93),
    (11400, 1000, 1, "", 12.27),
    (1000, 0, 0, "", 7.36),
    (18710, 1000, 1, "", 4.85),
    (8200, 1000, 1, "", 3.79),
    (16400, 1000, 1, "", 3.31),
    (9810, 1000, 1, "", 1.97),
    (15200, 1000, 1, "", 1.87),
    (11200, 1000, 1, "", 1.81),
    (14200, 1000, 1, "", 1.76),
    (12000, 0, 0, "", 1.65),
    (14900, 1000, 1, "", 1.39),
    (60200, 1000, 4, "", 1.23),
    (64200, 1000, 8, "", 1.07),
    (32200, 1000, 4, "", 1.01),
    (17400, 1000, 2, "", 0.91),
    (30200, 1000, 2, "", 0.69),
    (16000, 1000, 1, "", 0.64),
    (15000, 1000, 1, "", 0.59),
    (64000, 1000, 8, "", 0.53),
    (15000, 0, 0, "", 0.53),
    (11910, 1000, 1, "", 0.53),
    (120200, 1000, 8, "", 0.48),
    (11300, 1000, 1, "", 0.37),
    (30000, 1000, 2, "", 0.32),
    (9800, 1000, 1, "", 0.32),
    (8000, 1000, 1, "", 0.32),
    (2000, 1000, 1, "", 0.27),
    (2000, 80, 1, "", 0.27),
    (1000, 1000, 1, "", 0.27),
]


def workload(targets: list[Target], model: str) -> TargetWorkload:
    """The targets, with their weights as they are, for one node of the model."""
    return TargetWorkload(
        cpu=np.array([t[0] for t in targets], np.int64),
        count=np.array([t[2] for t in targets], np.int32),
        milli=np.array([t[1] for t in targets], np.int32),
        allowed=np.array([[not t[3] or t[3] == model] for t in targets]),
        weight=np.array([t[4] / 100 for t in targets]),
    )


@pytest.mark.parametrize(
    ("targets", "model", "cpu", "left", "expected"),
    [
        (SHARING, "1080", 1000, [200, 1000, 1000, 500], 2566.62),
        (SHARING, "1080", 1000, [1000] * 4, 3802.40),
        (SHARING, "1080", 1000, [1000] * 8, 7604.80),
        (SHARING[:1], "1080", 1000, [200, 1000, 1000, 500], 251.91),
        (WITH_CPU_ONLY, "P100", 64000, [1000] * 8, 887.20),
        (WITH_CPU_ONLY, "P100", 32000, [1000] * 4 + [0] * 4, 554.40),
        (WITH_CPU_ONLY, "P100", 0, [1000] * 4 + [0] * 4, 4000.0),
    ],
)
def test_f_is_what_the_authors_of_fgd_expect(
    targets: list[Target], model: str, cpu: int, left: list[int], expected: float
) -> None:
    packing = packing_of([cpu], [left])
    assert fragmentation(packing, workload(targets, model))[0] == pytest.approx(expected, abs=0.01)


def test_absent_devices_count_nothing() -> None:
    target = workload(SHARING, "1080")
    short = fragmentation(packing_of([1000], [[200, 1000, 1000, 500]]), target)
    wide = fragmentation(packing_of([1000], [[200, -1, 1000, -1, 1000, 500, -1, -1]]), target)
    assert wide == pytest.approx(short)


def test_an_overcommitted_node_loses_all_that_is_idle() -> None:
    packing = packing_of([-4000], [[1000, 300]])
    target = workload(SHARING, "1080")
    assert fragmentation(packing, target)[0] == pytest.approx(1300 * target.weight.sum())


def test_a_shape_that_no_node_is_wide_enough_for_loses_all() -> None:
    target = workload([(1000, WHOLE, 8, "", 100.0)], "1080")
    assert fragmentation(packing_of([9000], [[WHOLE] * 4]), target)[0] == pytest.approx(4 * WHOLE)


@given(workloads_and_packings())
def test_the_tables_say_what_the_definition_says(case: tuple[TargetWorkload, Packing]) -> None:
    target, packing = case
    assert fragmentation(packing, target) == pytest.approx(plain_f(packing, target), abs=1e-6)


@given(workloads_and_packings())
def test_f_lies_between_the_floor_of_cpu_only_shapes_and_all_that_is_idle(case: tuple[TargetWorkload, Packing]) -> None:
    target, packing = case
    amount = float(fragmentation(packing, target).sum())
    assert target.cpu_only * idle(packing) - 1e-6 <= amount <= idle(packing) + 1e-6


@given(st.permutations(range(5)))
def test_f_does_not_depend_on_the_order_of_devices(order: list[int]) -> None:
    left = np.array([1000, 700, 190, 0, 530])
    target = workload(SHARING, "1080")
    measure = measure_of(target, 5)
    states = np.stack([left, left[order]]).astype(np.int32)
    values = measure(np.array([9000, 9000]), states, np.zeros(2, np.intp))
    assert values[0] == pytest.approx(values[1])
