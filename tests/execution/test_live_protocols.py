"""Every protocol of writes, killed at a handful of its points: the short form of `benchmarks/kill_points.py`."""

from __future__ import annotations

import pytest

from controlplane.cluster import ControlPlane
from execution.kill_points import PROTOCOLS, Point, Protocol, points_of

POINTS = 4


def spread(points: list[Point], count: int) -> list[Point]:
    """So many of them, evenly; before and after writes take turns."""
    middles = [(2 * i + 1) * len(points) // (2 * count) for i in range(min(count, len(points)))]
    return [points[at + (at + i) % 2 - (at + 1 == len(points))] for i, at in enumerate(middles)]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name.replace(" ", "-"))
def test_nothing_stays_half_done_wherever_the_process_dies(control_plane: ControlPlane, protocol: Protocol) -> None:
    points = spread(points_of(control_plane, protocol), POINTS)
    assert len(points) == POINTS
    assert {point.after for point in points} == {False, True}
    assert [str(stuck) for point in points for stuck in protocol.die_at(control_plane, point)] == []
