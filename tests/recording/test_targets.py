"""What a command may write over: nothing, unless it is asked to; of a folder, only a recording's own parts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from descheduler.cli.main import app
from descheduler.kube.recording import write_parts
from descheduler.kube.recording.files import read_recording, write_recording
from descheduler.kube.recording.wire_objects import ClusterObjects, cluster_objects
from descheduler.model.errors import RecordingError, UsageError
from kube.wire_objects import node, pod


def objects(pods: int = 1) -> ClusterObjects:
    return cluster_objects({"nodes": [node("n1")], "pods": [pod(f"p{i}") for i in range(pods)]}, taken_at=0.0)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


FOREIGN = (
    b'{"name": "my web app", "start_url": "/"}',
    b'{"format": "something-else", "schema": 1}',
    b"not json at all",
    b"",
    b'{"format": "descheduler-recording", "schema": 1, "parts": {"thesis.txt": {"sha256": "", "bytes": 0}}}',
    b'{"format": "descheduler-recording", "schema": 1, "parts": {"../elsewhere": {"sha256": "", "bytes": 0}}}',
    b'{"format": "descheduler-recording", "schema": 99}',
)


@pytest.mark.parametrize("manifest", FOREIGN)
def test_a_foreign_folder_with_a_manifest_is_left_as_it_is(tmp_path: Path, manifest: bytes) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "thesis.txt").write_text("years of work")
    (tmp_path / "elsewhere").write_text("not ours")
    before = everything(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(RecordingError, match="other things in it"):
            write_recording(folder, objects(), overwrite=overwrite)
    assert everything(tmp_path) == before


def test_of_an_older_recording_only_its_parts_go_and_what_else_is_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    write_recording(folder, objects(), {"cpu": b"x", "memory": b"y"})
    (folder / "notes.txt").write_text("mine")
    (folder / "objects" / "notes.txt").write_text("mine too")
    write_recording(folder, objects(3), {"cpu": b"z"})
    assert len(read_recording(folder).snapshot.pods) == 3
    assert set(everything(folder)) == {
        "manifest.json",
        "notes.txt",
        "objects/notes.txt",
        "objects/nodes.jsonl",
        "objects/pods.jsonl",
        "history/cpu",
    }


def test_a_file_of_somebody_else_where_a_part_would_go_is_not_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    write_recording(folder, objects())
    (folder / "history").mkdir()
    (folder / "history" / "cpu").write_text("mine")
    before = everything(folder)
    with pytest.raises(RecordingError, match="not of the recording"):
        write_recording(folder, objects(3), {"cpu": b"z"})
    assert everything(folder) == before


def test_links_lead_nowhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write_recording(elsewhere, objects())
    before = everything(elsewhere)
    (tmp_path / "link").symlink_to(elsewhere)
    with pytest.raises(RecordingError, match="link"):
        write_recording(tmp_path / "link", objects(3))
    inside = tmp_path / "r"
    write_recording(inside, objects())
    for part in (inside / "objects").iterdir():
        part.unlink()
    (inside / "objects").rmdir()
    (inside / "objects").symlink_to(elsewhere / "objects")
    with pytest.raises(RecordingError, match="link"):
        write_recording(inside, objects(3))
    part = tmp_path / "of a part"
    write_recording(part, objects())
    (part / "objects" / "pods.jsonl").unlink()
    (part / "objects" / "pods.jsonl").symlink_to(elsewhere / "objects" / "pods.jsonl")
    write_recording(part, objects(3))  # the link goes, not what it leads to
    assert everything(elsewhere) == before


def test_a_file_is_written_over_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "r.zip"
    write_recording(path, objects())
    before = path.read_bytes()
    with pytest.raises(UsageError, match="--overwrite"):
        write_recording(path, objects(3))
    assert path.read_bytes() == before
    write_recording(path, objects(3), overwrite=True)
    assert len(read_recording(path).snapshot.pods) == 3
    (tmp_path / "thesis.zip").write_text("years of work")
    with pytest.raises(UsageError, match="--overwrite"):
        write_recording(tmp_path / "thesis.zip", objects())


@pytest.mark.parametrize("name", ["r.zip", "r"])
def test_a_recording_that_fails_leaves_the_older_one_whole_and_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_recording(tmp_path / name, objects())
    before = everything(tmp_path)

    def full(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write_parts, "synced", full)
    monkeypatch.setattr("descheduler.model.whole_files.synced", full)
    for target in (tmp_path / name, tmp_path / f"new-{name}"):
        with pytest.raises(RecordingError, match="No space left on device"):
            write_recording(target, objects(3), overwrite=True)
    assert everything(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {name}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def copy_of(made: Path) -> Path:
    copy = made.with_name("copy.json")
    copy.write_bytes(made.read_bytes())
    return copy


WRITERS: dict[str, Callable[[Path, Path], tuple[str | Path, ...]]] = {
    "plan": lambda _, to: ("plan", "--example", "-o", "json", "--output-file", to),
    "show": lambda made, to: ("show", made, "-o", "html", "--output-file", to),
    "plan diff": lambda made, to: ("plan", "diff", made, copy_of(made), "--output-file", to),
    "doctor": lambda _, to: ("doctor", "--example", "-o", "json", "--output-file", to),
    "profile show": lambda _, to: ("profile", "show", "--example", "-o", "csv", "--output-file", to),
    "profile export": lambda _, to: ("profile", "export", "--example", "-o", to),
    "record": lambda _, to: ("record", "--example", "-o", to),
}


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plan") / "plan.json"
    assert run("plan", "--example", "-o", "json", "--output-file", made).exit_code == 0
    return made


@pytest.mark.parametrize("command", WRITERS)
def test_no_command_writes_over_a_file_unasked(tmp_path: Path, plan_file: Path, command: str) -> None:
    to = tmp_path / "answer.json"
    to.write_text("years of work")
    done = run(*WRITERS[command](plan_file, to))
    assert done.exit_code == 2
    assert "--overwrite" in done.output
    assert to.read_text() == "years of work"
    assert run(*WRITERS[command](plan_file, to), "--overwrite").exit_code == 0
    assert to.read_bytes() != b"years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["answer.json"]


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path, plan_file: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "thesis.txt")
    assert run("show", plan_file, "-o", "json", "--output-file", link, "--overwrite").exit_code == 0
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert json.loads(link.read_text())["actions"]


def test_devices_and_pipes_are_written_as_they_are(tmp_path: Path, plan_file: Path) -> None:
    assert run("show", plan_file, "-o", "json", "--output-file", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    assert run("show", plan_file, "-o", "table", "--output-file", fifo).exit_code == 0
    assert os.read(reader, 100)
    os.close(reader)


def test_what_stays_in_the_folder_of_a_recording_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    assert run("record", "--example", "-o", folder).exit_code == 0
    (folder / "notes.txt").write_text("mine")
    done = run("record", "--example", "-o", folder)
    assert done.exit_code == 0
    assert "notes.txt: not of the recording; left as it is" in done.output
