"""Files that are written whole or not at all, and never in the place of one that is there unless that is asked for;
and files that are read no further than they can go on.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from descheduler.model.errors import UsageError


@contextmanager
def written_whole(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A name beside `path` to write to; when the block ends well, that file takes its place, else nothing changes.

    A link is replaced, not followed. Devices and pipes (`/dev/stdout`) are written as they are.

    Raises:
        UsageError: something is there and `overwrite` is not set, or it cannot be written (disk full).
    """
    if _is_stream(path):
        with _reported(path):
            yield path
        return
    check_free(path, overwrite=overwrite)
    aside = name_beside(path)
    try:
        with _reported(path):
            aside.touch(exist_ok=False)
            yield aside
            check_free(path, overwrite=overwrite)  # somebody else may have been quicker
            synced(aside)
            aside.replace(path)
    finally:
        with suppress(OSError):
            aside.unlink()


def read_at_most(path: Path, most: int) -> bytes:
    """What is in a file. Raises UsageError when it cannot be read, or has more than `most` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > most:
        raise UsageError(f"{path}: is larger than any such file, more than {most} bytes")
    return data


def check_free(path: Path, *, overwrite: bool) -> None:
    """Raises UsageError when something is at `path` that may not be replaced."""
    if _is_stream(path) or not os.path.lexists(path):
        return
    if path.is_dir() and not path.is_symlink():
        raise UsageError(f"{path}: is a directory")
    if not overwrite:
        raise UsageError(f"{path}: is there already; --overwrite replaces it")


def name_beside(path: Path) -> Path:
    """A name in the same folder that nothing has."""
    return path.with_name(f".{path.name[:64]}.{secrets.token_hex(8)}.part")


def synced(path: Path) -> None:
    """Bring a file to the disk, so that a rename never shows one that is empty after a crash."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_stream(path: Path) -> bool:
    return path.is_char_device() or path.is_fifo() or path.is_socket() or path.parent == Path("/dev/fd")


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error
