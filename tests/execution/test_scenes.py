"""Every executor is measured, and is killed at every write."""

from __future__ import annotations

from descheduler.contract import EXECUTORS
from execution.kill_points import PROTOCOLS
from execution.scenes.registry import SCENES


def test_every_executor_has_a_scene_and_protocols_that_are_killed() -> None:
    assert set(SCENES) == set(EXECUTORS.available())
    assert {protocol.executor for protocol in PROTOCOLS} == set(SCENES)
