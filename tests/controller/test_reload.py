"""The policy file as Kubernetes swaps it under a running pod."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from controller.stages import POLICY, Stage, value
from controller.volumes import Mounted
from descheduler.controller import reload
from descheduler.controller.loop import Controller
from descheduler.controller.reload import PolicyWatch
from execution.fakes import WALL, Time
from execution.plans import action, move, plan


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


def lost(path: Path) -> None:
    path.unlink()


def lost_with_its_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)  # opening it would wait for a writer for ever


def a_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def enormous(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**9)


def no_text(path: Path) -> None:
    path.write_bytes(b"mode: \xff")


def empty(path: Path) -> None:
    path.write_text("")


@pytest.mark.parametrize(
    "gone", [lost, lost_with_its_folder, a_folder, a_pipe, a_link_to_itself, endless, enormous, no_text, empty]
)
def test_a_watch_of_the_file_that_fails_is_told_in_readiness(tmp_path: Path, gone: Callable[[Path], None]) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    stage = Stage(folder / "policy.yaml", mode="active", plan=plan(action(move("web-1"))))
    controller = stage.controller()
    assert controller.cycle() == "acted"
    ready = controller.status.ready

    gone(stage.path)
    assert controller.watch.changed()
    for _ in range(2):  # for as long as it lasts, not once
        assert controller.cycle() == "planned", "the policy in force goes on; of a file that is lost none says active"
        assert f"policy: the file cannot be used, the former policy stays in force: {stage.path}" in told(controller)
        assert f"mode: dry-run: the policy file does not tell its mode: {stage.path}" in told(controller)
        assert value(controller.metrics, "policy_reload_success") == 0
        assert not controller.watch.changed()

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    stage.path.write_text(POLICY)
    assert controller.watch.changed()
    assert controller.cycle() == "acted"
    assert (controller.status.ready.ok, "the policy file" in told(controller), "policy:" in told(controller)) == (
        ready.ok,
        False,
        False,
    )
    assert value(controller.metrics, "policy_reload_success") == 1


def test_a_policy_that_nobody_foresaw_is_told_for_as_long_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = Stage(tmp_path / "policy.yaml").controller()
    controller.cycle()
    before = controller.watch.policy

    def fails(*_: str, **_more: bool) -> NoReturn:
        raise RecursionError("too deep")

    monkeypatch.setattr(reload, "written_policy", fails)
    (tmp_path / "policy.yaml").write_text(POLICY + "# changed\n")
    for _ in range(2):
        assert controller.cycle() == "planned"
        assert "cannot be loaded: RecursionError: too deep" in told(controller)
    assert controller.watch.policy is before


def told(controller: Controller) -> str:
    return controller.status.ready.text


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
