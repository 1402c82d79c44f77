"""Which jobs requeue refuses, and the twin that it moves: from objects as the API has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from builders import NOW, cluster, node, pod
from descheduler.execution.executors.registry import choose
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import KINDS
from descheduler.model.owners import OwnerRef
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot, Freshness
from descheduler.model.workloads import Workload

Object = dict[str, Any]
KUEUE, JOBS, UNIT = "kueue.x-k8s.io/Workload", "jobs", "scheduling.x-k8s.io/QueueUnit"


def of(key: str, name: str, above: Object | None = None, **fields: Any) -> Object:
    """An object as a list of that kind has it; `above` controls it."""
    kind = KINDS[key]
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}", **fields.pop("metadata", {})}
    if above is not None:
        meta["ownerReferences"] = [_reference(above)]
    api_version = f"{kind.group}/{kind.versions[0]}"
    return {"apiVersion": api_version, "kind": kind.name, "metadata": meta, "spec": {}, "status": {}, **fields}


def _reference(found: Object) -> Object:
    meta = found["metadata"]
    own = {"apiVersion": found["apiVersion"], "kind": found["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {**own, "controller": True}


def read(found: Object) -> Any:
    kind = next(
        k for k in KINDS.values() if (k.name, found["apiVersion"].rpartition("/")[0]) == (found["kind"], k.group)
    )
    wire = msgspec.json.decode(msgspec.json.encode(found), type=kind.wire)
    return kind.at(found["apiVersion"].rpartition("/")[2]).converter()(wire, Interner())


def world(*objects: Object, below: Object, found: Pod | None = None, **rest: Any) -> ClusterSnapshot:
    own = _reference(below)
    owner = OwnerRef(own["apiVersion"], own["kind"], own["name"], own["uid"], controller=True)
    made = [read(one) for one in objects]
    return cluster(
        [node("n1")],
        [found or pod("train-0", node="n1", owners=(owner,))],
        workloads=[one for one in made if isinstance(one, Workload)],
        objects=[one for one in made if not isinstance(one, Workload)],
        **rest,
    )


def against(snapshot: ClusterSnapshot) -> str:
    refuses = choose("requeue").filter(snapshot)
    assert refuses is not None
    blocked = refuses(snapshot.pods[0])
    return "" if blocked is None else blocked.detail


def conditions(**of_type: bool) -> Object:
    return {"conditions": [{"type": kind, "status": "True" if so else "False"} for kind, so in of_type.items()]}


def merged(found: Object, change: Mapping[str, Any]) -> Object:
    return {key: {**found[key], **change[key]} if key in change else value for key, value in found.items()}


def queue_unit(job: Object, phase: str, name: str = "unit") -> Object:
    meta = job["metadata"]
    consumer = {"apiVersion": job["apiVersion"], "kind": job["kind"], "namespace": "default", "name": meta["name"]}
    return of(UNIT, name, spec={"consumerRef": consumer, "priority": 5}, status={"phase": phase})


NIGHTLY = {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "CronJob", "metadata": {"name": "nightly", "uid": "n"}}
JOB = of(JOBS, "train", spec={"suspend": False, "managedBy": "kubernetes.io/job-controller"})
JOB_SET = of("jobset.x-k8s.io/JobSet", "set")
TRAIN_JOB = of("trainer.kubeflow.org/TrainJob", "fine-tune")
QUEUED = {"labels": {"kueue.x-k8s.io/queue-name": "team"}}
ADMITTED = of(KUEUE, "job-train", above=JOB, spec={"podSets": [{"count": 1}]}, status=conditions(Admitted=True))
VOLCANO = of(
    "batch.volcano.sh/Job",
    "mpi",
    spec={"minAvailable": 3, "tasks": [{"name": "worker", "replicas": 3}]},
    status={"state": {"phase": "Running"}, "minAvailable": 3, "running": 3},
)
TF = of("kubeflow.org/TFJob", "tf")
RAY = of("ray.io/RayJob", "ray", spec={"shutdownAfterJobFinishes": True}, status={"jobDeploymentStatus": "Running"})


@pytest.mark.parametrize(
    "objects",
    [
        (JOB,),
        (of(JOBS, "plain"),),
        (of(JOBS, "train", above=of("cronjobs", "nightly")), of("cronjobs", "nightly")),
        (of(JOBS, "train", above=JOB_SET), JOB_SET),
        (of(JOBS, "train", above=JOB_SET), {**of("jobset.x-k8s.io/JobSet", "set", above=TRAIN_JOB)}, TRAIN_JOB),
        (of("kubeflow.org/PyTorchJob", "pt"),),
        (of("kubeflow.org/TFJob", "tf", spec={"runPolicy": {"suspend": False}}),),
        (of("kubeflow.org/MPIJob", "mpi", spec={"runPolicy": {"managedBy": "kubeflow.org/mpi-operator"}}),),
        (RAY,),
        (of("ray.io/RayCluster", "c", above=RAY), RAY),
        (merged(JOB, {"metadata": QUEUED}), ADMITTED),
        (VOLCANO,),
        (of("batch.volcano.sh/Job", "mpi", above=NIGHTLY, status=VOLCANO["status"]),),
        (JOB, queue_unit(JOB, "Dequeued")),
        (JOB, queue_unit(of(JOBS, "another"), "Enqueued")),
        (JOB, queue_unit(merged(VOLCANO, {"metadata": {"name": "train"}}), "Enqueued")),
        (TF, queue_unit(JOB, "Enqueued")),
    ],
    ids=lambda objects: "/".join(one["kind"] for one in objects),
)
def test_what_somebody_can_stop_and_start_may_be_moved(objects: tuple[Object, ...]) -> None:
    assert against(world(*objects, below=objects[0])) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"spec": {"suspend": True}}, "somebody has stopped it"),
        ({"spec": {"managedBy": "kueue.x-k8s.io/multikueue"}}, "run by kueue.x-k8s.io/multikueue"),
        ({"metadata": {"annotations": {"kueue.x-k8s.io/elastic-job": "true"}}}, "elastic job"),
        ({"metadata": {"annotations": {"scheduling.x-k8s.io/suspend": "false"}}}, "kube-queue"),
        ({"metadata": QUEUED}, "its Workload is not known"),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, "being deleted"),
        ({"metadata": {"labels": {"rebalance.descheduler.dev/requeue": "x"}}}, "started again already"),
        ({"status": conditions(Complete=True)}, "it has ended"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_job_that_is_stopped_over_or_anothers_is_left_alone(change: Object, told: str) -> None:
    assert told in against(world(merged(JOB, change), below=JOB))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"spec": {"active": False}}, "somebody has stopped it"),
        ({"status": conditions(Admitted=False)}, "has not admitted it"),
        ({"status": {"conditions": []}}, "has not admitted it"),
        ({"status": conditions(Admitted=True, Evicted=True)}, "evicting it"),
        ({"status": conditions(Admitted=True, Evicted=False)}, ""),
        ({"status": conditions(Admitted=True, DeactivationTarget=True)}, "deactivate"),
        ({"metadata": {"labels": {"kueue.x-k8s.io/multikueue-origin": "m"}}}, "another cluster's Kueue"),
        ({"metadata": {"annotations": {"kueue.x-k8s.io/workload-slice-name": "s"}}}, "elastic job"),
        ({"spec": {"active": True}}, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_workload_of_kueue_is_stopped_only_while_it_runs(change: Object, told: str) -> None:
    found = against(world(JOB, merged(ADMITTED, change), below=JOB))
    assert told in found
    assert bool(told) == bool(found)


def test_what_kueue_queues_pod_by_pod_is_made_by_nobody_again() -> None:
    (found,) = world(JOB, below=JOB).pods
    grouped = pod("p", node="n1", owners=found.owners, labels={"kueue.x-k8s.io/pod-group-name": "g"})
    assert "plain pod" in against(world(JOB, below=JOB, found=grouped))


def test_where_workloads_cannot_be_read_nothing_is_stopped() -> None:
    failed = {KUEUE: Freshness(KUEUE, NOW, synced=False, error="forbidden")}
    assert "cannot be read" in against(world(JOB, below=JOB, freshness=failed))
    absent = {KUEUE: Freshness(KUEUE, NOW, served=False)}
    assert against(world(JOB, below=JOB, freshness=absent)) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"spec": {"shutdownAfterJobFinishes": False}}, "shutdownAfterJobFinishes"),
        ({"spec": {"clusterSelector": {"ray.io/cluster": "c"}}}, "not its own"),
        ({"status": {"jobDeploymentStatus": "Complete"}}, "suspends only what runs"),
        ({"status": {"jobDeploymentStatus": "Initializing"}}, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_kuberay_suspends_some_jobs_only(change: Object, told: str) -> None:
    found = against(world(merged(RAY, change), below=RAY))
    assert told in found
    assert bool(told) == bool(found)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"status": {"state": {"phase": "Restarting"}}}, "it is Restarting"),
        ({"status": {"state": {"phase": "Aborted"}}}, "it is Aborted"),
        ({"status": {"state": None}}, "it is of no phase"),
        ({"status": {"succeeded": 1}}, "have ended"),
        ({"status": {"failed": 1}}, "have ended"),
        ({"status": {"succeeded": 0, "retryCount": 1}}, ""),
        ({"status": {"retryCount": 2}}, "its last one"),
        ({"spec": {"maxRetry": 1}}, "its last one"),
        ({"spec": {"maxRetry": 9}, "status": {"retryCount": 2}}, ""),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, "being deleted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_volcano_restarts_what_loses_nothing_else_by_it(change: Object, told: str) -> None:
    found = against(world(merged(VOLCANO, change), below=VOLCANO))
    assert told in found
    assert bool(told) == bool(found)


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        ((JOB, queue_unit(JOB, "Enqueued")), "kube-queue has not let it go: it is Enqueued"),
        ((JOB, queue_unit(JOB, "")), "it is of no phase"),
        ((JOB, queue_unit(JOB, "Dequeued", "a"), queue_unit(JOB, "Dequeued", "b")), "several QueueUnits"),
        ((TF, queue_unit(TF, "Dequeued")), "by an annotation"),
        ((VOLCANO, queue_unit(VOLCANO, "Dequeued")), "by an annotation"),
        (
            (JOB, merged(queue_unit(JOB, "Enqueued"), {"spec": {"consumerRef": {"kind": "Job", "name": "train"}}})),
            "not",
        ),
    ],
)
def test_what_kube_queue_would_not_start_is_left_alone(objects: tuple[Object, ...], told: str) -> None:
    assert told in against(world(*objects, below=objects[0]))


def test_where_queue_units_cannot_be_read_nothing_that_they_may_hold_is_stopped() -> None:
    failed = {UNIT: Freshness(UNIT, NOW, synced=False, error="forbidden")}
    assert "cannot be read" in against(world(JOB, below=JOB, freshness=failed))
    unserved = {UNIT: Freshness(UNIT, NOW, synced=False, served=False)}
    assert against(world(JOB, below=JOB, freshness=unserved)) == ""
    admitted = (merged(JOB, {"metadata": QUEUED}), ADMITTED)
    assert against(world(*admitted, below=JOB, freshness=failed)) == ""  # it goes by its Workload


def test_other_owners_are_refused_with_the_reason() -> None:
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w", "uid": "uid-w"}}
    owned = of(JOBS, "train", above=workflow)
    assert "Workflow w owns its job" in against(world(owned, below=owned))
    replica_set = of("replicasets", "web")
    assert "nothing stops a ReplicaSet" in against(world(replica_set, below=replica_set))
    assert "is not known" in against(world(below=JOB))
