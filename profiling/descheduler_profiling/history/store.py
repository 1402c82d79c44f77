"""The history on disk, one file for each signal: read in seconds at a restart, never believed when it looks off.

A file is written aside, synced, and renamed over the old one, so that a crash at any moment leaves either. What is
cut short, changed, foreign, of another version or of another question is ignored with a reason; the history is then
read from the server again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import msgspec
import numpy as np

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.sources import KnownPins

_MAGIC = b"descheduler-store\n"
_VERSION = 1
_SUFFIX = ".history"
_DIGEST = 16  # bytes


class _Header(msgspec.Struct):
    version: int
    fingerprint: str
    query: str
    start: int
    step: int
    columns: int
    keys: list[tuple[str, str, str]]
    weighed: int = 0
    heard: float = 0.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found for a signal: its history, or why there is none to use (empty: there never was)."""

    ring: Ring | None
    reason: str = ""


class HistoryStore:
    """Keeps rings by signal, in memory and, where a directory is given, on disk.

    Writing a large fleet's history takes seconds, so small additions wait until `save_seconds` have passed since the
    last file.
    """

    def __init__(self, directory: Path | None, *, save_seconds: float = 900.0) -> None:
        self._directory = directory
        self._save_seconds = save_seconds
        self._kept: dict[str, tuple[str, Ring]] = {}
        self._saved_at: dict[str, float] = {}
        self._failed: dict[str, str] = {}
        self.measurers = KnownPins()  # who was found to measure; in memory alone

    @property
    def problem(self) -> str:
        """Which files could not be written when that was tried last, and why; "" when all could be."""
        return "; ".join(sorted(set(self._failed.values())))

    def load(self, signal: str, fingerprint: str) -> Loaded:
        """The history of a signal, if it answers the question that `fingerprint` names."""
        kept = self._kept.get(signal)
        if kept is not None:
            return Loaded(kept[1]) if kept[0] == fingerprint else Loaded(None, "the query or the server has changed")
        if self._directory is None:
            return Loaded(None)
        path = self._path(self._directory, signal)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return Loaded(None)
        except OSError as error:
            return Loaded(None, f"{path}: {error.strerror or error}")
        loaded = _decode(data, fingerprint)
        return loaded if loaded.ring is not None else Loaded(None, f"{path}: {loaded.reason}")

    def keep(self, signal: str, fingerprint: str, ring: Ring, *, now: float, soon: bool = False) -> str:
        """Remember a history; write it if `soon` or if the last file is old. Returns why it could not be written."""
        self._kept[signal] = (fingerprint, ring)
        if self._directory is None:
            return ""
        age = now - self._saved_at.get(signal, float("-inf"))
        if not soon and signal not in self._failed and 0 <= age < self._save_seconds:
            return ""
        try:
            self._write(self._directory, signal, _encode(ring, fingerprint))
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, "")
            why = f"{error.strerror or error}{f' ({code})' if code else ''}"
            self._failed[signal] = f"{self._path(self._directory, signal)} cannot be kept: {why}"
            return self._failed[signal]
        self._saved_at[signal] = now
        self._failed.pop(signal, None)
        return ""

    @staticmethod
    def _path(directory: Path, signal: str) -> Path:
        return directory / f"{quote(signal, safe='')}{_SUFFIX}"

    def _write(self, directory: Path, signal: str, parts: list[bytes | memoryview]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = self._path(directory, signal)
        for old in directory.glob(f".{path.name}.*"):  # left by a crash
            old.unlink(missing_ok=True)
        handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=directory)
        try:
            with os.fdopen(handle, "wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).replace(path)
        except OSError:
            Path(aside).unlink(missing_ok=True)
            raise
        folder = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _digest(parts: Iterable[bytes | memoryview]) -> bytes:
    hashed = hashlib.blake2b(digest_size=_DIGEST)
    for part in parts:
        hashed.update(part)
    return hashed.digest()


def _encode(ring: Ring, fingerprint: str) -> list[bytes | memoryview]:
    """The file in parts: joined, a fleet's matrix would be in memory twice more."""
    header = msgspec.msgpack.encode(
        _Header(
            version=_VERSION,
            fingerprint=fingerprint,
            query=ring.query,
            start=ring.grid.start,
            step=ring.grid.step,
            columns=ring.grid.count,
            keys=[(key.namespace, key.kind, key.name) for key in ring.keys],
            weighed=ring.weighed,
            heard=ring.heard,
        )
    )
    values = np.ascontiguousarray(ring.values[: len(ring.keys)], "<f4").reshape(-1).view(np.uint8)
    body: list[bytes | memoryview] = [len(header).to_bytes(4, "big"), header, ring.read.tobytes(), values.data]
    return [_MAGIC, _digest(body), *body]


def _decode(data: bytes, fingerprint: str) -> Loaded:
    at = len(_MAGIC) + _DIGEST
    if not data.startswith(_MAGIC):
        return Loaded(None, "not a history of ours")
    body = memoryview(data)[at:]
    if _digest([body]) != data[at - _DIGEST : at]:
        return Loaded(None, "cut short or changed")
    size = int.from_bytes(body[:4], "big")
    try:
        fields = msgspec.msgpack.decode(body[4 : 4 + size], type=dict[str, msgspec.Raw])
        if msgspec.msgpack.decode(fields.get("version", msgspec.Raw(b"\xc0"))) != _VERSION:
            return Loaded(None, "of another version")
        header = msgspec.msgpack.decode(body[4 : 4 + size], type=_Header)
    except (msgspec.DecodeError, RecursionError) as error:
        return Loaded(None, f"its header cannot be read: {error}")
    if header.fingerprint != fingerprint:
        return Loaded(None, "the query or the server has changed")
    rows, columns = len(header.keys), header.columns
    rest = body[4 + size :]
    if header.step <= 0 or columns < 1 or len(rest) != columns + 4 * rows * columns:
        return Loaded(None, "its size contradicts its header")
    read = np.frombuffer(rest, np.bool_, columns).copy()
    values = np.frombuffer(rest, "<f4", rows * columns, columns).reshape(rows, columns).astype(np.float32, copy=False)
    keys = [WorkloadKey(*key) for key in header.keys]
    grid = Grid(header.start, header.step, columns)
    return Loaded(Ring(grid, keys, values, read, header.query, header.weighed, header.heard))
