"""Where the archive is: a file of its own, or a schema of a PostgreSQL that somebody runs for many clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Row = tuple[Any, ...]
Values = Sequence[object]


class Session(Protocol):
    """Statements in SQL that both databases know, with `?` for values. Every method raises ArchiveError and no other.

    `day`: the UTC date of the column `at`, as text; `like`: the comparison that knows no case.
    """

    day: str
    like: str

    def execute(self, statement: str, values: Values = ()) -> list[Row]:
        """The rows that it gives, none where it gives none."""
        ...

    def executemany(self, statement: str, rows: Iterable[Values]) -> None:
        """The statement once for each row of values."""
        ...

    def transaction(self) -> AbstractContextManager[object]:
        """All that happens within it, or nothing."""
        ...

    def used(self) -> int:
        """Bytes that hold something."""
        ...

    def give_back(self) -> None:
        """What nothing holds any more goes back to the disk."""
        ...

    def close(self) -> None: ...


class Place(Protocol):
    """One archive."""

    @property
    def name(self) -> str:
        """For people; it holds no secret."""
        ...

    def open_to_read(self) -> Session:
        """Raises ArchiveError where there is none of this version (yet)."""
        ...

    def open_to_write(self) -> Session:
        """With the tables of this version, made where there are none. Raises ArchiveError."""
        ...
