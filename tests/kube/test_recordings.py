"""Recordings: what is read is what was written, and anything else is one clear error."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.kube.recording.files import SCHEMA, read_recording, write_recording
from descheduler.kube.recording.wire_objects import (
    ClusterObjects,
    cluster_objects,
    record_cluster,
    snapshot_from_objects,
)
from descheduler.model.errors import RecordingError, UsageError
from descheduler.model.release import Release
from descheduler.model.snapshot import ClusterSnapshot
from kube.scripted import Answer, ScriptedApi, aggregated, listing
from kube.wire_objects import Json, container, meta, node, pod

HISTORY = {"cpu": b"\x00\x01binary", "gpu.util": b""}


def same(one: ClusterSnapshot, other: ClusterSnapshot) -> bool:
    return all(getattr(one, f.name) == getattr(other, f.name) for f in fields(ClusterSnapshot))


def objects() -> ClusterObjects:
    gang: Json = {"metadata": meta("g", "shop"), "spec": {"minMember": 2}}
    broken = pod("broken", container() | {"image": 7})
    return cluster_objects(
        {
            "nodes": [node("n1", nvidia__com="8"), node("n2")],
            "pods": [pod("a"), pod("b", node="n2"), broken],
            "scheduling.x-k8s.io/PodGroup": [gang],
            "kueue.x-k8s.io/Workload": [],
        },
        taken_at=1000.0,
        cluster="test",
    )


@pytest.mark.parametrize("name", ["recording.zip", "folder"])
def test_what_is_read_is_what_was_written(tmp_path: Path, name: str) -> None:
    wrote = write_recording(tmp_path / name, objects(), HISTORY)
    found = read_recording(tmp_path / name)
    assert same(found.snapshot, objects().snapshot())
    assert found.histories == HISTORY
    assert found.manifest == wrote
    assert found.manifest.kinds["pods"].count == 3
    assert "Pod shop/broken" in found.snapshot.problems[0]
    assert (tmp_path / name).is_dir() == (name == "folder")


def test_a_live_cluster_and_its_recording_are_the_same_snapshot(
    api: ScriptedApi, client: KubeClient, tmp_path: Path
) -> None:
    api.on("/apis", aggregated(("scheduling.k8s.io", "v1alpha2", "PodGroup", "podgroups")))
    native = {"metadata": meta("g", "shop"), "spec": {"schedulingPolicy": {"gang": {"minCount": 2}}}}
    api.on("/apis/scheduling.k8s.io/v1alpha2/podgroups", listing(native))
    api.on("/api/v1/pods", listing(pod("a", metadata={"annotations": {"ignored": "x", "volcano.sh/y": "z"}})))
    api.on("/api/v1/nodes", listing(node("n1")))
    old = {"metadata": meta("old", "shop"), "spec": {"replicas": 0}}
    api.on("/apis/apps/v1/replicasets", listing(old))
    api.on("/version", Answer(body={"major": "1", "minor": "31+", "gitVersion": "v1.31.4-gke.1183000"}))
    live = read_cluster(client, clock=lambda: 5.0)
    write_recording(tmp_path / "r.zip", record_cluster(client, clock=lambda: 5.0))
    found = read_recording(tmp_path / "r.zip").snapshot
    assert same(live, found)
    assert found.objects["scheduling.k8s.io/PodGroup"][0].api_version == "scheduling.k8s.io/v1alpha2"
    assert found.release == Release(1, 31)


def test_the_same_content_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write_recording(tmp_path / name, objects(), HISTORY)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_plain_objects_can_be_recorded(tmp_path: Path) -> None:
    write_recording(tmp_path / "r.zip", {"nodes": [node("n1")]}, taken_at=7.0, cluster="made")
    found = read_recording(tmp_path / "r.zip").snapshot
    assert same(found, snapshot_from_objects({"nodes": [node("n1")]}, 7.0, "made"))
    with pytest.raises(UsageError, match="the time"):
        write_recording(tmp_path / "r.zip", {"nodes": []})


def test_a_kind_that_was_not_served_stays_not_served(tmp_path: Path) -> None:
    write_recording(tmp_path / "r.zip", objects())
    found = read_recording(tmp_path / "r.zip").snapshot
    assert found.objects["kueue.x-k8s.io/Workload"] == ()
    assert "ray.io/RayCluster" not in found.objects
    assert not found.freshness["ray.io/RayCluster"].served


def rewritten(path: Path, change: Callable[[Json], None]) -> Path:
    """The recording with another manifest."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(parts["manifest.json"])
    change(manifest)
    parts["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "r.zip"
    write_recording(path, objects(), HISTORY)
    return path


def test_a_later_version_is_refused_by_name(recording: Path) -> None:
    rewritten(recording, lambda m: m.update(schema=SCHEMA + 1, product="9.9", kinds="other shape"))
    with pytest.raises(RecordingError, match=r"made by a later version \(9.9, schema 2\)"):
        read_recording(recording)


def test_unknown_fields_of_a_newer_writer_of_the_same_schema_are_ignored(recording: Path) -> None:
    rewritten(recording, lambda m: m.update(somethingNew=1))
    assert len(read_recording(recording).snapshot.pods) == 3


def test_kinds_that_this_version_cannot_read_are_not_ignored(recording: Path) -> None:
    rewritten(recording, lambda m: m["kinds"].update({"new.io/Gang": {"part": "objects/x", "count": 1, "asOf": 0}}))
    with pytest.raises(RecordingError, match=r"new.io/Gang"):
        read_recording(recording)


def test_a_damaged_part_is_named(recording: Path) -> None:
    rewritten(recording, lambda m: m["parts"]["objects/pods.jsonl"].update(sha256="0"))
    with pytest.raises(RecordingError, match=r"part objects/pods.jsonl is not what was written"):
        read_recording(recording)


def test_a_missing_part_is_named(recording: Path) -> None:
    rewritten(recording, lambda m: m["kinds"]["pods"].update(part="objects/lost.jsonl"))
    with pytest.raises(RecordingError, match=r"objects/lost.jsonl"):
        read_recording(recording)


def test_a_recording_cannot_reach_outside_of_itself(tmp_path: Path) -> None:
    write_recording(tmp_path / "folder", objects())
    manifest = tmp_path / "folder" / "manifest.json"
    found = json.loads(manifest.read_text())
    found["kinds"]["pods"]["part"] = "../secret"
    found["parts"]["../secret"] = {"sha256": "", "bytes": 0}
    manifest.write_text(json.dumps(found))
    (tmp_path / "secret").write_text("")
    with pytest.raises(RecordingError, match="outside of itself"):
        read_recording(tmp_path / "folder")


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_a_truncated_recording_is_one_clear_error(recording: Path, data: st.DataObject) -> None:
    whole = recording.read_bytes()
    cut = recording.with_name("cut.zip")
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(RecordingError, match=r"cut.zip"):
        read_recording(cut)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_a_flipped_bit_is_never_a_wrong_snapshot(recording: Path, data: st.DataObject) -> None:
    damaged = bytearray(recording.read_bytes())
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    path = recording.with_name("flipped.zip")
    path.write_bytes(damaged)
    try:
        found = read_recording(path)
    except RecordingError:
        return
    assert found.snapshot.pods == objects().snapshot().pods


def test_a_zip_of_a_version_that_nobody_reads_is_one_clear_error(recording: Path) -> None:
    damaged = bytearray(recording.read_bytes())
    damaged[damaged.index(b"PK\x01\x02") + 6] = 84  # version needed to extract: 8.4
    recording.write_bytes(damaged)
    with pytest.raises(RecordingError, match=r"r.zip: not a recording, or cut short"):
        read_recording(recording)


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04 not really", b"apiVersion: v1\nkind: Pod\n"])
def test_a_foreign_file_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "foreign").write_bytes(content)
    with pytest.raises(RecordingError, match="foreign: not a recording"):
        read_recording(tmp_path / "foreign")


def test_another_zip_another_folder_and_nothing_at_all(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme", "hello")
    (tmp_path / "empty").mkdir()
    for name in ("other.zip", "empty"):
        with pytest.raises(RecordingError, match=f"{name}: not a recording"):
            read_recording(tmp_path / name)
    with pytest.raises(RecordingError, match="no such recording"):
        read_recording(tmp_path / "nothing")


def test_a_folder_with_other_things_is_not_replaced_but_an_older_recording_is(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(RecordingError, match="other things"):
        write_recording(folder, objects())
    assert (folder / "thesis.txt").read_text() == "years of work"
    write_recording(tmp_path / "again", objects(), HISTORY)
    write_recording(tmp_path / "again", objects())
    assert not (tmp_path / "again" / "history").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again", "home"]


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot be written"):
        write_recording(tmp_path / "file" / "r.zip", objects())


def test_names_of_signals_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'\.\./x'"):
        write_recording(tmp_path / "r.zip", objects(), {"../x": b""})
