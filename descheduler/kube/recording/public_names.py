"""What a recording without names keeps as it is, because it is the same in every cluster and decisions depend on it."""

from __future__ import annotations

import re

KEPT_TEXTS = frozenset(
    {
        *(
            "default",
            "kube-system",
            "kube-public",
            "kube-node-lease",
            "koordinator-system",
            "koordinator-default-quota",
            "kai-resource-reservation",
            "runai-reservation",
            "system-node-critical",
            "system-cluster-critical",
        ),
        *(
            "default-scheduler",
            "koord-scheduler",
            "volcano",
            "kai-scheduler",
            "virtual-kubelet",
            "virtualnode2",
            "virtual-node",
            "eklet",
            "fargate",
            "spot",
        ),
        *("true", "false", "control-plane", "master", "worker", "linux", "windows", "amd64", "arm64"),
        *("gpu", "mig", "rdma", "fpga"),
    }
)
# Of API groups, label keys and drivers that belong to products, not to their users.
KEPT_DOMAINS = (
    *("kubernetes.io", "k8s.io", "x-k8s.io", "koordinator.sh", "volcano.sh", "run.ai", "kai.scheduler"),
    *("kubeflow.org", "ray.io", "fluid.io", "nvidia.com", "amd.com", "hami.io", "alibabacloud.com", "aliyun.com"),
    *("aliyuncs.com", "karpenter.sh", "amazonaws.com", "k8s.aws", "aws.com", "azure.com", "gke.io"),
    *("cloud.google.com", "openshift.io", "virtual-kubelet.io", "runai-gpu-group"),
    # of virtual nodes, and of nodes that are about to go
    *("liqo.io", "tencentcloud.com", "volcengine.com", "virtual-node.interlink", "loft.sh", "cast.ai", "sapcloud.io"),
    *("aws-node-termination-handler", "microsoft.com", "weave.works", "kured.dev", "medik8s.io"),
    # of owners of pods
    *("kubevirt.io", "argoproj.io", "tekton.dev", "actions.github.com", "actions.summerwind.dev", "flyte.lyft.com"),
    *("sparkoperator.k8s.io", "spark.apache.org", "kruise.io", "velero.io", "agones.dev", "longhorn.io", "grove.io"),
    *("pingcap.com", "aibrix.ai", "kubeblocks.io", "slurm.net", "admiralty.io", "knative.dev", "strimzi.io", "cnpg.io"),
    *("numaproj.io", "coreos.com", "spotinst.io"),
    *("topograph.run", "oraclecloud.com", "intel.com", "descheduler.dev"),
)
KEPT_KEYS = frozenset(
    {
        *("app", "component", "tier", "version", "release", "chart", "heritage", "role", "type", "name", "job-name"),
        *("k8s-app", "pod-template-hash", "controller-revision-hash", "pod-template-generation", "controller-uid"),
        *("rollouts-pod-template-hash", "vpaObservedContainers", "vpaUpdates"),
        *("pod-group-name", "gpu-fraction", "gpu-fraction-num-devices", "gpu-memory", "runai-gpu-group"),
        *("ALIYUN_COM_GPU_MEM_IDX", "ALIYUN_COM_GPU_MEM_POD", "ALIYUN_COM_GPU_MEM_DEV"),
        "scheduler.framework.gpushare.allocation",
        "virtualization",
        *("ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler", "UpdateInProgress"),
    }
)
# Of a CSI driver: a name that objects of all kinds use of it.
DRIVER = re.compile(r"(^|\.)csi\.")
# Keys whose values say what a machine is, not whose.
KEPT_VALUES = re.compile(
    r"(^|[./-])(os|arch|gpu\.product|gpu-card-model|gpu-model|gpu\.memory|gpu\.count|instance-type|role|type"
    r"|gke-accelerator|accelerator|nvidia_name|instance-gpu-name|mode|match-policy|evict|safe-to-evict|do-not-disrupt"
    r"|gpu[.-]sharing-strategy|mig\.strategy|gpu-partition-size|compute-memory-partition"
    r"|expected-end|expected-duration|communication-fraction)$"
)
# Fields by what they hold.
AMOUNT_MAPS = frozenset(
    {
        *("requests", "limits", "allocatable", "capacity", "allocatedResources", "overhead", "podFixed"),
        *("hard", "used", "min", "max", "default", "defaultRequest", "maxLimitRequestRatio"),
    }
)
LABEL_MAPS = frozenset(
    {"labels", "annotations", "matchLabels", "nodeSelector", "minTaskMember", "disruptedPods", "unavailablePods"}
)
DROPPED = frozenset({"message", "generateName", "selfLink", "managedFields", "command", "args", "env"})
KEPT_FIELDS = frozenset({"kind", "operator", "resourceVersion"})
DOMAIN_FIELDS = frozenset({"apiVersion", "provisioner", "driver", "managedBy"})
KEY_FIELDS = frozenset({"topologyKey", "matchLabelKeys", "mismatchLabelKeys", "nodeLabel", "labelKey"})
# Texts by how they look: no name of an object begins with a capital.
ENUM = re.compile(r"[A-Z][A-Za-z]+")
PLAIN = re.compile(
    r"[+-]?\d{1,6}(\.\d+)?%?|[+-]?\d+(\.\d+)?(m|n|u|[kMGTPE]i?|e\d+)|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)"
)
