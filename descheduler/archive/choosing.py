"""From what users write to where the archive is."""

from __future__ import annotations

from pathlib import Path

from descheduler.archive.place import Place
from descheduler.archive.sqlite_file import FILE, SqliteFile


def place_of(where: str) -> Place:
    """A folder, or the address of a PostgreSQL (`postgresql://…`).

    Raises ArchiveError: the address is none, or its driver is not installed.
    """
    if where.startswith(("postgresql://", "postgres://")):
        from descheduler.archive.postgres import PostgresSchema  # its driver is an extra

        return PostgresSchema(where)
    return SqliteFile(Path(where) / FILE)
