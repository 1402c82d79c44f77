"""A history as bytes, for recordings: small, exact, and refused when it is not whole.

Usage is noisy in its first digits, so 11 significant bits (0.05 %) lose nothing; a history is rounded to them when it
is collected (`coarse`), and a recording then gives back the very numbers that the live run saw. A rounded
non-negative float is the upper half of its bits, the offset to the largest of the row fits 16 bits, and differences
along time compress to about one byte a value.
"""

from __future__ import annotations

import hashlib
import lzma
import zlib

import msgspec
import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler.model.errors import RecordingError
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.series import History, Strain

_MAGIC = b"descheduler-history\n"
_VERSION = 1
_DROP = 13  # mantissa bits that are given up: 23 - 10
_GAP, _ZERO, _FIRST = 0, 1, 2
_RANGE = 2.0**-40  # of the row's largest: less is zero
_LZMA_UP_TO = 4_000_000  # values; beyond, its 20 times slower packing costs more than the bytes are worth
_MOST_VALUES = 1 << 28  # 20,000 workloads over six weeks in steps of 5 minutes
_MOST_COLUMNS = 1 << 20
_MOST_HEADER = 1 << 28  # bytes


class _Header(msgspec.Struct):
    version: int
    signal: str
    unit: str
    start: int
    step: int
    columns: int
    keys: list[tuple[str, str, str]]
    replicas: list[float]
    pods: list[tuple[str, str, float]]
    complete: bool
    problems: list[str]
    packing: str
    digest: bytes
    recent_pods: list[tuple[str, str]] = []
    recent: bytes = b""
    standing_still: list[str] = []
    absent: bool = False
    pinned: bool = True
    throttled: list[tuple[str, str, str, float]] = []
    pressed: list[tuple[str, float]] = []


def coarse(values: Floats32, largest: Floats32 | None = None) -> Floats32:
    """Values [S, T] rounded to 11 significant bits, gaps for what is negative or infinite; idempotent.

    What is tiny beside the largest value of its row is 0; `largest` [S] are known where these are parts of rows.
    """
    clean = np.where(np.isfinite(values) & (values >= 0), values, np.float32(np.nan)).astype(np.float32)
    if not clean.size:
        return clean
    if largest is None:
        largest = np.fmax.reduce(clean, axis=1, initial=0.0)
    clean[clean < largest[:, None] * np.float32(_RANGE)] = 0.0
    clean = np.minimum(clean, np.float32(2.0**126))
    bits = clean.view(np.uint32)
    half = np.uint32((1 << (_DROP - 1)) - 1)
    rounded = (bits + half + ((bits >> _DROP) & np.uint32(1))) & np.uint32(0xFFFFFFFF << _DROP & 0xFFFFFFFF)
    return np.where(np.isfinite(clean), rounded.view(np.float32), np.float32(np.nan))


def history_to_bytes(history: History) -> bytes:
    """The history, rounded by `coarse`: about 2 to 3 kB for a series of a week in steps of 5 minutes."""
    payload, packing = _pack(_codes(coarse(history.values)))
    header = _Header(
        version=_VERSION,
        signal=history.signal,
        unit=history.unit,
        start=history.start,
        step=history.step,
        columns=int(history.values.shape[1]),
        keys=[(key.namespace, key.kind, key.name) for key in history.keys],
        replicas=[float(value) for value in history.replicas],
        pods=[(namespace, pod, float(level)) for (namespace, pod), level in sorted(history.pod_level.items())],
        complete=history.complete,
        problems=list(history.problems),
        packing=packing,
        digest=hashlib.blake2b(payload, digest_size=16).digest(),
        recent_pods=list(history.pods),
        recent=coarse(history.recent).astype("<f4").tobytes(),
        standing_still=list(history.standing_still),
        absent=history.absent,
        pinned=history.pinned,
        throttled=[(k.namespace, k.kind, k.name, share) for k, share in sorted(history.strain.throttled.items())],
        pressed=sorted(history.strain.pressed.items()),
    )
    head = zlib.compress(msgspec.msgpack.encode(header), 9)
    check = hashlib.blake2b(head, digest_size=16).digest()
    return b"".join((_MAGIC, len(head).to_bytes(4, "big"), check, head, payload))


def history_from_bytes(data: bytes) -> History:
    """What `history_to_bytes` made.

    Raises:
        RecordingError: not ours, of a later version, cut short or changed.
    """
    if not data.startswith(_MAGIC):
        raise RecordingError("recorded history: this is not a history of a recording")
    at = len(_MAGIC) + 20
    size = int.from_bytes(data[len(_MAGIC) : len(_MAGIC) + 4], "big")
    head, payload = data[at : at + size], data[at + size :]
    if len(head) != size or hashlib.blake2b(head, digest_size=16).digest() != data[at - 16 : at]:
        raise RecordingError("recorded history: its header is cut short or changed")
    try:
        unpacking = zlib.decompressobj()
        raw = unpacking.decompress(head, _MOST_HEADER)
        if unpacking.unconsumed_tail:
            raise RecordingError("recorded history: its header is larger than one can be")
        version = msgspec.msgpack.decode(raw, type=dict[str, msgspec.Raw]).get("version", msgspec.Raw(b"\xc0"))
        if msgspec.msgpack.decode(version) != _VERSION:
            raise RecordingError(
                "recorded history: made by a later version of this program; use that version to read it"
            )
        header = msgspec.msgpack.decode(raw, type=_Header)
    except (zlib.error, msgspec.DecodeError, RecursionError) as error:
        raise RecordingError(f"recorded history: its header cannot be read: {error}") from error
    if hashlib.blake2b(payload, digest_size=16).digest() != header.digest:
        raise RecordingError(f"recorded history of {header.signal}: cut short or changed")
    return _history(header, payload)


def _history(header: _Header, payload: bytes) -> History:
    rows, columns = len(header.keys), header.columns
    pods = len(header.recent_pods)
    odd = len(header.recent) % (4 * pods) if pods else len(header.recent)
    sized = 0 <= columns <= _MOST_COLUMNS and rows * columns <= _MOST_VALUES and len(header.replicas) == rows
    if not sized or header.step <= 0 or odd:
        raise RecordingError(f"recorded history of {header.signal}: its header contradicts itself")
    return History(
        signal=header.signal,
        unit=header.unit,
        keys=tuple(WorkloadKey(*key) for key in header.keys),
        start=header.start,
        step=header.step,
        values=_values(_unpack(payload, header.packing, rows, columns, header.signal)),
        replicas=np.array(header.replicas, np.float32),
        pod_level={(namespace, pod): level for namespace, pod, level in header.pods},
        complete=header.complete,
        problems=tuple(header.problems),
        pods=tuple(header.recent_pods),
        recent=np.frombuffer(header.recent, "<f4").astype(np.float32).reshape(pods, -1 if pods else 0),
        standing_still=tuple(header.standing_still),
        absent=header.absent,
        pinned=header.pinned,
        strain=Strain({WorkloadKey(*key): share for *key, share in header.throttled}, dict(header.pressed)),
    )


def _codes(values: Floats32) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """Codes [S, T] (0 gap, 1 zero, else the offset of the rounded bits) and the base [S] of each row."""
    upper = values.view(np.uint32) >> _DROP
    positive = values > 0
    largest = np.max(np.where(positive, upper, 0), axis=1, initial=0)
    base = np.maximum(largest.astype(np.int64) - (0xFFFF - _FIRST), 0).astype(np.uint32)
    codes = np.where(positive, upper - base[:, None] + _FIRST, np.where(np.isfinite(values), _ZERO, _GAP))
    return codes.astype(np.uint16), base


def _values(coded: tuple[NDArray[np.uint16], NDArray[np.uint32]]) -> Floats32:
    codes, base = coded
    bits = (codes.astype(np.uint32) - np.uint32(_FIRST) + base[:, None]) << _DROP
    values = np.where(codes >= _FIRST, bits, 0).astype(np.uint32).view(np.float32)
    return np.where(codes == _GAP, np.float32(np.nan), values)


def _pack(coded: tuple[NDArray[np.uint16], NDArray[np.uint32]]) -> tuple[bytes, str]:
    """Differences along time, sign folded, low and high bytes apart: what a general compressor does best with."""
    codes, base = coded
    steps = np.diff(codes, axis=1, prepend=np.zeros((codes.shape[0], 1), np.uint16)).view(np.int16)
    folded = ((steps << 1) ^ (steps >> 15)).view(np.uint16)
    plain = (
        base.astype("<u4").tobytes()
        + (folded & 0xFF).astype(np.uint8).tobytes()
        + (folded >> 8).astype(np.uint8).tobytes()
    )
    if codes.size <= _LZMA_UP_TO:
        return lzma.compress(plain, preset=6), "lzma"
    return zlib.compress(plain, 6), "zlib"


def _unpack(
    payload: bytes, packing: str, rows: int, columns: int, signal: str
) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    size = rows * columns
    expected = 4 * rows + 2 * size
    try:
        if packing == "lzma":
            plain = lzma.LZMADecompressor().decompress(payload, max_length=expected + 1)
        elif packing == "zlib":
            plain = zlib.decompressobj().decompress(payload, expected + 1)
        else:
            raise RecordingError(f"recorded history of {signal}: unknown packing {packing!r}")
    except (lzma.LZMAError, zlib.error, EOFError) as error:
        raise RecordingError(f"recorded history of {signal}: cannot be unpacked: {error}") from error
    if len(plain) != expected:
        raise RecordingError(f"recorded history of {signal}: {len(plain)} bytes unpacked instead of {expected}")
    base = np.frombuffer(plain, "<u4", rows).astype(np.uint32)
    low = np.frombuffer(plain, np.uint8, size, 4 * rows).astype(np.uint16)
    high = np.frombuffer(plain, np.uint8, size, 4 * rows + size).astype(np.uint16)
    folded = (low | (high << 8)).reshape(rows, columns)
    steps = (folded >> 1) ^ (0 - (folded & 1)).astype(np.uint16)
    return np.cumsum(steps, axis=1, dtype=np.uint16), base
