"""Every kind that is read: where the API server serves it, how it is decoded, what it becomes.

Core kinds are named by their plural ("pods"), kinds of optional APIs by "group/Kind". Supporting one more optional
kind is one line in `OPTIONAL`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from msgspec.json import Decoder

from descheduler.kube.convert.admission import (
    convert_limit_range,
    convert_quota,
    convert_runtime_class,
    convert_service_account,
)
from descheduler.kube.convert.admission_wire import LimitRangeWire, NamespaceWire, QuotaWire, RuntimeClassWire
from descheduler.kube.convert.customs import convert_custom, convert_rollout
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.metrics import convert_sample
from descheduler.kube.convert.nodes import convert_node
from descheduler.kube.convert.pods import convert_pod
from descheduler.kube.convert.storage import (
    convert_claim,
    convert_csi_driver,
    convert_csi_node,
    convert_storage_class,
    convert_volume,
)
from descheduler.kube.convert.storage_wire import (
    ClaimWire,
    CsiDriverWire,
    CsiNodeWire,
    PersistentVolumeWire,
    StorageClassWire,
)
from descheduler.kube.convert.unavailable_budgets import convert_unavailable_budget
from descheduler.kube.convert.wire import (
    BudgetWire,
    CustomWire,
    ListMetaWire,
    NodeMetricsWire,
    NodeWire,
    Object,
    PodMetricsWire,
    PodWire,
    PriorityClassWire,
    RolloutWire,
    Slim,
    WorkloadWire,
)
from descheduler.kube.convert.workloads import (
    convert_budget,
    convert_namespace,
    convert_priority_class,
    convert_workload,
)
from descheduler.kube.devices.dra_claims import convert_claim_template, convert_device_claim, convert_device_class
from descheduler.kube.devices.dra_slices import convert_slice
from descheduler.kube.devices.dra_taints import convert_taint_rule
from descheduler.kube.devices.dra_wire import (
    ClaimTemplateWire,
    DeviceClaimWire,
    DeviceClassWire,
    SliceWire,
    TaintRuleWire,
)
from descheduler.kube.devices.sources.koordinator import convert_device
from descheduler.model.metrics import NODE_METRICS, POD_METRICS

W = TypeVar("W", bound=Object)

Convert = Callable[[Any, Interner], object]
"""Wire object to model object; None: not worth keeping. The wire type is the kind's own `wire`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`versions` in the order in which we prefer them."""

    key: str
    group: str
    versions: tuple[str, ...]
    name: str
    plural: str
    wire: type[Object]
    convert: Callable[[str], Convert]  # for a version

    @property
    def core(self) -> bool:
        return "/" not in self.key

    @property
    def resource(self) -> str:
        """As RBAC names it: `poddisruptionbudgets.policy`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def at(self, version: str, plural: str = "") -> Endpoint:
        return Endpoint(self, version, plural or self.plural)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One kind in the version and under the plural that a cluster serves."""

    kind: Kind
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.kind.group}/{self.version}" if self.kind.group else self.version

    @property
    def path(self) -> str:
        return f"/{'apis' if self.kind.group else 'api'}/{self.api_version}/{self.plural}"

    def converter(self) -> Convert:
        return self.kind.convert(self.api_version)


class Page(Slim, Generic[W], frozen=True, gc=False):
    """One page of a list."""

    metadata: ListMetaWire = ListMetaWire()
    items: tuple[W, ...] | None = None


def page_decoder(wire: type[W]) -> Decoder[Page[W]]:
    """Decodes pages whose items are `wire`."""
    return Decoder(Page[wire])  # type: ignore[valid-type]  # a type that is known only at run time


def _plain(convert: Convert) -> Callable[[str], Convert]:
    return lambda _api_version: convert


def _workload(name: str) -> Callable[[str], Convert]:
    return lambda api_version: partial(convert_workload, kind=name, api_version=api_version)


def _custom(name: str, convert: Callable[..., object]) -> Callable[[str], Convert]:
    return lambda api_version: partial(convert, kind=name, api_version=api_version)


def _core(group: str, name: str, plural: str, wire: type[Object], convert: Callable[[str], Convert]) -> Kind:
    return Kind(plural, group, ("v1",), name, plural, wire, convert)


CORE: tuple[Kind, ...] = (
    _core("", "Node", "nodes", NodeWire, _plain(convert_node)),
    _core("", "Namespace", "namespaces", NamespaceWire, _plain(convert_namespace)),
    _core("scheduling.k8s.io", "PriorityClass", "priorityclasses", PriorityClassWire, _plain(convert_priority_class)),
    _core("policy", "PodDisruptionBudget", "poddisruptionbudgets", BudgetWire, _plain(convert_budget)),
    _core("apps", "ReplicaSet", "replicasets", WorkloadWire, _workload("ReplicaSet")),
    _core("apps", "Deployment", "deployments", WorkloadWire, _workload("Deployment")),
    _core("apps", "StatefulSet", "statefulsets", WorkloadWire, _workload("StatefulSet")),
    _core("apps", "DaemonSet", "daemonsets", WorkloadWire, _workload("DaemonSet")),
    _core("batch", "Job", "jobs", WorkloadWire, _workload("Job")),
    _core("batch", "CronJob", "cronjobs", WorkloadWire, _workload("CronJob")),
    _core("", "PersistentVolumeClaim", "persistentvolumeclaims", ClaimWire, _plain(convert_claim)),
    _core("", "PersistentVolume", "persistentvolumes", PersistentVolumeWire, _plain(convert_volume)),
    _core("storage.k8s.io", "StorageClass", "storageclasses", StorageClassWire, _plain(convert_storage_class)),
    _core("node.k8s.io", "RuntimeClass", "runtimeclasses", RuntimeClassWire, _plain(convert_runtime_class)),
    _core("", "ServiceAccount", "serviceaccounts", Object, _plain(convert_service_account)),
    _core("", "LimitRange", "limitranges", LimitRangeWire, _plain(convert_limit_range)),
    _core("", "ResourceQuota", "resourcequotas", QuotaWire, _plain(convert_quota)),
    _core("storage.k8s.io", "CSINode", "csinodes", CsiNodeWire, _plain(convert_csi_node)),
    _core("storage.k8s.io", "CSIDriver", "csidrivers", CsiDriverWire, _plain(convert_csi_driver)),
    # Last, so that a one-shot read sees no pod whose owner was made after the owners were listed.
    _core("", "Pod", "pods", PodWire, _plain(convert_pod)),
)


def _optional(
    group: str,
    name: str,
    plural: str,
    *versions: str,
    wire: type[Object] = CustomWire,
    convert: Callable[..., object] = convert_custom,
) -> Kind:
    return Kind(f"{group}/{name}", group, versions, name, plural, wire, _custom(name, convert))


def _dra(name: str, plural: str, wire: type[Object], convert: Callable[..., object]) -> Kind:
    versions = ("v1", "v1beta2", "v1beta1", "v1alpha3")
    return _optional("resource.k8s.io", name, plural, *versions, wire=wire, convert=convert)


OPTIONAL: tuple[Kind, ...] = (
    # gangs
    _optional("scheduling.k8s.io", "PodGroup", "podgroups", "v1beta1", "v1alpha3", "v1alpha2"),
    _optional("scheduling.k8s.io", "Workload", "workloads", "v1beta1", "v1alpha3", "v1alpha2"),
    _optional("scheduling.x-k8s.io", "PodGroup", "podgroups", "v1alpha1"),
    _optional("scheduling.sigs.k8s.io", "PodGroup", "podgroups", "v1alpha1"),
    _optional("scheduling.volcano.sh", "PodGroup", "podgroups", "v1beta1"),
    _optional("scheduling.run.ai", "PodGroup", "podgroups", "v2alpha2"),
    _optional("kueue.x-k8s.io", "Workload", "workloads", "v1beta2", "v1beta1"),
    _optional("scheduling.x-k8s.io", "QueueUnit", "queueunits", "v1alpha1"),
    # owners of gangs
    _optional("jobset.x-k8s.io", "JobSet", "jobsets", "v1", "v1beta1", "v1alpha2"),
    _optional("leaderworkerset.x-k8s.io", "LeaderWorkerSet", "leaderworkersets", "v1"),
    _optional("ray.io", "RayCluster", "rayclusters", "v1", "v1alpha1"),
    _optional("ray.io", "RayJob", "rayjobs", "v1", "v1alpha1"),
    _optional("ray.io", "RayService", "rayservices", "v1", "v1alpha1"),
    _optional("batch.volcano.sh", "Job", "jobs", "v1alpha1"),
    _optional("kubeflow.org", "PyTorchJob", "pytorchjobs", "v1"),
    _optional("kubeflow.org", "TFJob", "tfjobs", "v1"),
    _optional("kubeflow.org", "MPIJob", "mpijobs", "v2beta1", "v1"),
    _optional("kubeflow.org", "XGBoostJob", "xgboostjobs", "v1"),
    _optional("kubeflow.org", "PaddleJob", "paddlejobs", "v1"),
    _optional("kubeflow.org", "JAXJob", "jaxjobs", "v1"),
    _optional("trainer.kubeflow.org", "TrainJob", "trainjobs", "v1", "v1beta1", "v1alpha1"),
    # how many replicas there will be
    _optional("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "v2"),
    _optional("keda.sh", "ScaledObject", "scaledobjects", "v1alpha1"),
    _optional("argoproj.io", "Rollout", "rollouts", "v1alpha1", convert=convert_rollout, wire=RolloutWire),
    # budgets, quotas and devices
    _optional(
        "policy.kruise.io",
        "PodUnavailableBudget",
        "podunavailablebudgets",
        "v1beta1",
        "v1alpha1",
        convert=convert_unavailable_budget,
    ),
    _optional("scheduling.x-k8s.io", "ElasticQuota", "elasticquotas", "v1alpha1"),
    _optional("scheduling.sigs.k8s.io", "ElasticQuota", "elasticquotas", "v1alpha1"),
    _dra("ResourceSlice", "resourceslices", SliceWire, convert_slice),
    _dra("ResourceClaim", "resourceclaims", DeviceClaimWire, convert_device_claim),
    _dra("ResourceClaimTemplate", "resourceclaimtemplates", ClaimTemplateWire, convert_claim_template),
    _dra("DeviceClass", "deviceclasses", DeviceClassWire, convert_device_class),
    _dra("DeviceTaintRule", "devicetaintrules", TaintRuleWire, convert_taint_rule),
    _optional("scheduling.koordinator.sh", "Device", "devices", "v1alpha1", convert=convert_device),
    _optional("scheduling.koordinator.sh", "Reservation", "reservations", "v1alpha1"),
    # virtual machines
    _optional("kubevirt.io", "VirtualMachineInstance", "virtualmachineinstances", "v1"),
    _optional("kubevirt.io", "VirtualMachineInstanceMigration", "virtualmachineinstancemigrations", "v1"),
    _optional("kubevirt.io", "KubeVirt", "kubevirts", "v1"),
    # landing
    _optional(
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicyBinding",
        "mutatingadmissionpolicybindings",
        "v1",
        "v1beta1",
        "v1alpha1",
    ),
    # network topology
    _optional("kueue.x-k8s.io", "Topology", "topologies", "v1beta2", "v1beta1", "v1alpha1"),
    _optional("kai.scheduler", "Topology", "topologies", "v1alpha1"),
    _optional("topology.volcano.sh", "HyperNode", "hypernodes", "v1alpha1"),
    _optional("scheduling.koordinator.sh", "ClusterNetworkTopology", "clusternetworktopologies", "v1alpha1"),
)

MEASURED: tuple[Kind, ...] = (
    Kind(NODE_METRICS, "metrics.k8s.io", ("v1beta1",), "NodeMetrics", "nodes", NodeMetricsWire, _plain(convert_sample)),
    Kind(POD_METRICS, "metrics.k8s.io", ("v1beta1",), "PodMetrics", "pods", PodMetricsWire, _plain(convert_sample)),
)
"""What is listed for whoever asks for it, and for recordings: nobody can watch it, and it is old in a minute."""

KINDS: Mapping[str, Kind] = {kind.key: kind for kind in (*CORE, *OPTIONAL, *MEASURED)}
