"""Which owners make a pod again that is taken from them: a table by API group and kind. All of it is data.

Only the nearest controller counts: a Job of an Argo Workflow makes its pods again, the Workflow itself does not. An
owner that is neither here nor in the policy (`protections.recreatingOwners`) is believed to if its pod restarts always,
as a service does; one whose pod runs once (`restartPolicy` Never or OnFailure) would lose work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from descheduler.model.workloads import OwnerRef

AGAIN: Mapping[str, tuple[str, ...]] = {
    # Kubernetes. Flink's TaskManagers belong to the Deployment of their JobManager, which asks for lost ones again.
    "": ("ReplicationController",),
    "apps": ("ReplicaSet", "StatefulSet", "DaemonSet", "Deployment"),
    "extensions": ("ReplicaSet", "DaemonSet", "Deployment"),
    "batch": ("Job",),
    # workloads beyond the built-in ones
    "argoproj.io": ("Rollout",),
    "apps.kruise.io": ("CloneSet", "StatefulSet", "DaemonSet"),
    "apps.openshift.io": ("DeploymentConfig",),
    "apps.pingcap.com": ("StatefulSet",),
    "leaderworkerset.x-k8s.io": ("LeaderWorkerSet",),
    "jobset.x-k8s.io": ("JobSet",),
    "grove.io": ("PodClique",),
    "orchestration.aibrix.ai": ("RoleSet", "PodSet", "StormService"),
    "workloads.kubeblocks.io": ("InstanceSet",),
    # training and batch: what their policies make of a failure is the dialects' word (gangs/dialects)
    "kubeflow.org": ("PyTorchJob", "TFJob", "MPIJob", "MXJob", "XGBoostJob", "PaddleJob", "JAXJob"),
    "trainer.kubeflow.org": ("TrainJob",),
    "batch.volcano.sh": ("Job",),
    "ray.io": ("RayCluster", "RayJob", "RayService"),
    "slinky.slurm.net": ("NodeSet",),
    # virtual machines: moved by migration, or started again
    "kubevirt.io": ("VirtualMachineInstance",),
    # pods of other clusters
    "offloading.liqo.io": ("ShadowPod",),
    "multicluster.admiralty.io": ("PodChaperon",),
    # operators that own pods themselves
    "serving.knative.dev": ("Revision",),
    "core.strimzi.io": ("StrimziPodSet",),
    "postgresql.cnpg.io": ("Cluster",),
    "numaflow.numaproj.io": ("Vertex", "MonoVertex"),
    "operators.coreos.com": ("CatalogSource",),
}

ONCE: Mapping[str, tuple[str, ...]] = {
    "argoproj.io": ("Workflow",),  # a step that is lost fails, unless its author wrote a retryStrategy
    "tekton.dev": ("TaskRun", "PipelineRun"),
    "build.openshift.io": ("Build",),
    "actions.github.com": ("EphemeralRunner",),  # actions-runner-controller: the job it runs is lost
    "actions.summerwind.dev": ("Runner",),  # its predecessor
    "flyte.lyft.com": ("FlyteWorkflow", "flyteworkflow"),
    "sparkoperator.k8s.io": ("SparkApplication", "SparkConnect"),  # drivers
    "spark.apache.org": ("SparkApplication",),
    "apps.kruise.io": ("BroadcastJob",),
    "velero.io": ("DataUpload", "DataDownload", "PodVolumeBackup", "PodVolumeRestore"),
    "agones.dev": ("GameServer",),  # a fleet starts another, whose players are new
    "longhorn.io": ("InstanceManager",),  # volumes run in it
}

AGAIN_IF: Mapping[str, str] = {"spark-role": "executor"}
"""Labels of pods that whoever owns them makes again, though it is a pod itself: a Spark driver asks for lost executors
(apache/spark ExecutorPodsAllocator)."""


class Makers:
    """The table, and what the policy adds to it ("group/Kind", of the core group "Kind")."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        added = {(group, kind) for group, _, kind in (one.rpartition("/") for one in more)}
        self._again = {(group, kind) for group, kinds in AGAIN.items() for kind in kinds} | added
        self._once = {(group, kind) for group, kinds in ONCE.items() for kind in kinds} - added

    def known(self, owner: OwnerRef) -> bool | None:
        """Whether the owner makes its pods again; None when nobody has told."""
        key = (owner.group, owner.kind)
        if key in self._again:
            return True
        return False if key in self._once else None
