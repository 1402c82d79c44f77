"""The archive in a PostgreSQL: the schema that the address's `search_path` names, one for each cluster.

The table `archive_version` holds its version. psycopg is an extra (`pip install 'descheduler[postgresql]'`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from descheduler.archive.place import Row, Values
from descheduler.archive.schema import VERSION, ArchiveError, checked, steps

if TYPE_CHECKING:
    import psycopg

_CONNECT: Final = 5  # seconds
_STATEMENT: Final = 30_000  # milliseconds that one statement may take
_ONE_AT_A_TIME: Final = 0x6465736368  # the advisory lock of whoever makes tables
_TYPES: Final = {
    "real": "DOUBLE PRECISION",
    "blob": "BYTEA",
    "number": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "rowid": ", rowid BIGINT GENERATED ALWAYS AS IDENTITY",
}


class PostgresSchema:
    """The schema at that address. Raises ArchiveError when it is no address, or psycopg is not installed."""

    def __init__(self, address: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            text = "an archive in PostgreSQL needs psycopg: pip install 'descheduler[postgresql]'"
            raise ArchiveError(text) from error
        try:
            named: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(address)
        except psycopg.Error:  # its text would repeat the address, and a password in it
            raise ArchiveError("--archive: this is no address of a PostgreSQL") from None
        self._address = address
        self._secret = str(named.get("password") or "")
        self._name = f"postgresql://{named.get('host') or 'localhost'}/{named.get('dbname') or ''}"

    @property
    def name(self) -> str:
        return self._name

    def open_to_read(self) -> _Session:
        with ExitStack() as refused:
            session = self._connected()
            refused.callback(session.close)
            version = session.version()
            if version == 0:
                raise ArchiveError("nothing is kept yet: the first report is written when the first plan is made")
            if version < VERSION:
                raise ArchiveError("the archive is of an earlier version; whoever leads brings it up to date")
            refused.pop_all()
        return session

    def open_to_write(self) -> _Session:
        with ExitStack() as refused:
            session = self._connected()
            refused.callback(session.close)
            session.prepare()
            refused.pop_all()
        return session

    def _connected(self) -> _Session:
        import psycopg

        with _told(self._secret):
            return _Session(
                psycopg.connect(
                    self._address,
                    autocommit=True,
                    connect_timeout=_CONNECT,
                    application_name="descheduler",
                ),
                self._secret,
            )


class _Session:
    day = "to_char(to_timestamp(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    like = "ILIKE"

    def __init__(self, connection: psycopg.Connection[Row], secret: str) -> None:
        self._db, self._secret = connection, secret
        self.execute(f"SET statement_timeout = {_STATEMENT}")

    def execute(self, statement: str, values: Values = ()) -> list[Row]:
        with _told(self._secret):
            cursor = self._db.execute(_theirs(statement), _plain(values))
            return cursor.fetchall() if cursor.description else []

    def executemany(self, statement: str, rows: Iterable[Values]) -> None:
        with _told(self._secret), self._db.cursor() as cursor:
            cursor.executemany(_theirs(statement), [_plain(row) for row in rows])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with _told(self._secret), self._db.transaction():
            yield

    def used(self) -> int:
        size = "sum(octet_length(document) + coalesce(octet_length(execution), 0))"
        return int(self.execute(f"SELECT {size} FROM cycles")[0][0] or 0)

    def give_back(self) -> None:
        """Its autovacuum does that."""

    def close(self) -> None:
        self._db.close()

    def version(self) -> int:
        """0 where there are no tables."""
        if self.execute("SELECT to_regclass('archive_version')")[0][0] is None:
            return 0
        return checked(int(self.execute("SELECT version FROM archive_version")[0][0]))

    def prepare(self) -> None:
        """Make the tables, or bring them up to date, in one transaction and one program at a time."""
        with self.transaction():
            self.execute("SELECT pg_advisory_xact_lock(?)", (_ONE_AT_A_TIME,))
            if self.execute("SELECT current_schema()")[0][0] is None:
                raise ArchiveError("there is no schema to write to: create the one that search_path names")
            version = self.version()
            if version == 0:
                self.execute("CREATE TABLE archive_version (version INTEGER NOT NULL)")
                self.execute("INSERT INTO archive_version VALUES (0)")
            for number, step in steps(version, _TYPES):
                for statement in filter(str.strip, step.split(";")):
                    self.execute(statement)
                self.execute("UPDATE archive_version SET version = ?", (number,))


def _theirs(statement: str) -> bytes:
    """With placeholders as psycopg has them."""
    return statement.replace("%", "%%").replace("?", "%s").encode()


def _plain(values: Values) -> list[object]:
    """Without what a text of PostgreSQL cannot hold."""
    return [value.replace("\0", "") if isinstance(value, str) else value for value in values]


@contextmanager
def _told(secret: str) -> Iterator[None]:
    """`secret`: the password of the address, which no message may repeat."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        text = " ".join(str(error).split())
        raise ArchiveError(f"the archive cannot be used: {text.replace(secret, '…') if secret else text}") from error
