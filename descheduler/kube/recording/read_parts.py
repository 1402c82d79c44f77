"""Named parts of one zip file or one directory, read within bounds whatever the file says of itself.

Sizes are counted while a part is unpacked: of a few bytes that would become gigabytes, little is ever in memory.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import IO, Protocol

from descheduler.model.errors import RecordingError

PART_BYTES = 1 << 30
"""Of one part. The pods of the largest clusters that we plan for, 150,000, are about 250 MB."""
ALL_BYTES = 2 << 30
"""Of everything that is read of one recording."""
RATIO, FREE_BYTES = 400, 1 << 26
"""How many times larger than on disk a part may be once it is beyond the first bytes: objects of one workload that
differ in their names alone shrink to a hundredth, nothing but a bomb to a thousandth."""
DIRECTORY_BYTES = 1 << 20
"""Of a zip file's list of entries: some ten thousand. A recording has one for each kind and each signal."""
_END, _END_BYTES, _COMMENT = b"PK\x05\x06", 22, 1 << 16  # of a zip file's last record (APPNOTE.TXT 4.3.16)
_FAR = b"PK\x06\x07"  # where its 64-bit twin is (4.3.15)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others are unpacked without a bound
_CHUNK = 1 << 20


class ReadPart(Protocol):
    """Reads one part by name, which has at most so many bytes. Raises RecordingError."""

    def __call__(self, name: str, most: int = PART_BYTES) -> bytes: ...


def is_directory(path: Path) -> bool:
    """Whether a recording at this path is, or is to be, a directory: it exists as one or has no suffix."""
    return path.is_dir() or (not os.path.lexists(path) and not path.suffix)


def open_parts(path: Path) -> ReadPart:
    """A function that reads one part by name.

    Raises: RecordingError, now or when reading, for anything that is not there, not as it should be or too large.
    """
    whole = _Whole(path)
    if path.is_dir():
        return partial(_read_file, path, whole)
    try:
        _check_entries(path)
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except FileNotFoundError as e:
        raise RecordingError(f"{path}: no such recording") from e
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as e:
        raise RecordingError(f"{path}: not a recording, or cut short ({e})") from e
    if len(set(names)) < len(names):
        raise RecordingError(f"{path}: not a recording: it has two parts of one name")
    return partial(_read_zipped, path, whole)


class _Whole:
    """Counts what is read of one recording."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = 0

    def read(self, file: IO[bytes], name: str, on_disk: int, most: int) -> bytes:
        """A part to its end. Raises RecordingError beyond a bound."""
        chunks: list[bytes] = []
        size = 0
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            self._bytes += len(chunk)
            if size > min(most, PART_BYTES, max(FREE_BYTES, RATIO * on_disk)) or self._bytes > ALL_BYTES:
                raise RecordingError(
                    f"{self._path}: damaged: part {name} is larger than it may be, {on_disk} bytes on disk are over "
                    f"{size} unpacked"
                )
            chunks.append(chunk)
        return b"".join(chunks)


def _read_file(path: Path, whole: _Whole, name: str, most: int = PART_BYTES) -> bytes:
    file = (path / name).resolve()
    if not file.is_relative_to(path.resolve()):
        raise RecordingError(f"{path}: names a part outside of itself: {name}")
    try:
        if not S_ISREG(file.stat().st_mode):
            raise RecordingError(f"{path}: part {name} is no file")
        with file.open("rb") as opened:
            return whole.read(opened, name, os.fstat(opened.fileno()).st_size, most)
    except (OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or e
        raise RecordingError(f"{path}: not a recording, or part {name} is missing ({why})") from e


def _read_zipped(path: Path, whole: _Whole, name: str, most: int = PART_BYTES) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo(name)
            if entry.compress_type not in _METHODS:
                raise RecordingError(f"{path}: part {name} is not packed as parts of recordings are")
            with archive.open(entry) as opened:
                return whole.read(opened, name, entry.compress_size, most)
    except KeyError as e:
        raise RecordingError(f"{path}: not a recording, or part {name} is missing") from e
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as e:
        raise RecordingError(f"{path}: part {name} is damaged ({e})") from e


def _check_entries(path: Path) -> None:
    """Raises ValueError for a list of entries that is too long to be read, which zipfile would do at once."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END_BYTES - _COMMENT))
        tail = file.read(_END_BYTES + _COMMENT)
    plain = tail[-_END_BYTES:].startswith(_END) and tail.endswith(b"\0\0")  # no comment behind it
    at = len(tail) - _END_BYTES if plain else tail.rfind(_END)
    found = [tail[at + 12 : at + 16]]
    if tail[max(0, at - 20) :].startswith(_FAR):  # sizes beyond 32 bits are in a record before it
        found.append(tail[max(0, at - 36) :][:8])
    if at >= 0 and max(int.from_bytes(one, "little") for one in found) > DIRECTORY_BYTES:
        raise ValueError("its list of parts is too long")


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
