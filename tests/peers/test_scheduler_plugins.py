"""The scheduler of scheduler-plugins judges what we say of gangs, elastic quotas and NUMA nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.cluster import ControlPlane
from execution.live import deployment
from peers.scheduler_plugins.server import CAPACITY, COSCHEDULING, NUMA, scheduling


@pytest.mark.parametrize("name", [COSCHEDULING, CAPACITY, NUMA])
def test_each_of_its_schedulers_places_pods(control_plane: ControlPlane, tmp_path: Path, name: str) -> None:
    client = control_plane.client
    client.create_node("n1")
    client.wait_for_nodes("n1")
    with scheduling(control_plane, name, tmp_path):
        client.apply(deployment("web", 2, scheduler=name))
        client.wait_for_pods(2, label_selector="app=web")
