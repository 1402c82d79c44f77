"""The tables of the file, and how one of an earlier version is brought up to date.

`PRAGMA user_version` holds the version. A file of a later version is neither read nor written.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from pathlib import Path

from descheduler.model.errors import DeschedulerError

FILE = "archive.db"
WAIT = 5.0  # seconds for somebody else's lock

_FIRST = """
CREATE TABLE policies (at REAL NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE cycles (
    number INTEGER PRIMARY KEY, plan TEXT NOT NULL UNIQUE, at REAL NOT NULL, active INTEGER NOT NULL,
    policy TEXT NOT NULL, hot_nodes REAL, planned INTEGER NOT NULL, evicted INTEGER, problem TEXT NOT NULL,
    document BLOB NOT NULL, execution BLOB);
CREATE TABLE findings (
    cycle INTEGER NOT NULL REFERENCES cycles ON DELETE CASCADE, strategy TEXT NOT NULL, subject TEXT NOT NULL,
    measure TEXT NOT NULL, resource TEXT NOT NULL, value REAL NOT NULL, threshold REAL NOT NULL, after REAL NOT NULL,
    outcome TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE refusals (
    cycle INTEGER NOT NULL REFERENCES cycles ON DELETE CASCADE, reason TEXT NOT NULL, count INTEGER NOT NULL);
CREATE TABLE moves (
    cycle INTEGER NOT NULL REFERENCES cycles ON DELETE CASCADE, action TEXT NOT NULL, kind TEXT NOT NULL,
    strategy TEXT NOT NULL, executor TEXT NOT NULL, pod TEXT NOT NULL, uid TEXT NOT NULL, workload TEXT NOT NULL,
    source TEXT NOT NULL, destination TEXT NOT NULL, result TEXT NOT NULL DEFAULT 'planned',
    reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '', landed TEXT NOT NULL DEFAULT '',
    ready_seconds REAL, helped INTEGER);
CREATE INDEX cycles_at ON cycles (at);
CREATE INDEX findings_cycle ON findings (cycle);
CREATE INDEX findings_subject ON findings (subject);
CREATE INDEX refusals_cycle ON refusals (cycle);
CREATE INDEX moves_cycle ON moves (cycle);
CREATE INDEX moves_workload ON moves (workload);
CREATE INDEX moves_source ON moves (source);
CREATE INDEX moves_landed ON moves (landed);
CREATE INDEX moves_uid ON moves (uid);
"""
_STEPS = (_FIRST,)  # each from one version to the next
VERSION = len(_STEPS)


class ArchiveError(DeschedulerError):
    """The archive cannot be read or written; the text says why."""


def open_to_read(path: Path) -> sqlite3.Connection:
    """Raises ArchiveError where there is no file of this version (yet), and sqlite3.Error."""
    if not path.exists():
        raise ArchiveError("nothing is kept yet: the first report is written when the first plan is made")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=WAIT)
    with ExitStack() as refused:
        refused.callback(connection.close)
        version = version_of(connection)
        if version < VERSION:
            raise ArchiveError("the archive is of an earlier version; whoever leads brings it up to date")
        refused.pop_all()
    return connection


def open_to_write(path: Path) -> sqlite3.Connection:
    """The file with the tables of this version, made where there is none. Raises ArchiveError, sqlite3.Error, OSError.

    One that is damaged is put aside as `….damaged`, for whom it is worth a repair, and another begun.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _prepared(path)
    except sqlite3.OperationalError:
        raise  # a full disk, a lock, missing rights: no damage
    except sqlite3.DatabaseError:
        path.replace(path.with_name(f"{path.name}.damaged"))
        return _prepared(path)


def version_of(connection: sqlite3.Connection) -> int:
    """Raises ArchiveError for a version that only later programs know."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise ArchiveError(f"the archive is of version {version}; this program knows version {VERSION}")
    return version


def _prepared(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=WAIT)
    with ExitStack() as refused:
        refused.callback(connection.close)
        version = version_of(connection)
        if version == 0:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heard only before there are tables
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(damage)
        for number, step in enumerate(_STEPS[version:], version + 1):
            connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
        connection.execute("PRAGMA foreign_keys = ON")
        refused.pop_all()
    return connection
