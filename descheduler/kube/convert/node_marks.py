"""What marks of nodes mean: which nodes are virtual, and which are about to go. All of it is data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from descheduler.kube.convert.wire import ConditionWire
from descheduler.model.nodes import Taint

VIRTUAL_TAINTS = frozenset(
    {
        "virtual-kubelet.io/provider",  # virtual-kubelet's default: Azure ACI, Admiralty, Alibaba ECI, Huawei CCI, …
        "azure.com/aci",  # Azure Container Instances, older
        "virtual-node.liqo.io/not-allowed",  # Liqo
        "eks.tencentcloud.com/eklet",  # Tencent TKE super nodes
        "vci.vke.volcengine.com/node-type",  # Volcengine VCI
        "virtual-node.interlink/no-schedule",  # interLink
    }
)

ANY = ""
VIRTUAL_LABELS: Mapping[str, frozenset[str]] = {
    "type": frozenset({"virtual-kubelet"}),  # virtual-kubelet's default
    "virtual-kubelet.io/provider": frozenset({ANY}),  # Admiralty
    "liqo.io/type": frozenset({"virtual-node"}),
    "kubernetes.azure.com/role": frozenset({"virtual-node"}),
    "virtualization": frozenset({"virtualnode2"}),  # Azure's second virtual nodes
    "eks.amazonaws.com/compute-type": frozenset({"fargate"}),
    "node.kubernetes.io/instance-type": frozenset({"eklet", "virtual-node"}),  # Tencent, Volcengine
    "alibabacloud.com/virtual-node": frozenset({"true"}),
    "node-role.kubernetes.io/virtual-node": frozenset({ANY}),  # Oracle OKE
    "virtual-node.interlink/type": frozenset({"virtual-kubelet"}),
    "vcluster.loft.sh/fake-node": frozenset({"true"}),  # a vcluster's image of a node of its host
}
"""Values by key; `ANY` stands for all of them."""

LEAVING_TAINTS = frozenset(
    {
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",  # before v1
        "ToBeDeletedByClusterAutoscaler",
        "DeletionCandidateOfClusterAutoscaler",
        "aws-node-termination-handler/spot-itn",
        "aws-node-termination-handler/scheduled-maintenance",
        "aws-node-termination-handler/asg-lifecycle-termination",
        "aws-node-termination-handler/rebalance-recommendation",
        "cloud.google.com/impending-node-termination",
        "remediator.kubernetes.azure.com/unschedulable",  # AKS, for scheduled events
        "remediator.aks.microsoft.com/unschedulable",  # its former name
        "autoscaling.cast.ai/draining",
        "node.cloudprovider.kubernetes.io/shutdown",  # cloud-provider, node lifecycle controller
        "node.kubernetes.io/out-of-service",  # non-graceful node shutdown
        "node.cluster.x-k8s.io/outdated-revision",  # Cluster API: its machine is replaced in a rollout
        "deployment.machine.sapcloud.io/prefer-no-schedule",  # Gardener's machine-controller-manager, likewise
        "UpdateInProgress",  # OpenShift's machine-config-operator: it will be drained and rebooted
        "medik8s.io/drain",  # node-maintenance-operator
        "medik8s.io/remediation",
        "kubevirt.io/drain",
    }
)

LEAVING_LABELS = frozenset({"autoscaling.cast.ai/draining"})

LEAVING_ANNOTATIONS = frozenset(
    {
        "node.machine.sapcloud.io/trigger-deletion-by-mcm",  # Gardener's machine-controller-manager
        "weave.works/kured-reboot-in-progress",
        "kured.dev/kured-reboot-in-progress",
    }
)

LEAVING_CONDITIONS = frozenset(
    {"PreemptScheduled", "TerminateScheduled", "RebootScheduled", "RedeployScheduled"}  # AKS node problem detector
)


class Leaving(NamedTuple):
    """`mark` tells that a node is about to go, empty: nothing does; `drained`: it is going now."""

    mark: str = ""
    drained: bool = False


def is_virtual(labels: Mapping[str, str], taints: Iterable[Taint]) -> bool:
    """Whether no kubelet of this cluster runs the node."""
    if any(taint.key in VIRTUAL_TAINTS for taint in taints):
        return True
    return any(
        value in values or ANY in values
        for key, values in VIRTUAL_LABELS.items()
        if (value := labels.get(key)) is not None
    )


def leaving(
    *,
    deleted: bool,
    taints: Iterable[Taint],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    conditions: Iterable[ConditionWire],
) -> Leaving:
    """What tells that a node is about to go. A taint that only asks the scheduler to prefer others speaks of a
    candidate, which may stay after all; all else of a node that is going now."""
    if deleted:
        return Leaving("deletionTimestamp", drained=True)
    found = [t for t in taints if t.key in LEAVING_TAINTS]
    sure = next((f"taint {t.key}" for t in found if t.effect != "PreferNoSchedule"), "")
    sure = sure or next((f"label {key}" for key in sorted(LEAVING_LABELS) if key in labels), "")
    sure = sure or next(
        (f"annotation {k}" for k in sorted(LEAVING_ANNOTATIONS) if annotations.get(k, "false") != "false"), ""
    )
    sure = sure or next((f"condition {c.type}" for c in conditions if _announced(c)), "")
    if sure:
        return Leaving(sure, drained=True)
    return Leaving(f"taint {found[0].key}") if found else Leaving()


def _announced(condition: ConditionWire) -> bool:
    return condition.type in LEAVING_CONDITIONS and condition.status == "True"
