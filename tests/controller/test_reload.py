"""The policy file as Kubernetes swaps it under a running pod."""

from __future__ import annotations

from pathlib import Path

from controller.stages import POLICY
from descheduler.controller.reload import PolicyWatch
from execution.fakes import WALL, Time


class ConfigMapVolume:
    """A mounted ConfigMap: the file is a link into `..data`, itself a link that the kubelet replaces by renaming."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = 0
        (folder / "policy.yaml").symlink_to(Path("..data") / "policy.yaml")

    @property
    def path(self) -> Path:
        return self._folder / "policy.yaml"

    def put(self, text: str) -> None:
        self._turn += 1
        data = self._folder / f"..{self._turn}"
        data.mkdir()
        (data / "policy.yaml").write_text(text)
        link = self._folder / "..data_tmp"
        link.symlink_to(data.name)
        link.rename(self._folder / "..data")


def test_a_swapped_config_map_is_seen(tmp_path: Path) -> None:
    volume, time = ConfigMapVolume(tmp_path), Time()
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
    volume, time = ConfigMapVolume(tmp_path), Time()
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
    volume = ConfigMapVolume(tmp_path)
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
