"""No secret is in a recording without names, wherever it was planted; none that runs is in any recording."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from descheduler.kube.convert import wire
from descheduler.kube.convert.kinds import KINDS
from descheduler.kube.convert.slimming import RAW_TYPES
from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.files import read_recording, write_recording
from descheduler.kube.recording.wire_objects import ClusterObjects, cluster_objects, slim_lines
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.hidden_history import hidden_history
from descheduler_profiling.history.serial import history_to_bytes
from descheduler_profiling.series import History
from kube.wire_objects import container, meta, node, pod
from recording.secrets import Planter, every_object, runs


def every_byte(path: Path) -> str:
    """All that is in a recording, unpacked; the names of its parts too."""
    with zipfile.ZipFile(path) as archive:
        return "\n".join(f"{name}\n{archive.read(name).decode('utf-8', 'replace')}" for name in archive.namelist())


def test_no_secret_in_any_place_that_is_read_is_in_a_recording_without_names(tmp_path: Path) -> None:
    planter = Planter()
    objects = cluster_objects(
        {kind: every_object(kind, planter) for kind in KINDS}, taken_at=0.0, cluster=planter.secret("cluster")
    )
    history = History(
        signal=planter.secret("signal").replace("/", "."),
        unit=planter.secret("unit"),
        keys=(WorkloadKey(planter.secret("namespace"), planter.secret("kind"), planter.secret("name")),),
        start=0,
        step=300,
        values=np.ones((1, 3), np.float32),
        replicas=np.ones(1, np.float32),
        pod_level={(planter.secret("namespace"), planter.secret("pod")): 1.0},
        problems=(planter.secret("problem"),),
        pods=((planter.secret("namespace"), planter.secret("pod")),),
        recent=np.ones((1, 2), np.float32),
        standing_still=(planter.secret("node"),),
    )
    assert len(planter.planted) > 2000
    hidden = Anonymizer(b"a key")
    hidden_objects = hidden.objects(objects)
    signal, hidden_one = hidden_history(history, hidden)
    assert not planter.found_in(repr(hidden_one))
    write_recording(tmp_path / "r.zip", hidden_objects, {"x": history_to_bytes(hidden_one)})
    assert not planter.found_in(every_byte(tmp_path / "r.zip"))
    assert not planter.found_in(signal)
    assert read_recording(tmp_path / "r.zip").manifest.anonymized


def test_the_schemas_of_parts_that_stay_bytes_are_known() -> None:
    """So that a newly read part is covered by the test above."""
    raw = {
        field.encode_name
        for found in vars(wire).values()
        if isinstance(found, type) and issubclass(found, wire.Slim) and found is not wire.RawEvent
        for field in msgspec.structs.fields(found)
        if field.type is msgspec.Raw
    }
    assert raw <= set(RAW_TYPES)


@pytest.mark.parametrize("anonymize", [False, True])
def test_nothing_that_runs_is_in_any_recording(tmp_path: Path, anonymize: bool) -> None:
    planter = Planter()
    template = {"metadata": {"labels": {"app": "web"}}, "spec": runs(planter)}
    notes = {"kubectl.kubernetes.io/last-applied-configuration": planter.secret("last-applied")}
    of_core = {
        kind: [{"metadata": meta("web", "shop", annotations=notes), "spec": {"template": template, "replicas": 1}}]
        for kind in ("replicasets", "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs")
    }
    of_core["cronjobs"][0]["spec"] = {"jobTemplate": {"spec": {"template": template}}}
    one = pod("a", metadata={"annotations": notes})
    one["spec"] |= runs(planter)
    custom = {
        kind: [{"metadata": meta("job", "shop", annotations=notes), "spec": runs(planter), "status": runs(planter)}]
        for kind in KINDS
        if "/" in kind
    }
    objects = cluster_objects({"pods": [one], "nodes": [node("n1")], **of_core, **custom}, taken_at=0.0)
    write_recording(tmp_path / "r.zip", Anonymizer(b"key").objects(objects) if anonymize else objects)
    assert not planter.found_in(every_byte(tmp_path / "r.zip"))
    assert not read_recording(tmp_path / "r.zip").snapshot.problems


def test_nor_of_an_object_that_makes_no_sense(tmp_path: Path) -> None:
    planter = Planter()
    secret = container() | {"image": 7, "env": [{"name": "TOKEN", "value": planter.secret("env of a broken pod")}]}
    broken = pod("broken", secret, metadata={"annotations": {"notes": planter.secret("annotation of a broken pod")}})
    whole = {
        "metadata": meta("web", "shop"),
        "spec": {"replicas": 1, "template": planter.secret("in the place of a template")},
    }
    objects = cluster_objects({"pods": [broken], "replicasets": [whole]}, taken_at=0.0)
    write_recording(tmp_path / "r.zip", objects)
    assert not planter.found_in(every_byte(tmp_path / "r.zip"))
    problems = read_recording(tmp_path / "r.zip").snapshot.problems
    assert [problem.partition(":")[0] for problem in problems] == ["Pod shop/broken", "ReplicaSet shop/web"]
    assert problems == objects.snapshot().problems


def test_an_object_that_cannot_be_taken_apart_is_as_broken_in_its_recording_and_says_no_more(tmp_path: Path) -> None:
    planter = Planter()
    deep = '{"a":' * 3000 + "1" + "}" * 3000
    labels = {"app": "web"}
    meta_text = json.dumps(meta("odd", "shop", labels=labels, annotations={"notes": planter.secret("annotation")}))
    args = json.dumps([planter.secret("args")])
    line = f'{{"metadata":{meta_text},"spec":{{"nodeName":"n1","containers":[{{"args":{args},"x":{deep}}}]}}}}'
    others = cluster_objects({"nodes": [node("n1")]}, taken_at=0.0).lines
    whole = ClusterObjects(0.0, {**others, "pods": (line.encode(),)})
    codec_lines = slim_lines("pods", whole.lines["pods"])
    again = ClusterObjects(0.0, {**whole.lines, "pods": codec_lines})
    write_recording(tmp_path / "r.zip", again)
    assert not planter.found_in(every_byte(tmp_path / "r.zip"))
    (before,), (after,) = whole.snapshot().pods, read_recording(tmp_path / "r.zip").snapshot.pods
    assert before.problem
    assert after.problem
    assert (after.name, after.node, after.labels, after.spec) == (before.name, before.node, before.labels, before.spec)


def test_a_number_where_no_number_is_read_is_none_of_a_recording_without_names() -> None:
    card, pin = 4929123412341234, 84213
    told = json.dumps({"gpu": [{"minor": 1, "pin": pin, "x": {"card": card}}], "card": card})
    odd = pod("odd", metadata={"labels": {"pin": pin, "app": "web"}}) | {"spec": {"nodeName": card, "containers": []}}
    whole = pod("whole", metadata={"annotations": {"scheduling.koordinator.sh/device-allocated": told}})
    found = {"pods": [odd, whole], "nodes": [node("n1", **{"nvidia.com/gpu": "4"})]}
    objects = Anonymizer(b"key").objects(cluster_objects(found, taken_at=0.0))
    text = str(objects.lines)
    assert str(card) not in text
    assert str(pin) not in text
    by_problem = {bool(one.problem): one for one in objects.snapshot().pods}
    assert [share.index for share in by_problem[False].gpu_statements[0].shares] == [1]
    assert by_problem[True].problem


def test_a_recording_that_somebody_else_wrote_is_cleaned_too() -> None:
    planter = Planter()
    line = json.dumps(
        pod("a")
        | {"spec": {"containers": [container() | {"args": [planter.secret("args")]}], "x": planter.secret("x")}}
    )
    objects = cluster_objects({"pods": []}, taken_at=0.0)
    raw = type(objects)(0.0, {"pods": (line.encode(),)})
    assert not planter.found_in(str(Anonymizer(b"k").objects(raw).lines))
