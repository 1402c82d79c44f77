"""Which pods may be moved at all: the protections of the Kubernetes descheduler's DefaultEvictor, with its defaults.

Source of names and defaults: kubernetes-sigs/descheduler pkg/framework/plugins/defaultevictor. Two differences, both
towards caution: `descheduler.alpha.kubernetes.io/evict: "false"` keeps a pod where it is, and `minPodAge` counts from
the pod's start and protects pods that have not started. DaemonSet, static, terminating and bare pods never move to
another node; what may be removed instead is said where it is protected.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from descheduler.contract.naming import Names, NamespacePattern, PriorityClassName, StorageClassName
from descheduler.contract.types import Duration
from descheduler.policy.section import Section
from descheduler.policy.selecting import NodeSelector, Selector

SYSTEM_CRITICAL = 2_000_000_000  # kubernetes pkg/apis/scheduling/types.go: SystemCriticalPriority


QUOTA_NAMESPACES = ("koordinator-system", "kube-system")
"""Where Koordinator's scheduler makes its own quotas (`quotaGroupNamespace`), and the system's."""

OwnerKind = Annotated[
    str, Names.OWNER_KIND, Field(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9]+$", examples=["example.com/Workflow"])
]


class PriorityThreshold(Section):
    """A priority, by value or by the name of its class."""

    value: int | None = Field(default=None, le=SYSTEM_CRITICAL, ge=-(2**31))
    """Pods with this priority or a higher one stay."""
    name: PriorityClassName | None = None
    """The same by the name of a PriorityClass, looked up in each cycle."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.value is None) == (self.name is None):
            raise ValueError("give one of value and name")
        return self


class VolumeProtection(Section):
    """Protection of pods with persistent volume claims."""

    protect: bool = False
    """Pods with persistent volume claims stay, those of generic ephemeral volumes among them."""
    storage_classes: tuple[StorageClassName, ...] = ()
    """Only claims of these storage classes protect; all when empty. A claim that cannot be found always does."""

    @model_validator(mode="after")
    def _not_idle(self) -> Self:
        if self.storage_classes and not self.protect:
            raise ValueError("storageClasses has no effect without protect: true")
        return self


class Namespaces(Section):
    """Namespaces by name, where `*` stands for any text; exclude wins."""

    include: tuple[NamespacePattern, ...] = ()
    """Only pods in these namespaces may move; all when empty."""
    exclude: tuple[NamespacePattern, ...] = ()
    """Pods in these namespaces stay."""


class Protections(Section):
    """Which pods stay where they are, whatever a strategy proposes."""

    system_critical: bool = True
    """Pods with a system-critical priority (2000000000 and above) stay."""
    priority_threshold: PriorityThreshold | None = None
    """Pods with at least this priority stay."""
    local_storage: bool = True
    """Pods with emptyDir or hostPath volumes stay."""
    persistent_volumes: VolumeProtection = VolumeProtection()
    """Pods with persistent volume claims."""
    daemon_sets: bool = True
    """Pods of DaemonSets stay; `false`: a strategy may remove them, to be made again on their node. None moves."""
    failed_bare_pods: bool = True
    """Failed pods that no controller owns stay; `false`: a strategy may remove them, and nobody makes them again."""
    without_budget: bool = False
    """Pods that no PodDisruptionBudget selects stay."""
    resource_claims: bool = False
    """Pods with resource claims (dynamic resource allocation) stay."""
    label_selector: Selector | None = None
    """Only pods that match may move."""
    namespaces: Namespaces = Namespaces()
    """Only pods in these namespaces may move."""
    namespace_label_selector: Selector | None = None
    """Only pods in namespaces whose labels match may move."""
    node_selector: NodeSelector | None = None
    """Pods move only while one of these nodes, beside their own, could take them. Their proof looks at all nodes."""
    min_replicas: int = Field(default=0, ge=0)
    """Pods of workloads that ask for fewer replicas than this stay; 0 and 1 protect nothing."""
    min_pod_age: Duration | None = None
    """Pods that started more recently than this stay."""
    recreating_owners: tuple[OwnerKind, ...] = ()
    """Kinds of owners ("group/Kind") that make their pods again, beside those that are known; their pods may move even
    if they run once (restartPolicy Never or OnFailure)."""
    quota_namespaces: tuple[NamespacePattern, ...] = QUOTA_NAMESPACES
    """Namespaces of administrators: an ElasticQuota of Koordinator in one of them may count the pods of other
    namespaces that it lists, and be the default one. Elsewhere it counts pods of its own namespace, and those whose
    label names it."""
    no_eviction_policy: Literal["Preferred", "Mandatory"] = "Preferred"
    """What descheduler.alpha.kubernetes.io/prefer-no-eviction means: moved last, or not at all."""
