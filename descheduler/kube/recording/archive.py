"""Named parts in one zip file or one directory, each with its checksum."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from descheduler.model.errors import RecordingError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same file, whenever it is written
_LEVEL = 9


def is_directory(path: Path) -> bool:
    """Whether a recording at this path is, or is to be, a directory: it exists as one or has no suffix."""
    return path.is_dir() or (not path.exists() and not path.suffix)


def write_parts(path: Path, parts: Mapping[str, bytes], marker: str) -> None:
    """Write all parts, or nothing. An existing directory is replaced only if it is empty or holds the `marker` part.

    Raises: RecordingError.
    """
    try:
        if is_directory(path):
            _write_directory(path, parts, marker)
        else:
            _write_zip(path, parts)
    except OSError as e:
        raise RecordingError(f"{path}: cannot be written: {e.strerror or e}") from e


def _write_zip(path: Path, parts: Mapping[str, bytes]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            for name, data in parts.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED, _LEVEL)
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _write_directory(path: Path, parts: Mapping[str, bytes], marker: str) -> None:
    if path.is_dir() and any(path.iterdir()) and not (path / marker).is_file():
        raise RecordingError(f"{path}: is a directory with other things in it; name a new one or a file")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        for name, data in parts.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).write_bytes(data)
        if path.is_dir():
            shutil.rmtree(path)
        beside.replace(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def open_parts(path: Path) -> Callable[[str], bytes]:
    """A function that reads one part by name.

    Raises: RecordingError, now or when reading, for anything that is not there or not as it should be.
    """
    if path.is_dir():
        return lambda name: _read_file(path, name)
    try:
        with zipfile.ZipFile(path):
            return lambda name: _read_zipped(path, name)
    except FileNotFoundError as e:
        raise RecordingError(f"{path}: no such recording") from e
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as e:
        raise RecordingError(f"{path}: not a recording, or cut short ({e})") from e


def _read_file(path: Path, name: str) -> bytes:
    file = (path / name).resolve()
    if not file.is_relative_to(path.resolve()):
        raise RecordingError(f"{path}: names a part outside of itself: {name}")
    try:
        return file.read_bytes()
    except OSError as e:
        raise RecordingError(f"{path}: not a recording, or part {name} is missing ({e.strerror})") from e


def _read_zipped(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except KeyError as e:
        raise RecordingError(f"{path}: not a recording, or part {name} is missing") from e
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as e:
        raise RecordingError(f"{path}: part {name} is damaged ({e})") from e


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
