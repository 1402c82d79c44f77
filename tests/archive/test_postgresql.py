"""The archive in a real PostgreSQL: what is there already, what is missing, and what must not be told."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest

from archive.cycles import START, Tidied, cycle, done, moving, policy
from controlplane.postgresql import PASSWORD, PostgresServer
from descheduler.archive.choosing import place_of
from descheduler.archive.keeper import Keeper
from descheduler.archive.place import Place
from descheduler.archive.reading import Reader
from descheduler.archive.schema import VERSION, ArchiveError
from descheduler.archive.writing import Archive


@pytest.fixture
def tidied() -> Iterator[Callable[[str], Place]]:
    """The place at an address, whose sessions end with the test."""
    with ExitStack() as ending:
        yield lambda address: Tidied(place_of(address), ending)


@pytest.fixture
def address(postgresql_server: PostgresServer) -> str:
    return postgresql_server.schema(f"kept_{uuid.uuid4().hex}")


def test_the_controllers_thread_writes_there(address: str) -> None:
    told: list[str] = []
    keeper = Keeper(place_of(address), told.append)
    made = cycle(moving("web-1"))
    keeper.planned(made, policy(), active=True)
    keeper.executed(done(made))
    keeper.stop()
    assert told == ["", ""]
    [kept] = Reader(place_of(address)).timeline(7).cycles
    assert (kept.active, kept.evicted) == (True, 1)


def test_clusters_that_share_a_database_do_not_see_one_another(
    postgresql_server: PostgresServer, address: str, tidied: Callable[[str], Place]
) -> None:
    other = postgresql_server.schema(f"kept_{uuid.uuid4().hex}")
    Archive(tidied(address)).planned(cycle(), policy(), active=False)
    Archive(tidied(other)).planned(cycle(at=START + 60), policy(), active=False)
    assert [c.at for c in Reader(place_of(address)).timeline(7).cycles] == [START]
    assert [c.at for c in Reader(place_of(other)).timeline(7).cycles] == [START + 60]


def test_several_that_begin_at_once_make_the_tables_once(address: str, tidied: Callable[[str], Place]) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: Archive(tidied(address)), range(4)))
    for archive in opened:
        archive.close()
    assert Reader(place_of(address)).timeline(7).cycles == ()


def test_before_the_first_plan_there_is_nothing_to_read(address: str) -> None:
    with pytest.raises(ArchiveError, match="nothing is kept yet"):
        Reader(place_of(address)).timeline(7)


def test_what_a_later_program_wrote_is_neither_read_nor_written(address: str, tidied: Callable[[str], Place]) -> None:
    Archive(tidied(address)).close()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"UPDATE archive_version SET version = {VERSION + 1}".encode())
    with pytest.raises(ArchiveError, match="of version"):
        Archive(tidied(address))
    with pytest.raises(ArchiveError, match="of version"):
        Reader(place_of(address)).timeline(7)


def test_what_is_too_old_or_too_much_goes(address: str, tidied: Callable[[str], Place]) -> None:
    archive = Archive(tidied(address))
    for day in range(6):
        archive.planned(cycle(at=START + day * 86_400), policy(days=3), active=False)
    assert len(Reader(place_of(address)).timeline(30).cycles) == 4


def test_a_schema_that_is_not_there_is_named_as_what_is_missing(
    postgresql_server: PostgresServer, tidied: Callable[[str], Place]
) -> None:
    with pytest.raises(ArchiveError, match="create the one that search_path names"):
        Archive(tidied(f"{postgresql_server.address}?options=-csearch_path%3Dnowhere"))


def test_a_server_that_is_gone_is_told_and_comes_back(postgresql_server: PostgresServer, address: str) -> None:
    gone = place_of(address.replace(str(postgresql_server.port), "1"))
    told: list[str] = []
    keeper = Keeper(gone, told.append)
    keeper.planned(cycle(), policy(), active=False)
    keeper.stop()
    assert len(told) == 1
    assert "cannot be used" in told[0]
    assert PASSWORD not in told[0]


def test_no_message_has_the_password(postgresql_server: PostgresServer, tidied: Callable[[str], Place]) -> None:
    wrong = postgresql_server.address.replace("w%3Ard", "wr0ng")
    with pytest.raises(ArchiveError) as refused:
        Archive(tidied(wrong))
    assert "wr0ng" not in str(refused.value)
    assert "wr0ng" not in place_of(wrong).name
    with pytest.raises(ArchiveError, match="no address of a PostgreSQL") as bad:
        place_of("postgresql://keeper:hush@[nowhere/db")
    assert "hush" not in str(bad.value)


def test_a_text_that_it_cannot_hold_does_not_lose_the_plan(address: str, tidied: Callable[[str], Place]) -> None:
    Archive(tidied(address)).planned(cycle(moving("web-\0-1")), policy(), active=False)
    assert Reader(place_of(address)).search("web--1").pods == ("default/web--1",)
