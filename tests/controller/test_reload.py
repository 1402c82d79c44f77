"""The policy file as Kubernetes swaps it under a running pod."""

from __future__ import annotations

from pathlib import Path

from controller.stages import POLICY
from controller.volumes import Mounted
from descheduler.controller.reload import PolicyWatch
from execution.fakes import WALL, Time


class PolicyVolume:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "policy.yaml"
        self._volume = Mounted(folder)

    def put(self, text: str) -> None:
        self._volume.put({"policy.yaml": text})


def test_a_swapped_config_map_is_seen(tmp_path: Path) -> None:
    volume, time = PolicyVolume(tmp_path), Time()
    volume.put(POLICY)
    watch = PolicyWatch(volume.path, time.clock.wall)
    assert watch.poll()
    assert not watch.changed()
    time.pass_(60)
    volume.put(POLICY.replace("1m", "3m"))
    assert watch.changed()
    assert watch.poll()
    assert watch.policy is not None
    assert watch.policy.interval.total_seconds() == 180
    assert watch.loaded_at == WALL + 60


def test_a_bad_file_is_told_once_and_what_was_in_force_stays(tmp_path: Path) -> None:
    volume, time = PolicyVolume(tmp_path), Time()
    volume.put(POLICY)
    watch = PolicyWatch(volume.path, time.clock.wall)
    watch.poll()
    volume.put("mode: [")
    assert watch.poll()
    assert "policy.yaml:1:" in watch.problem
    assert not watch.poll()
    assert watch.policy is not None
    volume.path.unlink()
    assert watch.poll()
    assert "cannot be read" in watch.problem
    assert watch.policy is not None


def test_the_same_content_written_again_is_no_change(tmp_path: Path) -> None:
    volume = PolicyVolume(tmp_path)
    volume.put(POLICY)
    watch = PolicyWatch(volume.path, Time().clock.wall)
    watch.poll()
    volume.put(POLICY)
    assert not watch.changed()


def test_without_a_file_the_default_policy_is_in_force() -> None:
    watch = PolicyWatch(None, Time().clock.wall)
    assert watch.poll()
    assert watch.policy is not None
    assert watch.policy.mode == "dry-run"
    assert not watch.changed()
