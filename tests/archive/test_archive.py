"""What is kept of plans: what is read of it again, its bounds, and files that are not as they should be."""

from __future__ import annotations

import json
import sqlite3
import uuid
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.cycles import HOUR, START, Tidied, cycle, done, left, moving, policy, write
from descheduler.archive.choosing import place_of
from descheduler.archive.place import Place
from descheduler.archive.reading import Reader
from descheduler.archive.schema import VERSION, ArchiveError
from descheduler.archive.sqlite_file import SqliteFile
from descheduler.archive.writing import Archive
from descheduler.learning.ledger import Ledger
from descheduler.model.reasons import Reason
from learning import moves


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "archive.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, path: Path) -> Iterator[Place]:
    """An archive of its own in each of the databases."""
    with ExitStack() as ending:
        if request.param == "sqlite":
            yield Tidied(SqliteFile(path), ending)
        else:
            schema = request.getfixturevalue("postgresql_server").schema(f"kept_{uuid.uuid4().hex}")
            yield Tidied(place_of(schema), ending)


def test_a_plan_and_what_came_of_it_are_read_again(place: Place) -> None:
    made = cycle(moving("web-1"), moving("web-2"))
    archive = write(place, made, cycle(at=START + HOUR / 2, hot=0))
    before = Reader(place).plan(made.id)
    assert before is not None
    assert (before.cycle.evicted, [m.result for m in before.moves]) == (None, ["planned", "planned"])

    archive.executed(done(made))
    found = Reader(place).plan(made.id)
    assert found is not None
    assert (found.cycle.active, found.cycle.planned, found.cycle.evicted) == (True, 2, 2)
    assert (found.cycle.hot_minutes, found.cycle.findings) == (30.0, {"cured": 1})
    assert [(m.pod, m.result, m.landed, m.ready_seconds) for m in found.moves] == [
        ("default/web-1", "evicted", "n2", 4.0),
        ("default/web-2", "evicted", "n2", 4.0),
    ]
    assert found.refusals == {Reason.NO_GAIN.value: 3}
    kept = Reader(place).older(made.id)
    assert kept is not None
    assert json.loads(zlib.decompress(kept[0]))["id"] == made.id
    assert json.loads(zlib.decompress(kept[1]))["waves"] == 1


def test_why_a_pod_was_left_is_kept(place: Place) -> None:
    made = cycle(moving("web-1"))
    write(place, made).executed(left(made))
    found = Reader(place).plan(made.id)
    assert found is not None
    assert [(m.result, m.reason) for m in found.moves] == [("refused", Reason.SWITCHED_OFF.value)]
    assert found.cycle.evicted == 0


@pytest.mark.parametrize(("landed", "helped"), [("n2", True), ("n1", False)])
def test_whether_it_helped_is_known_later(place: Place, landed: str, helped: bool) -> None:
    ledger = moves.done(Ledger(), (moves.directed("web-1", "n2"), landed), at=START, name="p-1")
    made = replace(cycle(moving("web-1"), at=START), id="p-1")
    archive = write(place, made)
    archive.learned(ledger.entries)
    [move] = Reader(place).timeline(7).cycles and Reader(place).workload("default/ReplicaSet/web").moves  # type: ignore[union-attr]
    assert (move.result, move.landed, move.helped) == ("evicted", landed, None)

    archive.learned(ledger.judge(moves.later(), START + HOUR).entries)
    timeline = Reader(place).timeline(7)
    assert (timeline.helped, timeline.missed) == ((1, 0) if helped else (0, 1))


def test_a_workload_and_a_node_have_their_history(place: Place) -> None:
    first, second = cycle(moving("web-1")), cycle(moving("db-1"), at=START + HOUR)
    archive = write(place, first, second)
    archive.executed(done(first, landed="n3"))
    reader = Reader(place)
    workload, node = reader.workload("default/ReplicaSet/web"), reader.node("n1")
    assert workload is not None
    assert [m.plan for m in workload.moves] == [first.id]
    assert node is not None
    assert [m.pod for m in node.moves] == ["default/db-1", "default/web-1"]
    assert [f.plan for f in node.findings] == [second.id, first.id]
    arrived, planned_only = reader.node("n3"), reader.node("n2")
    assert arrived is not None
    assert [m.pod for m in arrived.moves] == ["default/web-1"]
    assert planned_only is not None
    assert [m.pod for m in planned_only.moves] == ["default/db-1"]
    assert reader.node("nobody") is None
    assert reader.workload("default/ReplicaSet/nobody") is None


def test_a_policy_is_kept_when_it_changes_and_not_again(place: Place) -> None:
    archive = write(place, cycle(), cycle(at=START + 1))
    archive.planned(cycle(at=START + 2), policy(keep=7), active=False)
    newest, oldest = Reader(place).policies().policies
    assert (newest.at, oldest.at) == (START + 2, START)
    assert "+  keep: 7" in newest.changed
    assert oldest.changed == ""


def test_refusals_are_counted_by_day(place: Place) -> None:
    write(place, cycle(refused=2), cycle(at=START + 60, refused=4), cycle(at=START + 24 * HOUR, refused=1))
    days = Reader(place).refusals(7).days
    assert [(d.day, d.plans, d.mean, d.most) for d in days] == [("2025-10-10", 1, 1.0, 1), ("2025-10-09", 2, 3.0, 4)]
    assert len(Reader(place).refusals(0.5).days) == 1


def test_a_gap_counts_for_an_hour_at_most(place: Place) -> None:
    write(place, cycle(hot=2), cycle(at=START + 20 * HOUR))
    assert Reader(place).timeline(7).hot_minutes == 120.0


@pytest.mark.parametrize("text", ["%", "_", "\\", "' OR 1=1 --"])
def test_signs_of_the_query_language_are_letters_in_a_search(place: Place, text: str) -> None:
    write(place, cycle(moving("web-1")))
    found = Reader(place).search(text)
    assert (found.plans, found.workloads, found.nodes, found.pods) == ((), (), (), ())
    assert Reader(place).search("WEB").workloads == ("default/ReplicaSet/web",)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(0, 200 * 24), min_size=1, max_size=8), st.integers(1, 60))
def test_what_is_older_than_its_days_goes_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, hours: list[float], days: int
) -> None:
    path = tmp_path_factory.mktemp("kept") / "archive.db"
    times = sorted({START + round(hour) * HOUR for hour in hours})
    archive = write(SqliteFile(path), *(cycle(moving("web-1"), at=at) for at in times), by=policy(days=days))
    kept = {c.at for c in Reader(SqliteFile(path)).timeline(365).cycles}
    assert kept == {at for at in times if at >= times[-1] - days * 24 * HOUR}
    workload = Reader(SqliteFile(path)).workload("default/ReplicaSet/web")
    assert workload is not None
    assert len(workload.moves) == len(kept), "what belongs to a plan goes with it"
    archive.close()


def test_the_file_stays_within_its_size_and_keeps_the_newest(path: Path) -> None:
    archive = Archive(SqliteFile(path))
    by = policy(mib=16)
    for i in range(14):
        noise = Random(i).randbytes(2 << 20).hex()  # a plan that takes 2 MiB, for nothing is gained by compressing it
        archive.planned(replace(cycle(at=START + i * 60), remarks=(noise,)), by, active=False)
    archive.close()
    assert path.stat().st_size <= 17 << 20
    cycles = Reader(SqliteFile(path)).timeline(7).cycles
    assert cycles[0].at == START + 13 * 60
    assert 3 < len(cycles) < 9


def test_a_damaged_file_is_put_aside_and_another_begun(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all, but long enough to look like one" * 100)
    write(SqliteFile(path), cycle())
    assert len(Reader(SqliteFile(path)).timeline(7).cycles) == 1
    assert path.with_name("archive.db.damaged").exists()


def test_a_file_of_a_later_program_is_neither_read_nor_written(path: Path) -> None:
    write(SqliteFile(path), cycle()).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ArchiveError, match=f"of version {VERSION + 1}; this program knows version {VERSION}"):
        Archive(SqliteFile(path))
    with pytest.raises(ArchiveError, match="of version"):
        Reader(SqliteFile(path)).timeline(7)
    assert path.read_bytes() == before


def test_before_the_first_plan_there_is_nothing_to_read(path: Path) -> None:
    with pytest.raises(ArchiveError, match="nothing is kept yet"):
        Reader(SqliteFile(path)).timeline(7)
    assert Reader(SqliteFile(path)).older("p") is None
    Archive(SqliteFile(path))
    assert Reader(SqliteFile(path)).timeline(7).cycles == ()
