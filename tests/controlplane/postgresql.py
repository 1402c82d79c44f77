"""A real PostgreSQL on loopback, empty, with a password."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

from controlplane.missing import MissingComponentError
from controlplane.processes import ManagedProcess, free_port

COMPONENT: Final = "postgresql"
PASSWORD: Final = "p/ss w:rd"  # with signs that an address has to escape
_WRITTEN: Final = "p%2Fss%20w%3Ard"
_PLACES: Final = Path("/usr/lib/postgresql")  # Debian has one folder for each version there


def find_programs() -> Path:
    """The folder with ``initdb`` and ``postgres``. Raises MissingComponentError: there is none."""
    found = shutil.which("initdb")
    folders = [*sorted(_PLACES.glob("*/bin"), reverse=True), *([Path(found).resolve().parent] if found else [])]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise MissingComponentError(COMPONENT, "no `initdb` on PATH or below /usr/lib/postgresql (Debian: postgresql)")


class PostgresServer:
    """A running server; `schema` gives addresses in it."""

    def __init__(self, directory: Path, process: ManagedProcess, port: int) -> None:
        self._directory, self._process, self.port = directory, process, port

    @classmethod
    def start(cls) -> Self:
        """Raises MissingComponentError, and ComponentDiedError: it does not come up."""
        programs = find_programs()
        directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
        data, port, secret = directory / "data", free_port(), directory / "password"
        secret.write_text(PASSWORD)
        for path in (directory, secret):
            _give(path)
        owned = [f"--pwfile={secret}", "--username=keeper", "--auth=scram-sha-256", "--no-sync"]
        made = [*_as_owner(), str(programs / "initdb"), f"--pgdata={data}", *owned]
        subprocess.run(made, check=True, capture_output=True)
        served = [
            f"{programs}/postgres",
            "-D",
            f"{data}",
            "-p",
            f"{port}",
            "-h",
            "127.0.0.1",
            "-k",
            f"{directory}",
            "-F",
        ]
        process = ManagedProcess.start("postgresql", [*_as_owner(), *served], directory / "log")
        process.wait_ready(lambda: _answers(port))
        return cls(directory, process, port)

    @property
    def address(self) -> str:
        return _address(self.port)

    def schema(self, name: str) -> str:
        """The address of a new schema."""
        import psycopg

        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(f'CREATE SCHEMA "{name}"'.encode())
        return f"{self.address}?options=-csearch_path%3D{name}"

    def stop(self) -> None:
        self._process.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


def _answers(port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(_address(port), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _address(port: int) -> str:
    return f"postgresql://keeper:{_WRITTEN}@127.0.0.1:{port}/postgres"


def _as_owner() -> list[str]:
    """It refuses to run as root."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(path, owner.pw_uid, owner.pw_gid)
