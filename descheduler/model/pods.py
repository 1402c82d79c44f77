"""Pods, split in two: what every replica of a workload shares (`PodSpec`, interned) and what is a pod's own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from descheduler.model.asks import NO_ASKS, Asks
from descheduler.model.devices import WHOLE, GpuShare, GpuSource, GpuStatement
from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.owners import OwnerRef, controller_of
from descheduler.model.pod_status import NO_STATUS, PodStatus
from descheduler.model.quantity import Amounts as Amounts
from descheduler.model.selectors import LabelSelector, NodeSelectorTerm
from descheduler.model.storage import ClaimTemplate


def amount_of(amounts: Amounts, resource: str) -> int:
    """The amount of one resource, 0 when absent."""
    return next((value for name, value in amounts if name == resource), 0)


class Phase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Toleration:
    key: str = ""
    operator: str = "Equal"  # Equal | Exists | Lt | Gt
    value: str = ""
    effect: str = ""  # empty: all effects
    seconds: int | None = None  # of a NoExecute taint: so long and no longer; None: for ever


@dataclass(frozen=True, slots=True)
class NodeAffinity:
    """`required` is None when there is no required term; an empty tuple matches no node."""

    required: tuple[NodeSelectorTerm, ...] | None = None
    preferred: tuple[tuple[int, NodeSelectorTerm], ...] = ()


@dataclass(frozen=True, slots=True)
class PodAffinityTerm:
    """One term of pod (anti-)affinity. `selector` None matches no pod.

    `namespaces` are the explicit ones; with neither those nor a `namespace_selector` the pod's own namespace is meant.
    """

    topology_key: str
    selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PodAffinity:
    required: tuple[PodAffinityTerm, ...] = ()
    preferred: tuple[tuple[int, PodAffinityTerm], ...] = ()


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """topologySpreadConstraints[]; defaults are the API's."""

    max_skew: int
    topology_key: str
    when_unsatisfiable: str  # DoNotSchedule | ScheduleAnyway
    selector: LabelSelector | None = None
    min_domains: int | None = None
    node_affinity_policy: str = "Honor"
    node_taints_policy: str = "Ignore"
    match_label_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostPort:
    port: int
    protocol: str = "TCP"
    ip: str = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class GpuRequest:
    """GPUs asked for: `count` devices, `milli` of each (1000: whole); `models` limits the device model unless empty.

    Whoever asks by memory asks for `memory` bytes of each device, which is another part of each model: the larger of
    that part and `milli`, which may then be 0, counts.
    """

    resource: str
    count: int
    milli: int = 1000
    models: tuple[str, ...] = ()
    memory: int = 0

    @property
    def devices(self) -> float:
        """Whole devices that this comes to; a part by memory, which is another on each model, counts as a whole one."""
        return self.count * (WHOLE if self.memory else self.milli) / WHOLE


@dataclass(frozen=True, slots=True)
class PodClaim:
    """What a pod's spec calls by a name: a ResourceClaim that is there by itself, or one that is made for each pod from
    a ResourceClaimTemplate. One of the two is named."""

    name: str
    claim: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class PodSpec:
    """All of a pod that scheduling and protection look at and that replicas share; equal specs are one object.

    `requests` are the effective ones of the scheduler (resourcehelper.PodRequests: init and sidecar containers,
    overhead, pod-level resources), with `("pods", 1)` included. `counted` has a minimum for each container that asks
    for no CPU or memory, which only scores look at.
    """

    requests: Amounts = (("pods", 1),)
    limits: Amounts = ()
    bounds: Amounts = ()  # CPU and memory that the whole pod cannot exceed: only where every container has a limit
    node_selector: Labels = NO_LABELS
    node_affinity: NodeAffinity = NodeAffinity()
    affinity: PodAffinity = PodAffinity()
    anti_affinity: PodAffinity = PodAffinity()
    tolerations: tuple[Toleration, ...] = ()
    spread: tuple[SpreadConstraint, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    gpu: GpuRequest | None = None
    gpu_problem: str = ""  # why what it asks of GPUs beside its resources cannot be read; such a pod is not moved
    local_storage: bool = False  # any hostPath or emptyDir volume
    ephemeral: tuple[ClaimTemplate, ...] = ()  # generic ephemeral volumes
    resource_claims: tuple[PodClaim, ...] = ()  # DRA
    priority_class: str = ""
    scheduler_name: str = "default-scheduler"
    restart_policy: str = "Always"
    grace_seconds: int = 30
    images: tuple[str, ...] = ()
    qos: str = "Burstable"  # Guaranteed | Burstable | BestEffort
    counted: tuple[int, int] = (0, 0)  # CPU in millicores, memory in bytes; zeros: not known, derived from requests
    asks: Asks = NO_ASKS  # what each container is written to ask for, without what its status says is in force
    service_account: str = ""
    runtime_class: str = ""
    has_deadline: bool = False  # spec.activeDeadlineSeconds


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod. Times are unix seconds; 0.0 means unknown."""

    namespace: str
    name: str
    uid: str
    spec: PodSpec
    labels: Labels = NO_LABELS
    annotations: Labels = NO_LABELS
    owners: tuple[OwnerRef, ...] = ()
    node: str = ""  # spec.nodeName, empty: not bound
    phase: Phase = Phase.RUNNING
    status: PodStatus = NO_STATUS
    transitions: tuple[float, ...] = ()  # when each of the status's conditions changed last
    ready: bool = True
    unready: bool = False  # it says that it is not ready; where nothing is said (a slim recording) both are False
    generation: int = 0  # 1: nobody changed its spec since it was made; 0: the server does not count (before 1.33)
    created: float = 0.0
    started: float = 0.0
    deleting: float | None = None  # metadata.deletionTimestamp
    priority: int = 0
    claims: tuple[str, ...] = ()  # names of PersistentVolumeClaims, without those of ephemeral volumes
    pod_group: str = ""  # spec.schedulingGroup.podGroupName
    gpu_indices: tuple[int, ...] = ()  # devices held, ascending; empty when nobody says which
    gpu_shares: tuple[GpuShare, ...] = ()  # how much of each, where it is told; in the order of `gpu_indices`
    gpu_source: GpuSource | None = None  # who told it
    gpu_statements: tuple[GpuStatement, ...] = ()  # what each source said, the most trusted first
    device_claims: tuple[str, ...] = ()  # names of its ResourceClaims, in the order of its spec
    gated: bool = False  # has scheduling gates
    nominated: str = ""  # status.nominatedNodeName: the node whose room is kept for it while it waits
    resource_version: str = ""
    problem: str = ""  # why its spec could not be read: what it asks for is then unknown, and it may not move

    @property
    def terminal(self) -> bool:
        """Succeeded or Failed: holds no resources any more."""
        return self.phase in (Phase.SUCCEEDED, Phase.FAILED)

    @property
    def controller(self) -> OwnerRef | None:
        return controller_of(self.owners)

    @property
    def controller_uid(self) -> str:
        """Empty where nobody makes the pod again."""
        owner = self.controller
        return "" if owner is None else owner.uid

    @property
    def key(self) -> str:
        """`namespace/name`, for people and documents."""
        return f"{self.namespace}/{self.name}"
