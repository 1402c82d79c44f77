"""Whatever a recording says of itself, reading it takes bounded memory and time, and what is refused is told."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import os
import resource
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from descheduler.cli.main import app
from descheduler.kube.recording import read_parts
from descheduler.kube.recording.files import read_recording, write_recording
from descheduler.kube.recording.read_parts import checksum
from descheduler.kube.recording.wire_objects import ClusterObjects, cluster_objects
from descheduler.model.errors import RecordingError
from descheduler_profiling.history.serial import history_from_bytes
from kube.wire_objects import node, pod

GIB = 1 << 30


def objects() -> ClusterObjects:
    return cluster_objects({"nodes": [node("n1")], "pods": [pod("a")]}, taken_at=0.0)


def manifest(*parts: str, size: int, **more: object) -> bytes:
    info = {"sha256": "0" * 64, "bytes": size}
    kinds = {"pods": {"part": parts[0], "count": 1, "asOf": 0}}
    found = {"format": "descheduler-recording", "schema": 1, "kinds": kinds, "parts": dict.fromkeys(parts, info)}
    return json.dumps(found | more).encode()


def zeros(path: Path, size: int) -> Path:
    """A zip file whose part unpacks to so many zeros, of which it tells."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", manifest("objects/pods.jsonl", size=size))
        with archive.open("objects/pods.jsonl", "w", force_zip64=True) as part:
            chunk = bytes(1 << 24)
            for _ in range(size >> 24):
                part.write(chunk)
    return path


def refused_in_a_small_process(path: Path, memory: int = 1 << 29) -> str:
    """What a process says that has no more than so much memory, and half a minute."""
    code = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))\n"
        "from descheduler.kube.recording.files import read_recording\n"
        "from descheduler.model.errors import RecordingError\n"
        "try:\n    read_recording(sys.argv[1])\n"
        "except RecordingError as e:\n    print(e)\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert not done.stderr, done.stderr
    return done.stdout


def test_a_zip_bomb_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = zeros(tmp_path / "bomb.zip", GIB >> 1)
    assert path.stat().st_size < 1 << 20
    assert "objects/pods.jsonl is larger than it may be" in refused_in_a_small_process(path, GIB)


def test_a_part_that_is_larger_than_the_manifest_says_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", manifest("objects/pods.jsonl", size=10))
        archive.writestr("objects/pods.jsonl", bytes(1 << 26))
    with pytest.raises(RecordingError, match="larger than it may be"):
        read_recording(path)


def test_a_manifest_has_a_bound_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b" " * (1 << 25))
    with pytest.raises(RecordingError, match=r"manifest\.json is larger than it may be"):
        read_recording(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b'{"kinds":' * 100_000)
    with pytest.raises(RecordingError, match="not a recording"):
        read_recording(path)


def test_all_parts_together_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recording(tmp_path / "r.zip", objects(), {"cpu": bytes(5000), "memory": bytes(5000)})
    read_recording(tmp_path / "r.zip")
    monkeypatch.setattr(read_parts, "ALL_BYTES", 8000)
    with pytest.raises(RecordingError, match="larger than it may be"):
        read_recording(tmp_path / "r.zip")


def test_a_million_entries_are_not_listed(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(20_000):
            archive.writestr(f"objects/{i:050d}", b"")
    with pytest.raises(RecordingError, match="list of parts is too long"):
        read_recording(path)


def test_other_packings_are_not_unpacked(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = tmp_path / f"{method}.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("manifest.json", manifest("objects/pods.jsonl", size=1))
        with pytest.raises(RecordingError, match="not packed as parts of recordings are"):
            read_recording(path)
    for name, data in {
        "r.gz": gzip.compress(bytes(1 << 24)),
        "r.bz2": bz2.compress(bytes(1 << 24)),
        "r.tar.gz": tarred("../../outside", "/etc/passwd"),
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(RecordingError, match="not a recording"):
            read_recording(tmp_path / name)


def tarred(*names: str) -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return out.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_parts_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("manifest.json", manifest("objects/pods.jsonl", size=1))
        archive.writestr("manifest.json", manifest("objects/nodes.jsonl", size=1))
    with pytest.raises(RecordingError, match="two parts of one name"):
        read_recording(tmp_path / "r.zip")


@pytest.mark.parametrize("part", ["../secret", "/etc/hostname", "objects/../../secret", "link", "fifo", "objects"])
def test_no_part_leads_out_of_a_folder_nor_to_what_is_no_file(tmp_path: Path, part: str) -> None:
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "r"
    (folder / "objects").mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "fifo")
    (folder / "manifest.json").write_bytes(manifest(part, size=1))
    with pytest.raises(RecordingError, match=r"outside of itself|is no file"):
        read_recording(folder)


def test_objects_are_counted_before_they_are_made(tmp_path: Path) -> None:
    data = b"{}\n" * 3_000_000
    parts = {"objects/pods.jsonl": {"sha256": checksum(data), "bytes": len(data)}}
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", manifest("objects/pods.jsonl", size=1, parts=parts))
        archive.writestr("objects/pods.jsonl", data)
    began = time.monotonic()
    with pytest.raises(RecordingError, match="more than 2000000 objects"):
        read_recording(path)
    assert time.monotonic() - began < 60


def test_the_header_of_a_history_is_no_bomb_either() -> None:
    head = zlib.compress(bytes(1 << 29), 9)
    check = hashlib.blake2b(head, digest_size=16).digest()
    data = b"".join((b"descheduler-history\n", len(head).to_bytes(4, "big"), check, head))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RecordingError, match="larger than one can be"):
        history_from_bytes(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < (700 << 10)


def test_a_plan_that_does_not_end_or_is_nested_without_end_is_one_clear_error(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text('{"format":"x","unknown":' + "[" * 200_000)
    unending = tmp_path / "unending.json"
    with unending.open("wb") as file:
        file.truncate(1 << 30)  # a hole
    for path, why in ((deep, "not a plan document"), (unending, "larger than any such file")):
        done = CliRunner().invoke(app, ["show", str(path)])
        assert done.exit_code in (1, 2)
        assert why in done.output


def test_a_large_recording_whose_objects_are_alike_is_still_read(tmp_path: Path) -> None:
    """Its twin: pods of one workload, which shrink as far as pods do."""
    pods = [pod(f"web-7d8f9c-{i:05d}", metadata={"labels": {"app": "web"}}) for i in range(20_000)]
    write_recording(tmp_path / "r.zip", cluster_objects({"nodes": [node("n1")], "pods": pods}, taken_at=0.0))
    with zipfile.ZipFile(tmp_path / "r.zip") as archive:
        entry = archive.getinfo("objects/pods.jsonl")
    assert entry.file_size / entry.compress_size < read_parts.RATIO / 2
    assert len(read_recording(tmp_path / "r.zip").snapshot.pods) == 20_000
