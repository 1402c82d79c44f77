"""What the fields and keys hold that a recording without names does not simply rename."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from descheduler.kube.recording.public_names import words


class Holds(Enum):
    """What a text is, and so what of it stays. Where it is not of that form, it is renamed like any other."""

    ENUM = auto()
    KIND = auto()
    API_VERSION = auto()
    KEY = auto()  # of a label
    QUANTITY = auto()
    TIME = auto()
    DURATION = auto()
    NUMBER = auto()
    PER_CENT = auto()
    INDICES = auto()  # 3-1
    MODEL = auto()
    PROFILE = auto()  # of a part of a GPU
    DEVICE = auto()  # gpu-3
    RESOURCE = auto()
    GIVEN = auto()  # a device as the kubelet names it
    ROWS = auto()  # of devices: uuid, numbers, model
    JSON = auto()
    SELECTOR = auto()  # of devices, in CEL


_FIELDS = {
    Holds.ENUM: """operator effect restartPolicy phase type status reason whenUnsatisfiable nodeAffinityPolicy
        nodeTaintsPolicy protocol volumeBindingMode accessModes unhealthyPodEvictionPolicy podManagementPolicy action
        disruptionMode health allocationMode scopes scopeName event events onJobFailureReasons protectOperations
        gpuLinkType resource selectPolicy""",
    Holds.KIND: "kind",
    Holds.API_VERSION: "apiVersion",
    Holds.KEY: "topologyKey matchLabelKeys mismatchLabelKeys nodeLabel labelKey levels key",
    Holds.QUANTITY: "ringBusBandwidth memory target.averageValue",
    Holds.TIME: """creationTimestamp deletionTimestamp startTime lastTransitionTime timestamp disruptedPods
        unavailablePods""",
    Holds.PER_CENT: "minAvailable maxUnavailable",
    Holds.MODEL: "productName model product node-nvidia-register.type",
    Holds.PROFILE: "profile",
    Holds.DEVICE: "device devices.name",
    Holds.RESOURCE: "allocatedResourcesStatus.name resource.name containerResource.name extendedResourceName",
    Holds.GIVEN: "resourceID",
    Holds.SELECTOR: "expression",
}
FIELDS: Mapping[str, Holds] = {name: holds for holds, names in _FIELDS.items() for name in words(names)}
"""By the name of the field, or `<list>.<field>` where the name alone does not tell."""

LABEL_MAPS = frozenset({"labels", "annotations", "matchLabels", "nodeSelector"})
AMOUNT_MAPS = words(
    """
        requests limits allocatable capacity allocatedResources overhead podFixed hard used min max default
        defaultRequest maxLimitRequestRatio resources consumedCapacity runtime usage
        """
)
NAME_MAPS = frozenset({"disruptedPods", "unavailablePods"})
DROPPED = frozenset({"resourceVersion"})

_KEYS = {
    Holds.NUMBER: """gang.scheduling.koordinator.sh/min-available gang.scheduling.koordinator.sh/total-number
        pod-group.scheduling.sigs.k8s.io/min-available volcano.sh/jdb-min-available volcano.sh/jdb-max-unavailable
        kueue.x-k8s.io/pod-group-total-count batch.kubernetes.io/job-completion-index apps.kubernetes.io/pod-index
        batch.kubernetes.io/job-index-failure-count leaderworkerset.sigs.k8s.io/group-index
        leaderworkerset.sigs.k8s.io/worker-index leaderworkerset.sigs.k8s.io/size jobset.sigs.k8s.io/job-index
        jobset.sigs.k8s.io/restart-attempt training.kubeflow.org/replica-index
        controller.kubernetes.io/pod-deletion-cost
        scheduling.koordinator.sh/eviction-cost deployment.kubernetes.io/revision gpu-fraction gpu-memory
        gpu-fraction-num-devices alibabacloud.com/gpu-milli alibabacloud.com/gpu-count ALIYUN_COM_GPU_MEM_IDX
        ALIYUN_COM_GPU_MEM_POD ALIYUN_COM_GPU_MEM_DEV run.ai/reserve_for_gpu_index nvidia.com/gpu.count
        nvidia.com/gpu.memory nvidia.com/gpu.replicas gpu.intel.com/device.count karpenter.k8s.aws/instance-gpu-count
        cloud.google.com/gke-max-shared-clients-per-gpu rebalance.descheduler.dev/communication-fraction""",
    Holds.INDICES: "alibabacloud.com/gpu-index",
    Holds.DURATION: "karpenter.sh/do-not-disrupt rebalance.descheduler.dev/expected-duration",
    Holds.TIME: "rebalance.descheduler.dev/expected-end",
    Holds.KEY: "kueue.x-k8s.io/podset-required-topology kueue.x-k8s.io/podset-preferred-topology",
    Holds.MODEL: """nvidia.com/gpu.product nvidia.com/gpu.family alibabacloud.com/gpu-card-model
        node.koordinator.sh/gpu-model aliyun.accelerator/nvidia_name amd.com/gpu.product-name
        cloud.google.com/gke-accelerator k8s.amazonaws.com/accelerator karpenter.k8s.aws/instance-gpu-name""",
    Holds.PROFILE: "cloud.google.com/gke-gpu-partition-size nvidia.com/mig.config",
    Holds.ENUM: "node.koordinator.sh/gpu-partition-policy",
    Holds.ROWS: """hami.io/node-nvidia-register hami.io/vgpu-devices-allocated volcano.sh/node-vgpu-register
        volcano.sh/vgpu-ids-new""",
    Holds.JSON: """gang.scheduling.koordinator.sh/groups scheduling.koordinator.sh/device-allocated
        scheduling.koordinator.sh/gpu-partitions quota.scheduling.koordinator.sh/runtime
        quota.scheduling.koordinator.sh/namespaces scheduler.framework.gpushare.allocation""",
}
VALUES_OF: Mapping[str, Holds] = {key: holds for holds, keys in _KEYS.items() for key in words(keys)}
"""By the key of a label, taint or annotation."""

JSON_FIELDS = words(
    """
        gpu minor id resources minors gpuLinkType ringBusBandwidth allocationScore index count devmem type numa health
        mode
        """
)
"""Keys in annotations whose values are JSON."""
FREE_JSON = words("quota.scheduling.koordinator.sh/runtime scheduler.framework.gpushare.allocation")
"""Annotations in whose JSON the keys are names: of resources, of containers."""
