"""Slim schemas of API objects: only the fields that we use are decoded; everything else, managedFields above all,
is skipped by the parser. Parts that replicas share word for word stay raw bytes (`Raw`) and are decoded once per
distinct value (see `interning`).

The same structs, encoded again, are the lines of a recording. `gc=False` is safe: no struct can be in a cycle.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct, field

from descheduler.model.bounds import INT32, INT64

NO_RAW = Raw(b"")
Int32 = Annotated[int, Meta(ge=-INT32 - 1, le=INT32)]
Int64 = Annotated[int, Meta(ge=-INT64 - 1, le=INT64)]
"""Numbers as wide as the API's types have them; JSON itself knows no bound."""


class Slim(Struct, frozen=True, gc=False, omit_defaults=True, rename="camel"):
    """Base of every schema. Unknown fields are ignored; absent and null are alike."""


class OwnerWire(Slim, frozen=True, gc=False):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class MetaWire(Slim, frozen=True, gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: Int64 = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: Raw = NO_RAW
    annotations: dict[str, str] | None = None
    owner_references: tuple[OwnerWire, ...] | None = None


class ManagedMetaWire(MetaWire, frozen=True, gc=False):
    """Of objects with replicas: also who wrote which field (`managed_fields` reads them)."""

    managed_fields: Raw = NO_RAW


class Object(Slim, frozen=True, gc=False):
    """What every object has."""

    metadata: MetaWire = MetaWire()


class ConditionWire(Slim, frozen=True, gc=False):
    type: str = ""
    status: str = ""
    reason: str = ""


class PodConditionWire(ConditionWire, frozen=True, gc=False):
    last_transition_time: str | None = None  # as it is written, for many pods change at once (`Interner.instant`)


# Selectors


class ExpressionWire(Slim, frozen=True, gc=False):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class LabelSelectorWire(Slim, frozen=True, gc=False):
    match_labels: dict[str, str] | None = None
    match_expressions: tuple[ExpressionWire, ...] | None = None


class NodeTermWire(Slim, frozen=True, gc=False):
    match_expressions: tuple[ExpressionWire, ...] | None = None
    match_fields: tuple[ExpressionWire, ...] | None = None


class NodeSelectorWire(Slim, frozen=True, gc=False):
    node_selector_terms: tuple[NodeTermWire, ...] | None = None


class WeightedNodeTermWire(Slim, frozen=True, gc=False):
    weight: Int32 = 0
    preference: NodeTermWire = NodeTermWire()


class NodeAffinityWire(Slim, frozen=True, gc=False):
    required: NodeSelectorWire | None = field(default=None, name="requiredDuringSchedulingIgnoredDuringExecution")
    preferred: tuple[WeightedNodeTermWire, ...] | None = field(
        default=None, name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class PodTermWire(Slim, frozen=True, gc=False):
    topology_key: str = ""
    label_selector: LabelSelectorWire | None = None
    namespaces: tuple[str, ...] | None = None
    namespace_selector: LabelSelectorWire | None = None
    match_label_keys: tuple[str, ...] | None = None
    mismatch_label_keys: tuple[str, ...] | None = None


class WeightedPodTermWire(Slim, frozen=True, gc=False):
    weight: Int32 = 0
    pod_affinity_term: PodTermWire = PodTermWire()


class PodAffinityWire(Slim, frozen=True, gc=False):
    required: tuple[PodTermWire, ...] | None = field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )
    preferred: tuple[WeightedPodTermWire, ...] | None = field(
        default=None, name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class AffinityWire(Slim, frozen=True, gc=False):
    node_affinity: NodeAffinityWire | None = None
    pod_affinity: PodAffinityWire | None = None
    pod_anti_affinity: PodAffinityWire | None = None


# Pods


class TolerationWire(Slim, frozen=True, gc=False):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: Int64 | None = None


class SpreadWire(Slim, frozen=True, gc=False):
    max_skew: Int32 = 1
    topology_key: str = ""
    when_unsatisfiable: str = "DoNotSchedule"
    label_selector: LabelSelectorWire | None = None
    min_domains: Int32 | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None
    match_label_keys: tuple[str, ...] | None = None


class PortWire(Slim, frozen=True, gc=False):
    host_port: Int32 = 0
    protocol: str = "TCP"
    host_ip: str = field(default="", name="hostIP")


class ResourcesWire(Slim, frozen=True, gc=False):
    """Quantities are text; the API server writes them so, but a number is a quantity too."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class ContainerWire(Slim, frozen=True, gc=False):
    name: str = ""
    image: str = ""
    resources: Raw = NO_RAW
    ports: Raw = NO_RAW
    restart_policy: str = ""


class ClaimSourceWire(Slim, frozen=True, gc=False):
    claim_name: str = ""


class Present(Slim, frozen=True, gc=False):
    """Something whose being there is all that we look at."""


class ClaimSpecWire(Slim, frozen=True, gc=False):
    volume_name: str = ""
    storage_class_name: str | None = None
    access_modes: tuple[str, ...] | None = None
    resources: ResourcesWire | None = None


class ClaimTemplateWire(Slim, frozen=True, gc=False):
    spec: ClaimSpecWire = ClaimSpecWire()


class EphemeralWire(Slim, frozen=True, gc=False):
    volume_claim_template: ClaimTemplateWire = ClaimTemplateWire()


class VolumeWire(Slim, frozen=True, gc=False):
    name: str = ""
    persistent_volume_claim: ClaimSourceWire | None = None
    ephemeral: EphemeralWire | None = None
    empty_dir: Present | None = None
    host_path: Present | None = None


class PodResourceClaimWire(Slim, frozen=True, gc=False):
    """Of the spec and of the status: where the claim is made from a template, only the status has its name."""

    name: str = ""
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class SchedulingGroupWire(Slim, frozen=True, gc=False):
    pod_group_name: str = ""


class PodSpecWire(Slim, frozen=True, gc=False):
    containers: tuple[ContainerWire, ...] | None = None
    init_containers: tuple[ContainerWire, ...] | None = None
    overhead: Raw = NO_RAW
    resources: Raw = NO_RAW
    node_selector: Raw = NO_RAW
    affinity: Raw = NO_RAW
    tolerations: Raw = NO_RAW
    topology_spread_constraints: Raw = NO_RAW
    volumes: tuple[VolumeWire, ...] | None = None
    resource_claims: tuple[PodResourceClaimWire, ...] | None = None
    scheduling_gates: tuple[Present, ...] | None = None
    scheduling_group: SchedulingGroupWire | None = None
    node_name: str = ""
    priority: Int32 | None = None
    priority_class_name: str = ""
    service_account_name: str = ""
    runtime_class_name: str = ""
    active_deadline_seconds: Int64 | None = None
    scheduler_name: str = "default-scheduler"
    restart_policy: str = "Always"
    termination_grace_period_seconds: Int64 | None = None


class WaitingWire(Slim, frozen=True, gc=False):
    reason: str = ""


class TerminatedWire(Slim, frozen=True, gc=False):
    reason: str = ""
    exit_code: Int32 = 0


class ContainerStateWire(Slim, frozen=True, gc=False):
    waiting: WaitingWire | None = None
    terminated: TerminatedWire | None = None


class ContainerStatusWire(Slim, frozen=True, gc=False):
    name: str = ""
    restart_count: Int32 = 0
    state: ContainerStateWire | None = None
    resources: Raw = NO_RAW
    allocated_resources: Raw = NO_RAW
    allocated_resources_status: Raw = NO_RAW


class PodStatusWire(Slim, frozen=True, gc=False):
    phase: str = "Unknown"
    reason: str = ""
    start_time: datetime | None = None
    nominated_node_name: str = ""
    conditions: tuple[PodConditionWire, ...] | None = None
    container_statuses: tuple[ContainerStatusWire, ...] | None = None
    init_container_statuses: tuple[ContainerStatusWire, ...] | None = None
    ephemeral_container_statuses: tuple[ContainerStatusWire, ...] | None = None
    resources: Raw = NO_RAW
    allocated_resources: Raw = NO_RAW
    resource_claim_statuses: tuple[PodResourceClaimWire, ...] | None = None
    extended_resource_claim_status: PodResourceClaimWire | None = None


class PodWire(Object, frozen=True, gc=False):
    spec: PodSpecWire = PodSpecWire()
    status: PodStatusWire = PodStatusWire()


class PodTemplateWire(Object, frozen=True, gc=False):
    """What a controller makes pods from."""

    spec: PodSpecWire = PodSpecWire()


# Nodes


class TaintWire(Slim, frozen=True, gc=False):
    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpecWire(Slim, frozen=True, gc=False):
    unschedulable: bool = False
    taints: tuple[TaintWire, ...] | None = None


class NodeAddressWire(Slim, frozen=True, gc=False):
    address: str = ""


class NodeStatusWire(Slim, frozen=True, gc=False):
    capacity: dict[str, str | int | float] | None = None
    allocatable: dict[str, str | int | float] | None = None
    conditions: tuple[ConditionWire, ...] | None = None
    addresses: tuple[NodeAddressWire, ...] | None = None


class NodeWire(Object, frozen=True, gc=False):
    spec: NodeSpecWire = NodeSpecWire()
    status: NodeStatusWire = NodeStatusWire()


# Budgets, priorities, workloads


class BudgetSpecWire(Slim, frozen=True, gc=False):
    selector: LabelSelectorWire | None = None
    min_available: Int32 | str | None = None
    max_unavailable: Int32 | str | None = None
    unhealthy_pod_eviction_policy: str | None = None


class BudgetStatusWire(Slim, frozen=True, gc=False):
    disruptions_allowed: Int32 = 0
    current_healthy: Int32 = 0
    desired_healthy: Int32 = 0
    expected_pods: Int32 = 0
    observed_generation: Int64 = 0
    disrupted_pods: dict[str, str] | None = None


class BudgetWire(Object, frozen=True, gc=False):
    spec: BudgetSpecWire = BudgetSpecWire()
    status: BudgetStatusWire = BudgetStatusWire()


class PriorityClassWire(Object, frozen=True, gc=False):
    value: Int32 = 0
    global_default: bool = False


class FailureConditionWire(Slim, frozen=True, gc=False):
    type: str = ""
    status: str = "True"


class FailureExitCodesWire(Slim, frozen=True, gc=False):
    container_name: str | None = None
    operator: str = ""
    values: tuple[Int32, ...] | None = None


class FailureRuleWire(Slim, frozen=True, gc=False):
    action: str = ""
    on_exit_codes: FailureExitCodesWire | None = None
    on_pod_conditions: tuple[FailureConditionWire, ...] | None = None


class FailurePolicyWire(Slim, frozen=True, gc=False):
    rules: tuple[FailureRuleWire, ...] | None = None


class OrdinalsWire(Slim, frozen=True, gc=False):
    start: Int32 = 0


class RollingUpdateWire(Slim, frozen=True, gc=False):
    partition: Int32 | None = None


class UpdateStrategyWire(Slim, frozen=True, gc=False):
    type: str = ""
    rolling_update: RollingUpdateWire | None = None


class WorkloadSpecWire(Slim, frozen=True, gc=False):
    """The union of what we read of ReplicaSet, Deployment, StatefulSet, DaemonSet, Job and CronJob."""

    replicas: Int32 | None = None
    selector: LabelSelectorWire | None = None
    parallelism: Int32 | None = None
    backoff_limit: Int32 | None = None
    backoff_limit_per_index: Int32 | None = None
    active_deadline_seconds: Int64 | None = None
    suspend: bool | None = None
    pod_failure_policy: FailurePolicyWire | None = None
    template: PodTemplateWire | None = None
    paused: bool = False
    pod_management_policy: str = ""
    update_strategy: UpdateStrategyWire | None = None
    ordinals: OrdinalsWire | None = None
    completions: Int32 | None = None
    managed_by: str | None = None
    pod_replacement_policy: str | None = None


class WorkloadStatusWire(Slim, frozen=True, gc=False):
    observed_generation: Int64 = 0
    conditions: tuple[ConditionWire, ...] | None = None
    current_revision: str = ""
    update_revision: str = ""
    replicas: Int32 = 0
    updated_replicas: Int32 = 0
    ready_replicas: Int32 = 0
    desired_number_scheduled: Int32 = 0
    number_ready: Int32 = 0
    ready: Int32 | None = None
    failed: Int32 = 0
    succeeded: Int32 = 0
    active: Int32 = 0
    start_time: datetime | None = None


class WorkloadWire(Object, frozen=True, gc=False):
    metadata: ManagedMetaWire = ManagedMetaWire()
    spec: WorkloadSpecWire = WorkloadSpecWire()
    status: WorkloadStatusWire = WorkloadStatusWire()


class CustomWire(Object, frozen=True, gc=False):
    """Any object of an optional API; `spec` and `status` whole."""

    api_version: str = ""
    kind: str = ""
    spec: dict[str, Any] | None = None
    status: dict[str, Any] | None = None


class RolloutWire(CustomWire, frozen=True, gc=False):
    """An Argo Rollout."""

    metadata: ManagedMetaWire = ManagedMetaWire()


# metrics.k8s.io


class NodeMetricsWire(Object, frozen=True, gc=False):
    timestamp: datetime | None = None
    usage: dict[str, str | int | float] | None = None


class ContainerMetricsWire(Slim, frozen=True, gc=False):
    usage: dict[str, str | int | float] | None = None


class PodMetricsWire(Object, frozen=True, gc=False):
    timestamp: datetime | None = None
    containers: tuple[ContainerMetricsWire, ...] | None = None


# Envelopes


class ListMetaWire(Slim, frozen=True, gc=False):
    resource_version: str = ""
    token: str = field(default="", name="continue")


class RawList(Slim, frozen=True, gc=False):
    """A list whose items are decoded one by one, to find the one that is broken."""

    metadata: ListMetaWire = ListMetaWire()
    items: tuple[Raw, ...] | None = None


class RawEvent(Slim, frozen=True, gc=False):
    type: str = ""
    object: Raw = NO_RAW
