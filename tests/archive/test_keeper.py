"""Whatever becomes of the disk, the loop goes on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from archive.cycles import START, cycle, done, moving, policy
from controller.stages import Stage, value
from descheduler.archive import keeper as keeping
from descheduler.archive.keeper import Keeper
from descheduler.archive.reading import Reader
from descheduler.archive.sqlite_file import SqliteFile
from execution.plans import action, move, plan


def test_what_is_handed_over_is_written(tmp_path: Path) -> None:
    told: list[str] = []
    keeper = Keeper(SqliteFile(tmp_path / "archive.db"), told.append)
    made = cycle(moving("web-1"))
    keeper.planned(made, policy(), active=True)
    keeper.executed(done(made))
    keeper.stop()
    assert told == ["", ""]
    [kept] = Reader(SqliteFile(tmp_path / "archive.db")).timeline(7).cycles
    assert kept.evicted == 1


def test_where_nothing_can_be_written_it_is_said_and_what_comes_later_is_kept(tmp_path: Path) -> None:
    told: list[str] = []
    place = tmp_path / "here"
    place.write_text("a file where a directory should be")
    keeper = Keeper(SqliteFile(place / "archive.db"), told.append)
    keeper.planned(cycle(), policy(), active=False)
    while not told:
        pass
    assert "here" in told[0]
    place.unlink()
    keeper.planned(cycle(at=START + 60), policy(), active=False)
    keeper.stop()
    assert told[-1] == ""
    assert [c.at for c in Reader(SqliteFile(place / "archive.db")).timeline(7).cycles] == [START + 60]


def test_a_lock_that_lasts_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_WAITING", 2)
    told: list[str] = []
    keeper = Keeper(SqliteFile(tmp_path / "archive.db"), told.append)
    keeper.planned(cycle(), policy(), active=False)
    while not told:
        pass
    locking = sqlite3.connect(tmp_path / "archive.db")
    locking.execute("BEGIN EXCLUSIVE")
    for i in range(1, 9):
        keeper.planned(cycle(at=START + i), policy(), active=False)
    assert "takes nothing any more" in told[-1]
    locking.rollback()
    locking.close()
    keeper.stop()
    assert 1 < len(Reader(SqliteFile(tmp_path / "archive.db")).timeline(7).cycles) < 9


def test_the_controller_keeps_its_plans_and_what_came_of_them(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "policy.yaml", mode="active")
    stage.plan = plan(action(move("web-1")))
    keeper = Keeper(SqliteFile(tmp_path / "archive.db"), lambda _: None)
    controller = stage.controller(archive=keeper)
    assert controller.cycle() == "acted"
    keeper.stop()
    [kept] = Reader(SqliteFile(tmp_path / "archive.db")).timeline(7).cycles
    assert (kept.plan, kept.active, kept.evicted) == ("plan-1", True, 1)
    assert value(controller.metrics, "moves_total", strategy="HotNodes", result="evicted") == 1
