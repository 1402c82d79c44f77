"""Recordings: a cluster and its history in one file or directory, readable by later versions.

Parts: `manifest.json`; `objects/<kind key>.jsonl`, slim wire objects (a subset of the API's own JSON, so that other
tools can write them too); `history/<signal>`, opaque to this package. The manifest names every part with its size
and SHA-256. A change that an older version would misread gets a new schema number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from descheduler import __version__
from descheduler.kube.convert.kinds import KINDS
from descheduler.kube.recording import write_parts as writing
from descheduler.kube.recording.read_parts import ReadPart, checksum, open_parts
from descheduler.kube.recording.wire_objects import ClusterObjects, JsonObject, cluster_objects
from descheduler.model.errors import BadAnswer, RecordingError, UsageError
from descheduler.model.release import Release
from descheduler.model.snapshot import ClusterSnapshot

FORMAT = "descheduler-recording"
SCHEMA = 1
MANIFEST = "manifest.json"
MANIFEST_BYTES = 1 << 24
OBJECTS = 2_000_000
"""Of all kinds together; the largest clusters that we plan for have a quarter of that."""
_SIGNAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PART = re.compile(rf"objects/({'|'.join(map(re.escape, KINDS))})\.jsonl|history/{_SIGNAL.pattern}")
"""What our parts are named; a manifest that lists anything else is not believed when files are to go."""


class PartInfo(msgspec.Struct, frozen=True, rename="camel"):
    """One part of a recording."""

    sha256: str
    bytes: int


class KindInfo(msgspec.Struct, frozen=True, rename="camel"):
    """One kind: how many objects, and when they were read (unix seconds)."""

    part: str
    count: int
    as_of: float


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """What is in a recording. `product`: the version that made it; `taken_at` in unix seconds; `release`: of the API
    server, as `1.36`.
    """

    format: str
    schema: int
    product: str = ""
    taken_at: float = 0.0
    cluster: str = ""
    anonymized: bool = False
    release: str = ""
    kinds: dict[str, KindInfo] = {}
    histories: dict[str, str] = {}
    parts: dict[str, PartInfo] = {}


class _Head(msgspec.Struct, frozen=True):
    """What every version of the manifest has."""

    format: str
    schema: int
    product: str = ""


@dataclass(frozen=True)
class Recording:
    """`histories`: the bytes of each signal, as they were given. `objects` are what `snapshot` was made of."""

    snapshot: ClusterSnapshot
    histories: Mapping[str, bytes]
    manifest: Manifest
    objects: ClusterObjects


def write_recording(
    path: Path | str,
    objects: ClusterObjects | Mapping[str, Iterable[JsonObject]],
    histories: Mapping[str, bytes] | None = None,
    *,
    taken_at: float | None = None,
    cluster: str = "",
    overwrite: bool = False,
) -> Manifest:
    """Write a recording: a directory when `path` is one or has no suffix, else a zip file.

    In a directory it replaces an older recording, part by part, and leaves what else is there; a file it replaces where
    `overwrite` says so. `objects` may be plain dictionaries by kind (see `cluster_objects`); then `taken_at` must be
    given.

    Raises:
        RecordingError: it cannot be written, or would take the place of something that is no recording.
        UsageError: a kind or the name of a signal cannot be recorded, or a file is there.
    """
    if not isinstance(objects, ClusterObjects):
        if taken_at is None:
            raise UsageError("a recording of plain objects needs the time at which they were true")
        objects = cluster_objects(objects, taken_at=taken_at, cluster=cluster)
    parts, kinds = _object_parts(objects)
    named = {signal: f"history/{_checked(signal)}" for signal in histories or ()}
    parts.update({named[signal]: data for signal, data in (histories or {}).items()})
    manifest = Manifest(
        format=FORMAT,
        schema=SCHEMA,
        product=__version__,
        taken_at=objects.taken_at,
        cluster=objects.cluster,
        anonymized=objects.anonymized,
        release=str(objects.release or ""),
        kinds=kinds,
        histories=named,
        parts={name: PartInfo(checksum(data), len(data)) for name, data in parts.items()},
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    writing.write_parts(Path(path), {**parts, MANIFEST: text}, _listed, overwrite=overwrite)
    return manifest


def check_target(path: Path, *, overwrite: bool) -> None:
    """Find out before any work whether a recording may be written to `path`. Raises as `write_recording` does."""
    writing.check_target(path, _listed, overwrite=overwrite)


def strangers(path: Path, manifest: Manifest) -> tuple[str, ...]:
    """Files in a recording's directory that are not of it."""
    found = (file.relative_to(path).as_posix() for file in path.rglob("*") if not file.is_dir() or file.is_symlink())
    return tuple(sorted(set(found) - {MANIFEST, *manifest.parts})) if path.is_dir() else ()


def _listed(read: ReadPart) -> tuple[str, ...]:
    """The parts of the recording that is there, its manifest included. Raises RecordingError when it is none."""
    parts = _manifest(Path(), read(MANIFEST, MANIFEST_BYTES)).parts
    if not all(_PART.fullmatch(name) for name in parts):
        raise RecordingError("its manifest lists what is no part of a recording")
    return (MANIFEST, *parts)


def read_recording(path: Path | str, annotations: Iterable[str] = ()) -> Recording:
    """Read a recording; `annotations` as in `read_cluster`.

    Raises:
        RecordingError: it is missing, foreign, cut short, damaged, or made by a later version; one sentence says which.
    """
    path = Path(path)
    read = open_parts(path)
    manifest = _manifest(path, read(MANIFEST, MANIFEST_BYTES))
    objects = ClusterObjects(
        taken_at=manifest.taken_at,
        lines=_lines(path, manifest, read),
        cluster=manifest.cluster,
        as_of={key: info.as_of for key, info in manifest.kinds.items()},
        anonymized=manifest.anonymized,
        release=Release.parse(manifest.release),
    )
    histories = {signal: _part(path, manifest, part, read) for signal, part in manifest.histories.items()}
    try:
        snapshot = objects.snapshot(annotations)
    except BadAnswer as e:
        raise RecordingError(f"{path}: damaged: {e}") from e
    return Recording(snapshot, histories, manifest, objects)


def _object_parts(objects: ClusterObjects) -> tuple[dict[str, bytes], dict[str, KindInfo]]:
    parts: dict[str, bytes] = {}
    kinds: dict[str, KindInfo] = {}
    for key, lines in objects.lines.items():
        if key not in KINDS:
            raise UsageError(f"{key!r} is no kind that is recorded")
        part = f"objects/{key}.jsonl"
        parts[part] = b"".join(_one_line(line) + b"\n" for line in lines)
        kinds[key] = KindInfo(part, len(lines), objects.as_of.get(key, objects.taken_at))
    return parts, kinds


def _one_line(text: bytes) -> bytes:
    # Our own lines have none; parts that are kept as they came from another writer may, between values.
    return text.replace(b"\n", b" ").replace(b"\r", b" ") if b"\n" in text or b"\r" in text else text


def _checked(signal: str) -> str:
    if not _SIGNAL.fullmatch(signal):
        raise UsageError(f"{signal!r} cannot name a recorded history")
    return signal


def _manifest(path: Path, data: bytes) -> Manifest:
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (msgspec.MsgspecError, RecursionError) as e:
        raise RecordingError(f"{path}: not a recording: {MANIFEST}: {e}") from e
    if head.format != FORMAT:
        raise RecordingError(f"{path}: not a recording: its format is {head.format!r}")
    if head.schema > SCHEMA:
        raise RecordingError(
            f"{path}: made by a later version ({head.product or 'unknown'}, schema {head.schema}); "
            f"this is {__version__}, which reads schema {SCHEMA} and earlier"
        )
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, RecursionError) as e:
        raise RecordingError(f"{path}: damaged: {MANIFEST}: {e}") from e
    unknown = sorted(set(manifest.kinds) - set(KINDS))
    if unknown:
        raise RecordingError(f"{path}: made by version {manifest.product}, holds kinds unknown here: {unknown}")
    return manifest


def _lines(path: Path, manifest: Manifest, read: ReadPart) -> dict[str, tuple[bytes, ...]]:
    """The objects of each kind. Raises RecordingError for more of them than any cluster has."""
    out: dict[str, tuple[bytes, ...]] = {}
    left = OBJECTS
    for key, info in manifest.kinds.items():
        data = _part(path, manifest, info.part, read)
        left -= data.count(b"\n")
        if left < 0:
            raise RecordingError(f"{path}: holds more than {OBJECTS} objects")
        out[key] = tuple(data.splitlines())
    return out


def _part(path: Path, manifest: Manifest, name: str, read: ReadPart) -> bytes:
    info = manifest.parts.get(name)
    if info is None:
        raise RecordingError(f"{path}: damaged: part {name} is not listed")
    data = read(name, max(0, info.bytes))
    if len(data) != info.bytes or checksum(data) != info.sha256:
        raise RecordingError(f"{path}: damaged: part {name} is not what was written")
    return data
