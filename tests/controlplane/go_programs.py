"""Programs built once from published Go modules, and kept.

They land in a cache folder outside the tree, named by the hash of what they are built from, so that a change of version
builds anew and nothing else does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controlplane.missing import MissingComponentError

_BUILD_ENV: Final = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly -buildvcs=false"}

Say = Callable[[str], None]


def say_to_stderr(message: str) -> None:
    """Print one line of progress where a person sees it at once."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201


@dataclass(frozen=True, slots=True)
class GoPrograms:
    """Programs that one ``go.mod`` pins.

    Attributes:
        component: what they are together, for messages.
        cache: the folder of the cache that they are kept under.
        room: the folder with ``go.mod`` and ``go.sum``.
        packages: program -> Go package.
        what: names and versions, for people.
        takes: how long the build takes, for people.
        built_names: program -> name that the go command gives it (the last element of its path that is no version),
            where that is another.
        symbols: flags of the linker that set variables.
        tags: build tags.
        or_else: how else they can be had, for people.
    """

    component: str
    cache: str
    room: Path
    packages: Mapping[str, str]
    what: str
    takes: str
    built_names: Mapping[str, str] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    tags: str = ""
    or_else: str = ""

    @property
    def ldflags(self) -> str:
        return " ".join(("-s", "-w", *self.symbols))

    @property
    def folder(self) -> Path:
        """Where the programs of exactly this go.mod, go.sum and these flags are kept."""
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        digest = hashlib.sha256()
        for part in (
            (self.room / "go.mod").read_bytes(),
            (self.room / "go.sum").read_bytes(),
            self.ldflags.encode(),
            repr(_BUILD_ENV).encode(),
            *([self.tags.encode()] if self.tags else ()),
        ):
            digest.update(hashlib.sha256(part).digest())
        return base / "descheduler" / self.cache / digest.hexdigest()[:16]

    def absent_from(self, folder: Path) -> list[str]:
        return [name for name in self.packages if not os.access(folder / name, os.X_OK)]


def ensure_built(programs: GoPrograms, say: Say = say_to_stderr) -> Path:
    """Give the folder that holds the programs, building them first if need be.

    Raises:
        MissingComponentError: no Go, or the build failed (the reason has the end of its output).
    """
    folder = programs.folder
    if not programs.absent_from(folder):
        return folder
    go = shutil.which("go")
    if go is None:
        raise MissingComponentError(
            programs.component, f"no `go` on PATH (Go 1.26 or later builds it{programs.or_else})"
        )
    with _only_one_builder(programs, folder, say):
        if programs.absent_from(folder):
            _build(programs, go, folder, say)
    return folder


def build_and_tell(build: Callable[[], Path]) -> int:
    """For who runs a file as a program: build what is missing and print where it is, or say why not and return 1."""
    try:
        print(build())  # noqa: T201
    except MissingComponentError as missing:
        say_to_stderr(str(missing))
        return 1
    return 0


@contextmanager
def _only_one_builder(programs: GoPrograms, folder: Path, say: Say) -> Iterator[None]:
    """Hold a lock file beside ``folder``: a second test process waits for the first one's build, not repeating it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{programs.component}: waiting for another process that builds it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(programs: GoPrograms, go: str, folder: Path, say: Say) -> None:
    say(f"{programs.component}: building {programs.what} into {folder} (once; {programs.takes})")
    began = time.monotonic()
    staging = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        flags = ["-tags", programs.tags, "-ldflags", programs.ldflags]
        command = [go, "build", *flags, "-o", f"{staging}{os.sep}", *programs.packages.values()]
        with _ticking(programs, say, began):
            done = subprocess.run(
                command, cwd=programs.room, env={**os.environ, **_BUILD_ENV}, capture_output=True, text=True
            )
        if done.returncode != 0:
            last_words = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
            raise MissingComponentError(programs.component, f"`go build` failed: {last_words}")
        for name, built in programs.built_names.items():
            (staging / built).rename(staging / name)
        staging.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    say(f"{programs.component}: built in {time.monotonic() - began:.0f} s")


@contextmanager
def _ticking(programs: GoPrograms, say: Say, began: float, every: float = 30.0) -> Iterator[None]:
    """Say twice a minute that the build is still going on."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(every):
            say(f"{programs.component}: still building ({time.monotonic() - began:.0f} s)")

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
