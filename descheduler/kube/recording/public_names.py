"""The vocabulary that a recording without names keeps: finite lists of what is the same in every cluster and decides
something. A key, value or word that stands in none of them becomes a pseudonym, whatever it looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from descheduler.kube.convert.kinds import KINDS
from descheduler.kube.convert.node_marks import (
    LEAVING_ANNOTATIONS,
    LEAVING_CONDITIONS,
    LEAVING_LABELS,
    LEAVING_TAINTS,
    VIRTUAL_LABELS,
    VIRTUAL_TAINTS,
)
from descheduler.model.extended_resources import IMPLICIT


def words(text: str) -> frozenset[str]:
    """What stands between blanks."""
    return frozenset(text.split())


def _named(by_domain: Mapping[str, str]) -> frozenset[str]:
    found = ((domain, name) for domain, names in by_domain.items() for name in names.split())
    return frozenset(f"{domain}/{name}" if domain else name for domain, name in found)


WORDS = words("claim default kube system node public lease cluster critical scheduler gpu GPU mig MIG rdma fpga pods")
"""Kept wherever they are a word of a name: names that are made of names stay made of their pseudonyms."""

_CACHES = product(
    ("alluxio", "jindofs", "juicefs", "efc", "thin", "vineyard"), ("master", "worker", "fuse", "fuse-client")
)
_SAID = """
true false none any 0.0.0.0 :: api file http head driver executor spot linux windows amd64 arm64
koord-scheduler volcano kai-scheduler volcano-scheduler descheduler descheduler-directed-landing fluid fluid-system
koordinator-system koordinator-default-quota koordinator-root-quota koordinator-system-quota
kai-resource-reservation runai-reservation
dataload-pod datamigrate-pod dataprocess-pod once-satisfied only-waiting waiting-and-running
LSE LSR LS BE SYSTEM Honor Prefer DELETE UPDATE EVICT RESIZE
time-slicing mps single mixed spx dpx tpx qpx cpx cpx_nps4 spx_nps1
"""
_DRIVERS = """
kubernetes.io/job-controller kueue.x-k8s.io/multikueue kubernetes.io/no-provisioner
ebs.csi.aws.com efs.csi.aws.com fsx.csi.aws.com disk.csi.azure.com file.csi.azure.com cinder.csi.openstack.org
pd.csi.storage.gke.io filestore.csi.storage.gke.io pxd.portworx.com csi.vsphere.vmware.com
rancher.io/local-path driver.longhorn.io kubernetes.io/aws-ebs kubernetes.io/azure-disk kubernetes.io/azure-file
kubernetes.io/cinder kubernetes.io/gce-pd kubernetes.io/portworx-volume kubernetes.io/vsphere-volume
gpu.nvidia.com mig.nvidia.com compute-domain.nvidia.com gpu.amd.com gpu.intel.com
"""
VALUES = words(_SAID + _DRIVERS) | {
    *(f"{cache}-{role}" for cache, role in _CACHES),
    *(value for values in VIRTUAL_LABELS.values() for value in values if value),
}
"""Kept as a whole value, or as a whole part of one between separators."""

_SELECTORS = """
device device.driver device.attributes device.capacity has quantity compareTo type gpu mig vgpu memory true false
productName profile uuid index minor .type
"""
SELECTOR_WORDS = words(_SELECTORS + _DRIVERS) | {str(n) for n in range(17)} | {f"{2**n}Gi" for n in range(10)}
"""Of selectors of devices that stay whole."""

_KEYS_BY_DOMAIN: Mapping[str, str] = {
    "": """app component tier version release chart heritage role type name job-name k8s-app pod-template-hash
        controller-revision-hash pod-template-generation controller-uid rollouts-pod-template-hash virtualization
        vpaObservedContainers vpaUpdates pod-group-name gpu-fraction gpu-fraction-num-devices gpu-memory runai-gpu-group
        ALIYUN_COM_GPU_MEM_IDX ALIYUN_COM_GPU_MEM_POD ALIYUN_COM_GPU_MEM_DEV spark-app-selector spark-role
        scheduler.framework.gpushare.allocation pod-group.scheduling.sigs.k8s.io metadata.name""",
    "kubernetes.io": "hostname os arch metadata.name config.mirror config.source",
    "beta.kubernetes.io": "os arch instance-type",
    "node.kubernetes.io": """instance-type unschedulable not-ready unreachable memory-pressure disk-pressure
        pid-pressure network-unavailable""",
    "node-role.kubernetes.io": "control-plane master worker",
    "topology.kubernetes.io": f"zone region {' '.join(f'network-level-{i}' for i in range(10))}",
    "failure-domain.beta.kubernetes.io": "zone region",
    "app.kubernetes.io": "name instance component part-of managed-by version",
    "apps.kubernetes.io": "pod-index",
    "statefulset.kubernetes.io": "pod-name",
    "batch.kubernetes.io": "job-name controller-uid job-completion-index job-index-failure-count",
    "controller.kubernetes.io": "pod-deletion-cost",
    "deployment.kubernetes.io": "revision",
    "volume.kubernetes.io": "selected-node",
    "storageclass.kubernetes.io": "is-default-class",
    "storageclass.beta.kubernetes.io": "is-default-class",
    "descheduler.alpha.kubernetes.io": "evict prefer-no-eviction eviction-in-progress",
    "rebalance.descheduler.dev": """vacating cordoned plan pod intent action expected-end expected-duration
        communication-fraction""",
    "cluster-autoscaler.kubernetes.io": "safe-to-evict",
    "karpenter.sh": "do-not-disrupt do-not-evict capacity-type nodepool",
    "autoscaling.cast.ai": "removal-disabled",
    "spotinst.io": "restrict-scale-down",
    # gangs and queues
    "gang.scheduling.koordinator.sh": "name min-available groups match-policy total-number mode waiting-time",
    "pod-group.scheduling.sigs.k8s.io": "name min-available match-policy",
    "scheduling.k8s.io": "group-name",
    "scheduling.x-k8s.io": "pod-group",
    "scheduling.volcano.sh": "group-name",
    "volcano.sh": """jdb-min-available jdb-max-unavailable job-name node-vgpu-register vgpu-ids-new""",
    "kubevirt.io": "created-by migrationJobUID",
    "kueue.x-k8s.io": """pod-group-name pod-group-total-count retriable-in-group workload managed podset queue-name
        podset-required-topology podset-preferred-topology""",
    "workflows.argoproj.io": "completed",
    "jobset.sigs.k8s.io": "jobset-name replicatedjob-name job-index restart-attempt",
    "leaderworkerset.sigs.k8s.io": "name group-index worker-index size",
    "training.kubeflow.org": "job-name replica-type replica-index job-role operator-name",
    "ray.io": "cluster group node-type worker-group-replica-name gang-scheduling-enabled is-ray-node",
    "fluid.io": "managed-by dataset",
    "cacheruntime.fluid.io": "name component-name",
    "kai.scheduler": "queue subgroup-name",
    # budgets and quotas
    "pub.kruise.io": "no-protect related-pub",
    "kruise.io": "related-pub pub-no-protect pub-protect-operations",
    "quota.scheduling.koordinator.sh": "name preemptible runtime namespaces",
    # quality of service and devices
    "koordinator.sh": "qosClass eviction-enabled",
    "scheduling.koordinator.sh": "device-allocated gpu-partitions eviction-cost",
    "node.koordinator.sh": "gpu-model gpu-partition-policy",
    "alibabacloud.com": "gpu-milli gpu-count gpu-card-model gpu-index",
    "aliyun.accelerator": "nvidia_name",
    "nvidia.com": """gpu.product gpu.count gpu.memory gpu.replicas gpu.sharing-strategy gpu.clique gpu.present
        gpu.family mig.config mig.strategy""",
    "amd.com": "gpu.product-name gpu.compute-memory-partition compute-memory-partition",
    "gpu.intel.com": "device.count",
    "cloud.google.com": """gke-accelerator gke-gpu-partition-size gke-gpu-sharing-strategy gke-nodepool
        gke-max-shared-clients-per-gpu gce-topology-block gce-topology-subblock gce-topology-host""",
    "k8s.amazonaws.com": "accelerator",
    "karpenter.k8s.aws": "instance-gpu-count instance-gpu-name",
    "hami.io": "node-nvidia-register vgpu-devices-allocated",
    "run.ai": "reserve_for_gpu_index",
    # network topology
    "topology.k8s.aws": f"ultraserver-id {' '.join(f'network-node-layer-{i}' for i in range(1, 5))}",
    "network.topology.nvidia.com": f"""accelerator sub-domain core spine leaf datacenter block
        {" ".join(f"tier-{i}" for i in range(10))}""",
    "fabric.topograph.run": " ".join(f"tier-{i}" for i in range(10)),
    "accelerator.topograph.run": "domain sub-domain",
    "oci.oraclecloud.com": "host.network_block_id host.rack_id host.gpu_memory_fabric_id",
}
_NODE_MARKS = LEAVING_ANNOTATIONS | LEAVING_LABELS | LEAVING_TAINTS | VIRTUAL_LABELS.keys() | VIRTUAL_TAINTS
KEYS = _named(_KEYS_BY_DOMAIN) | _NODE_MARKS
"""Of labels, annotations and taints. Annotations with any other key are not kept at all: nothing selects by them."""
KEY_ENDS: Mapping[str, str] = {"runai-gpu-group/": "", "gpu.intel.com/device-id.": ".count"}
"""How keys begin, and end, with a pseudonym between."""

NATIVE_DOMAINS = ("kubernetes.io", "k8s.io")
"""Ends of domains that the API tells apart from all others."""
DOMAINS = frozenset(_KEYS_BY_DOMAIN) - {""} | {kind.group for kind in KINDS.values()} | {IMPLICIT.rstrip("/")}
"""Of keys and resources whose name is none of those above: the domain stays."""

_MAKERS = """
/ReplicationController,Pod,Node apps/ReplicaSet,StatefulSet,DaemonSet,Deployment,ControllerRevision
extensions/ReplicaSet,DaemonSet,Deployment batch/Job,CronJob argoproj.io/Rollout,Workflow
apps.kruise.io/CloneSet,StatefulSet,DaemonSet,BroadcastJob apps.openshift.io/DeploymentConfig
apps.pingcap.com/StatefulSet grove.io/PodClique,PodCliqueSet,PodCliqueScalingGroup
orchestration.aibrix.ai/RoleSet,PodSet,StormService workloads.kubeblocks.io/InstanceSet
kubeflow.org/MXJob slinky.slurm.net/NodeSet kubevirt.io/VirtualMachineInstance,VirtualMachine
offloading.liqo.io/ShadowPod multicluster.admiralty.io/PodChaperon serving.knative.dev/Revision
core.strimzi.io/StrimziPodSet postgresql.cnpg.io/Cluster numaflow.numaproj.io/Vertex,MonoVertex
operators.coreos.com/CatalogSource tekton.dev/TaskRun,PipelineRun build.openshift.io/Build
actions.github.com/EphemeralRunner actions.summerwind.dev/Runner flyte.lyft.com/FlyteWorkflow,flyteworkflow
sparkoperator.k8s.io/SparkApplication,SparkConnect,ScheduledSparkApplication spark.apache.org/SparkApplication
velero.io/DataUpload,DataDownload,PodVolumeBackup,PodVolumeRestore agones.dev/GameServer longhorn.io/InstanceManager
data.fluid.io/AlluxioRuntime,JindoRuntime,JuiceFSRuntime,ThinRuntime,EFCRuntime,VineyardRuntime
"""
_KINDS_BY_GROUP = {group: kinds.split(",") for group, _, kinds in (one.partition("/") for one in words(_MAKERS))}
GROUPS = frozenset(_KINDS_BY_GROUP) | {kind.group for kind in KINDS.values()}
KIND_NAMES = frozenset(name for names in _KINDS_BY_GROUP.values() for name in names) | {k.name for k in KINDS.values()}
"""API groups and kinds, of what is read and of owners of pods."""

_RESOURCES_BY_DOMAIN: Mapping[str, str] = {
    "": "cpu memory storage ephemeral-storage pods",
    "nvidia.com": "gpu gpu.shared gpumem gpumem-percentage gpucores",
    "amd.com": "gpu",
    "intel.com": "gpu",
    "gpu.intel.com": "i915 xe",
    "koordinator.sh": "gpu gpu-core gpu-memory gpu-memory-ratio gpu.shared rdma",
    "kubernetes.io": "batch-cpu batch-memory mid-cpu mid-memory",
    "aliyun.com": "gpu-mem gpu-count",
    "alibabacloud.com": "gpu-count",
    "volcano.sh": "vgpu-number vgpu-memory vgpu-memory-percentage vgpu-cores",
    "rdma": "hca",
}
RESOURCES = _named(_RESOURCES_BY_DOMAIN)
_OBJECTS = "services services.loadbalancers services.nodeports secrets configmaps replicationcontrollers resourcequotas"
COUNTED = words(_OBJECTS) | {kind.plural for kind in KINDS.values()}
"""What quotas count that is no resource of a container (core/v1 types.go; pkg/quota/v1/generic)."""

_ENUMS = """
In NotIn Exists DoesNotExist Gt Lt Equal NoSchedule PreferNoSchedule NoExecute Always OnFailure Never Pending
Running Succeeded Failed Unknown Active Terminating Bound Available Released Lost Waiting Expired True False
Container Pod PersistentVolumeClaim DoNotSchedule ScheduleAnyway Honor Prefer Ignore TCP UDP SCTP Immediate
WaitForFirstConsumer ReadWriteOnce ReadOnlyMany ReadWriteMany ReadWriteOncePod IfHealthyBudget AlwaysAllow
OrderedReady Parallel RollingUpdate OnDelete Count FailJob FailIndex Healthy Unhealthy ExactCount All BestEffort
NotBestEffort NotTerminating PriorityClass CrossNamespacePodAffinity VolumeAttributesClass Infeasible Deferred
PodGroup HyperNode Node DELETE UPDATE EVICT RESIZE gpu mig rdma fpga xpu pods NVLink PCIe
RecreateGroupOnPodRestart RecreateGroupAfterStart None Default ExitCode FailJobSet RestartJobSet
RestartJobSetAndIgnoreMaxRestarts RestartJob RestartJobAndIgnoreMaxRestarts PodFailurePolicy BackoffLimitExceeded
DeadlineExceeded MaxFailedIndexesExceeded FailedIndexes PodEvicted PodFailed PodPending PodRunning JobUnknown
TaskCompleted TaskFailed OutOfSync CommandIssued Unschedulable * AbortJob TerminateJob CompleteJob RestartTask
RestartPod RestartPartition ResumeJob SyncJob EnqueueJob Ready PodScheduled Initialized ContainersReady
DisruptionTarget PodResizePending PodResizeInProgress PodReadyToStartContainers Complete SuccessCriteriaMet
FailureTarget Suspended Progressing ReplicaFailure MemoryPressure DiskPressure PIDPressure NetworkUnavailable
Finished Admitted QuotaReserved PodsReady Evicted Requeued Created Restarting ContainerResource Resource Pods Object
External Utilization AverageValue Value ScalingActive AbleToScale ScalingLimited Disabled Max Min
NodeAffinity NodeLost Shutdown UnexpectedAdmissionError PodInitializing ContainerCreating ImagePullBackOff
CrashLoopBackOff CreateContainerConfigError ErrImagePull CreateContainerError InvalidImageName OOMKilled Error
Completed ContainerCannotRun StartError ErrImageNeverPull ImageInspectError RegistryUnavailable PostStartHookError
RunContainerError ContainerStatusUnknown PodCompleted ContainersNotReady ContainersNotInitialized
ReadinessGatesNotReady SchedulingGated SchedulerError Preempting Preempted Terminated NodeShutdown OutOfcpu
OutOfmemory OutOfpods DeletionByTaintManager EvictionByEvictionAPI DeletionByPodGC TerminationByKubelet
PreemptionByScheduler Aborted Aborting Completing
"""
ENUMS = words(_ENUMS) | LEAVING_CONDITIONS
"""Enumerated values of the APIs that are read; kept where a field holds one."""

MODEL_WORDS = words(
    """
    nvidia tesla geforce quadro titan rtx gtx ti super ada laptop generation gen pro max grace hopper blackwell server
    edition workstation amd instinct radeon intel data center gpu flex arc gaudi xe hpu shared mig sxm sxm2 sxm3 sxm4
    sxm5 sxm6 sxm64 pcie pci nvl nvlink oam hbm2 hbm2e hbm3 hbm3e ds dgx hgx k80 m4 m10 m40 m60 p4 p40 p100 v100 v100s
    v100m16 v100m32 t4 t4g t10 a2 a10 a10g a16 a30 a40 a100 a800 a2000 a4000 a4500 a5000 a6000 h20 h100 h200 h800 b100
    b200 b300 gh200 gb200 gb300 l2 l4 l20 l40 l40s l40g g1 g2 g3 mi25 mi50 mi60 mi100 mi200 mi210 mi250 mi250x mi300a
    mi300x mi308x mi325x mi350x mi355x hl205 hl225 2080 3060 3070 3080 3090 4060 4070 4080 4090 5070 5080 5090 2000
    4000 4500 5000 5500 5880 6000 8000 1100 1550 g
    """
)
"""Words of the names of GPU models, in small letters; besides these, sizes such as 80GB and 1g.10gb."""
