"""The archive as one SQLite file. `PRAGMA user_version` holds its version."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from descheduler.archive.place import Row, Values
from descheduler.archive.schema import VERSION, ArchiveError, checked, steps

FILE: Final = "archive.db"
_WAIT: Final = 5.0  # seconds for somebody else's lock
_TYPES: Final = {"real": "REAL", "blob": "BLOB", "number": "INTEGER PRIMARY KEY", "rowid": ""}


class SqliteFile:
    """The file of that path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        return str(self._path)

    def open_to_read(self) -> _Session:
        if not self._path.exists():
            raise ArchiveError("nothing is kept yet: the first report is written when the first plan is made")
        with _told(), ExitStack() as refused:
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(address, uri=True, timeout=_WAIT)
            refused.callback(connection.close)
            if _version(connection) < VERSION:
                raise ArchiveError("the archive is of an earlier version; whoever leads brings it up to date")
            refused.pop_all()
        return _Session(connection)

    def open_to_write(self) -> _Session:
        """One that is damaged is put aside as `….damaged`, for whom it is worth a repair, and another begun."""
        with _told():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return _Session(_prepared(self._path))
            except sqlite3.OperationalError:
                raise  # a full disk, a lock, missing rights: no damage
            except sqlite3.DatabaseError:
                self._path.replace(self._path.with_name(f"{self._path.name}.damaged"))
                return _Session(_prepared(self._path))


class _Session:
    day = "date(at, 'unixepoch')"
    like = "LIKE"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def execute(self, statement: str, values: Values = ()) -> list[Row]:
        with _told():
            return self._db.execute(statement, values).fetchall()

    def executemany(self, statement: str, rows: Iterable[Values]) -> None:
        with _told():
            self._db.executemany(statement, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with _told(), self._db:
            yield

    def used(self) -> int:
        pages, free, size = (
            self.execute(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def give_back(self) -> None:
        self.execute("PRAGMA incremental_vacuum")

    def close(self) -> None:
        self._db.close()


def _version(connection: sqlite3.Connection) -> int:
    return checked(int(connection.execute("PRAGMA user_version").fetchone()[0]))


def _prepared(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT)
    with ExitStack() as refused:
        refused.callback(connection.close)
        version = _version(connection)
        if version == 0:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heard only before there are tables
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(damage)
        for number, step in steps(version, _TYPES):
            connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
        connection.execute("PRAGMA foreign_keys = ON")
        refused.pop_all()
    return connection


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise ArchiveError(f"the archive cannot be used: {error}") from error
