"""Each way of saying that pods belong together: who is in, how many are needed, how it may be disrupted."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from builders import owner, pod, workload
from descheduler.gangs import resolve
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Pod
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import Freshness
from descheduler.model.units import Consequence, DisruptionMode
from descheduler.model.workloads import Workload
from gang_builders import GROUP_LABEL, core_group, custom, group, job_owner, members, only_unit, snap

WHOLE, PER_POD = DisruptionMode.WHOLE, DisruptionMode.PER_POD
ALONE, RESTARTS = Consequence.RESCHEDULED, Consequence.GROUP_RESTARTS
KOORD, KOORD_LABEL = "gang.scheduling.koordinator.sh", "pod-group.scheduling.sigs.k8s.io"


def koordinator(minimum: int = 3, **annotations: str) -> CustomObject:
    marks = {f"{KOORD}/{k.replace('_', '-')}": v for k, v in annotations.items()}
    return custom("scheduling.sigs.k8s.io/v1alpha1", "PodGroup", "g", {"minMember": minimum}, annotations=marks)


def volcano(**spec: Json) -> CustomObject:
    return custom("scheduling.volcano.sh/v1beta1", "PodGroup", "g", spec)


def training(kind: str, specs: str, **run: Json) -> CustomObject:
    replicas: Json = {"Master": {"replicas": 1}, "Worker": {"replicas": 2}}
    return custom("kubeflow.org/v1", kind, "g", {specs: replicas, **run})


def lws(**template: Json) -> CustomObject:
    return custom("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "g", {"leaderWorkerTemplate": template})


def ray(*groups: dict[str, Json]) -> CustomObject:
    return custom("ray.io/v1", "RayCluster", "g", {"workerGroupSpecs": list(groups)})


def jobset(**spec: Json) -> CustomObject:
    jobs: Json = [{"name": "w", "replicas": 1, "template": {"spec": {"parallelism": 3, "completions": 3}}}]
    return custom("jobset.x-k8s.io/v1alpha2", "JobSet", "g", {"replicatedJobs": jobs, **spec})


def job(name: str = "g-w-0", **rest: object) -> Workload:
    return workload("Job", name, 3, api_version="batch/v1", **{"backoff_limit": 6, **rest})


KUEUE = custom(
    "kueue.x-k8s.io/v1beta2",
    "Workload",
    "job-g",
    {"podSets": [{"name": "main", "count": 3}]},
    owners=[job_owner("g")],
)
KUEUE_GROUP = custom("kueue.x-k8s.io/v1beta2", "Workload", "g", {"podSets": [{"count": 3}]})
VC_JOB = custom("batch.volcano.sh/v1alpha1", "Job", "g", {"minAvailable": 3, "tasks": [{"replicas": 3}]})
SPARK = {"spark-app-selector": "app"}


@dataclass(frozen=True)
class Row:
    """One dialect in one shape: three pods unless said otherwise."""

    pods: list[Pod]
    objects: list[CustomObject]
    name: str
    minimum: int = 3
    mode: DisruptionMode = WHOLE
    consequence: Consequence = ALONE
    workloads: list[Workload] = field(default_factory=list)


CHAIN = [job(owners=(owner("JobSet", "g", "jobset.x-k8s.io/v1alpha2"),))]
ROWS = {
    "core, 1.36, unset": Row(members(3, pod_group="g"), [core_group("g", 3)], "kubernetes:default/g"),
    "core, 1.36, Pod": Row(members(3, pod_group="g"), [core_group("g", 2, "Pod")], "kubernetes:default/g", 2, PER_POD),
    "core, 1.36, PodGroup": Row(members(3, pod_group="g"), [core_group("g", 2, "PodGroup")], "kubernetes:default/g", 2),
    "core, 1.37, single": Row(
        members(3, pod_group="g"), [core_group("g", 2, {"single": {}})], "kubernetes:default/g", 2, PER_POD
    ),
    "core, 1.37, all": Row(members(3, pod_group="g"), [core_group("g", 2, {"all": {}})], "kubernetes:default/g", 2),
    "core, basic but whole": Row(
        members(3, pod_group="g"),
        [
            custom(
                "scheduling.k8s.io/v1beta1",
                "PodGroup",
                "g",
                {"schedulingPolicy": {"basic": {}}, "disruptionMode": {"all": {}}},
            )
        ],
        "kubernetes:default/g",
        0,
    ),
    "scheduler-plugins": Row(members(3, labels={GROUP_LABEL: "g"}), [group("g", 3)], "scheduler-plugins:default/g"),
    "scheduler-plugins, minimum of one": Row(
        members(3, labels={GROUP_LABEL: "g"}), [group("g", 1)], "scheduler-plugins:default/g", 1, PER_POD
    ),
    "Koordinator by object": Row(members(3, labels={KOORD_LABEL: "g"}), [koordinator()], "koordinator:default/g"),
    "Koordinator by object, only-waiting": Row(
        members(3, labels={KOORD_LABEL: "g"}),
        [koordinator(1, match_policy="only-waiting")],
        "koordinator:default/g",
        1,
        WHOLE,
        RESTARTS,
    ),
    "Koordinator by annotations": Row(
        members(3, annotations={f"{KOORD}/name": "g", f"{KOORD}/min-available": "3"}), [], "koordinator:default/g"
    ),
    "Koordinator by annotations, waiting-and-running": Row(
        members(
            3,
            annotations={
                f"{KOORD}/name": "g",
                f"{KOORD}/min-available": "2",
                f"{KOORD}/match-policy": "waiting-and-running",
            },
        ),
        [],
        "koordinator:default/g",
        2,
    ),
    "Koordinator by labels": Row(
        members(3, labels={f"{KOORD_LABEL}/name": "g", f"{KOORD_LABEL}/min-available": "3"}),
        [],
        "koordinator:default/g",
    ),
    "Volcano": Row(
        members(3, annotations={"scheduling.k8s.io/group-name": "g"}), [volcano(minMember=3)], "volcano:default/g"
    ),
    "Volcano, new key": Row(
        members(3, annotations={"scheduling.volcano.sh/group-name": "g"}), [volcano(minMember=3)], "volcano:default/g"
    ),
    "Volcano, made for a Deployment": Row(
        members(3, annotations={"scheduling.k8s.io/group-name": "g"}),
        [volcano(minMember=1)],
        "volcano:default/g",
        1,
        PER_POD,
    ),
    "Volcano, disruption budget": Row(
        members(4, annotations={"scheduling.k8s.io/group-name": "g", "volcano.sh/jdb-max-unavailable": "25%"}),
        [volcano(minMember=2)],
        "volcano:default/g",
        3,
    ),
    "KAI": Row(
        members(3, annotations={"pod-group-name": "g"}),
        [custom("scheduling.run.ai/v2alpha2", "PodGroup", "g", {"minMember": 3})],
        "kai:default/g",
        consequence=Consequence.KILLED_AFTER_GRACE,
    ),
    "KAI, with slack": Row(
        members(3, annotations={"pod-group-name": "g"}),
        [custom("scheduling.run.ai/v2alpha2", "PodGroup", "g", {"minMember": 2})],
        "kai:default/g",
        2,
    ),
    "KAI, sub-groups": Row(
        members(3, annotations={"pod-group-name": "g"}),
        [custom("scheduling.run.ai/v2alpha2", "PodGroup", "g", {"subGroups": [{"minMember": 1}, {"minMember": 1}]})],
        "kai:default/g",
        2,
        consequence=Consequence.KILLED_AFTER_GRACE,
    ),
    "Kueue pod group, bare pods": Row(
        members(
            3,
            labels={"kueue.x-k8s.io/pod-group-name": "g"},
            annotations={"kueue.x-k8s.io/pod-group-total-count": "3"},
            owners=(),
        ),
        [KUEUE_GROUP],
        "kueue:default/g",
        consequence=Consequence.LOST,
    ),
    "Kueue pod group of a controller": Row(
        members(
            3,
            labels={"kueue.x-k8s.io/pod-group-name": "g"},
            annotations={"kueue.x-k8s.io/pod-group-total-count": "3"},
        ),
        [KUEUE_GROUP],
        "kueue:default/g",
    ),
    "Kueue Workload of a Job": Row(
        members(3, owners=[job_owner("g")]),
        [KUEUE],
        "kueue:default/job-g",
        consequence=Consequence.COUNTED,
        workloads=[job("g")],
    ),
    "Kueue Workload by annotation": Row(
        members(3, annotations={"kueue.x-k8s.io/workload": "g"}), [KUEUE_GROUP], "kueue:default/g"
    ),
    "JobSet by label": Row(
        members(3, labels={"jobset.sigs.k8s.io/jobset-name": "g"}, owners=[job_owner("g-w-0")]),
        [jobset()],
        "jobset:default/g",
        consequence=Consequence.COUNTED,
        workloads=CHAIN,
    ),
    "JobSet by owners": Row(
        members(3, owners=[job_owner("g-w-0")]),
        [jobset()],
        "jobset:default/g",
        consequence=Consequence.COUNTED,
        workloads=CHAIN,
    ),
    "LeaderWorkerSet": Row(
        members(
            3,
            labels={"leaderworkerset.sigs.k8s.io/name": "g", "leaderworkerset.sigs.k8s.io/group-index": "0"},
        ),
        [lws(size=3)],
        "leaderworkerset:default/g-0",
        consequence=RESTARTS,
    ),
    "LeaderWorkerSet that restarts nothing": Row(
        members(
            3,
            labels={"leaderworkerset.sigs.k8s.io/name": "g", "leaderworkerset.sigs.k8s.io/group-index": "0"},
        ),
        [lws(size=3, restartPolicy="None")],
        "leaderworkerset:default/g-0",
    ),
    **{
        kind: Row(
            members(3, owners=[owner(kind, "g", "kubeflow.org/v1")]),
            [training(kind, specs)],
            f"kubeflow:default/{kind}/g",
            consequence=RESTARTS,
        )
        for kind, specs in {
            "PyTorchJob": "pytorchReplicaSpecs",
            "TFJob": "tfReplicaSpecs",
            "MPIJob": "mpiReplicaSpecs",
            "XGBoostJob": "xgbReplicaSpecs",
            "PaddleJob": "paddleReplicaSpecs",
            "JAXJob": "jaxReplicaSpecs",
        }.items()
    },
    "training job by label": Row(
        members(3, labels={"training.kubeflow.org/job-name": "g"}),
        [training("TFJob", "tfReplicaSpecs", runPolicy={"schedulingPolicy": {"minAvailable": 2}})],
        "kubeflow:default/TFJob/g",
        2,
        consequence=RESTARTS,
    ),
    "elastic PyTorchJob": Row(
        members(3, owners=[owner("PyTorchJob", "g", "kubeflow.org/v1")]),
        [training("PyTorchJob", "pytorchReplicaSpecs", elasticPolicy={"minReplicas": 2})],
        "kubeflow:default/PyTorchJob/g",
        2,
        PER_POD,
    ),
    "RayCluster": Row(
        members(3, labels={"ray.io/cluster": "g", "ray.io/group": "gpu"}),
        [ray({"groupName": "gpu", "minReplicas": 1})],
        "ray:default/g",
        2,
        PER_POD,
    ),
    "RayCluster, gang-scheduled": Row(
        members(3, labels={"ray.io/cluster": "g", "ray.io/gang-scheduling-enabled": "true"}),
        [ray({"groupName": "gpu", "minReplicas": 2})],
        "ray:default/g",
    ),
    "Ray replica of several hosts": Row(
        members(
            3,
            labels={"ray.io/cluster": "g", "ray.io/group": "tpu", "ray.io/worker-group-replica-name": "tpu-0"},
        ),
        [ray({"groupName": "tpu", "numOfHosts": 3})],
        "ray:default/g/tpu-0",
        consequence=RESTARTS,
    ),
    "Volcano Job": Row(
        members(3, owners=[owner("Job", "g", "batch.volcano.sh/v1alpha1")]), [VC_JOB], "volcano-job:default/g"
    ),
    "Spark": Row(
        [
            pod("driver", node="n1", labels={**SPARK, "spark-role": "driver"}, owners=()),
            *members(2, labels={**SPARK, "spark-role": "executor"}, owners=[owner("Pod", "driver", "v1")]),
        ],
        [],
        "spark:default/app",
        1,
        PER_POD,
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_every_dialect_resolves_to_one_unit(row: Row) -> None:
    unit = only_unit(row.pods, row.objects, workloads=row.workloads)
    assert (unit.name, unit.min_available, unit.mode, unit.consequence, unit.blocked) == (
        row.name,
        row.minimum,
        row.mode,
        row.consequence,
        None,
    )
    assert unit.members == unit.amplified == tuple(range(len(row.pods)))
    assert unit.alive == len(row.pods)


@pytest.mark.parametrize("row", [r for r in ROWS.values() if r.objects], ids=[k for k, r in ROWS.items() if r.objects])
def test_without_its_object_no_gang_moves(row: Row) -> None:
    units = resolve(snap(row.pods, [], workloads=row.workloads))
    if row.name == "kueue:default/job-g":  # only the Workload's owner tells that Kueue queues the Job
        assert units.gangs == ()
        return
    assert [u.blocked and u.blocked.reason for u in units.gangs] == [Reason.GANG_UNKNOWN]


def test_a_kind_that_is_not_synced_leaves_its_gangs_unknown() -> None:
    freshness = {"scheduling.x-k8s.io/PodGroup": Freshness("PodGroup", 0.0, synced=False, error="forbidden")}
    unit = only_unit(members(3, labels={GROUP_LABEL: "g"}), [group("g", 3)], freshness=freshness)
    assert unit.blocked is not None
    assert (unit.blocked.reason, unit.blocked.detail) == (Reason.GANG_UNKNOWN, "forbidden")


def test_trainjob_and_its_jobset_are_one_unit() -> None:
    above = custom("trainer.kubeflow.org/v1alpha1", "TrainJob", "t")
    owned = custom(
        "jobset.x-k8s.io/v1alpha2",
        "JobSet",
        "g",
        {"replicatedJobs": [{"replicas": 1, "template": {"spec": {"parallelism": 3}}}]},
        owners=[owner("TrainJob", "t", "trainer.kubeflow.org/v1alpha1")],
    )
    unit = only_unit(members(3, owners=[job_owner("g-w-0")]), [above, owned], workloads=CHAIN)
    assert (unit.dialects, unit.min_available) == (("jobset", "trainjob"), 3)


def test_a_basic_core_group_is_no_gang() -> None:
    found = custom("scheduling.k8s.io/v1alpha2", "PodGroup", "g", {"schedulingPolicy": {"basic": {}}})
    assert resolve(snap(members(3, pod_group="g"), [found])).gangs == ()


AMBIGUOUS = {
    "core, both policies": (
        members(2, pod_group="g"),
        custom("scheduling.k8s.io/v1alpha2", "PodGroup", "g", {"schedulingPolicy": {"basic": {}, "gang": {}}}),
    ),
    "core, no policy": (members(2, pod_group="g"), custom("scheduling.k8s.io/v1alpha2", "PodGroup", "g")),
    "core, unknown mode": (members(2, pod_group="g"), core_group("g", 2, "Sometimes")),
    "core, two modes": (members(2, pod_group="g"), core_group("g", 2, {"single": {}, "all": {}})),
    "scheduler-plugins, no minimum": (
        members(2, labels={GROUP_LABEL: "g"}),
        custom("scheduling.x-k8s.io/v1alpha1", "PodGroup", "g", {"minMember": True}),
    ),
    "Koordinator, pods disagree": (
        [
            pod(f"w-{n}", node="n1", annotations={f"{KOORD}/name": "g", f"{KOORD}/min-available": str(n)})
            for n in (2, 3)
        ],
        koordinator(),
    ),
    "Koordinator, unknown policy": (members(2, labels={KOORD_LABEL: "g"}), koordinator(match_policy="never")),
    "Koordinator, broken bundle": (members(2, labels={KOORD_LABEL: "g"}), koordinator(groups="default/h")),
    "Volcano, no minimum": (members(2, annotations={"scheduling.k8s.io/group-name": "g"}), volcano()),
    "Kueue, counts disagree": (
        [
            pod(
                f"w-{n}",
                node="n1",
                labels={"kueue.x-k8s.io/pod-group-name": "g"},
                annotations={"kueue.x-k8s.io/pod-group-total-count": str(n)},
            )
            for n in (2, 3)
        ],
        KUEUE_GROUP,
    ),
    "LeaderWorkerSet, no index": (members(2, labels={"leaderworkerset.sigs.k8s.io/name": "g"}), lws(size=2)),
}


@pytest.mark.parametrize(("pods", "found"), AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_contradictory_gangs_are_ambiguous(pods: list[Pod], found: CustomObject) -> None:
    blocked = only_unit(pods, [found]).blocked
    assert blocked is not None
    assert blocked.reason is Reason.GANG_AMBIGUOUS
    assert blocked.detail


def test_training_jobs_of_two_kinds_with_one_name_are_ambiguous_by_label_alone() -> None:
    objects = [training("TFJob", "tfReplicaSpecs"), training("PyTorchJob", "pytorchReplicaSpecs")]
    unit = only_unit(members(3, labels={"training.kubeflow.org/job-name": "g"}), objects)
    assert unit.blocked is not None
    assert unit.blocked.reason is Reason.GANG_AMBIGUOUS


def test_a_job_is_no_gang_by_itself() -> None:
    """Neither parallelism nor Indexed completion makes one."""
    pods = members(3, owners=[job_owner("g")])
    units = resolve(snap(pods, workloads=[job("g")]))
    assert units.gangs == ()
    assert units.of(0).consequence is Consequence.COUNTED


def test_leader_worker_set_has_a_gang_for_each_leader() -> None:
    marks = "leaderworkerset.sigs.k8s.io"
    pods = [
        pod(f"g-{g}-{w}", node="n1", labels={f"{marks}/name": "g", f"{marks}/group-index": str(g)})
        for g in range(2)
        for w in range(2)
    ]
    units = resolve(snap(pods, [lws(size=2)]))
    assert [u.name for u in units.gangs] == ["leaderworkerset:default/g-0", "leaderworkerset:default/g-1"]


def test_kueue_pod_without_a_workload_is_unknown() -> None:
    unit = only_unit(members(1, labels={"kueue.x-k8s.io/managed": "true"}), [KUEUE_GROUP])
    assert unit.blocked is not None
    assert unit.blocked.reason is Reason.GANG_UNKNOWN


def test_a_volcano_job_is_not_taken_for_a_batch_job_of_that_name() -> None:
    pods = members(3, owners=[owner("Job", "g", "batch.volcano.sh/v1alpha1")])
    unit = only_unit(pods, [VC_JOB], workloads=[job("g", failed=6)])
    assert (unit.consequence, unit.blocked) == (ALONE, None)
