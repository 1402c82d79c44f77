"""What the API server holds a new pod to: the objects that it must find, and the quotas and limits of its namespace."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.model.asks import Exact
from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.pods import Amounts, Toleration

_MILLI = frozenset({"cpu", "requests.cpu", "limits.cpu"})


def unit_of(resource: str) -> str:
    """The resource in whose unit (`quantity.amount`) a quota's own name is counted: `limits.cpu` in millicores."""
    return "cpu" if resource in _MILLI else resource


@dataclass(frozen=True, slots=True, order=True)
class ServiceAccount:
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class RuntimeClass:
    """A node.k8s.io/v1 RuntimeClass: what it puts on pods at admission."""

    name: str
    overhead: Exact = ()
    node_selector: Labels = NO_LABELS
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True, slots=True)
class ScopeRequirement:
    """One requirement of a quota's scopes; `spec.scopes` are requirements with operator Exists."""

    scope: str  # Terminating | NotTerminating | BestEffort | NotBestEffort | PriorityClass | CrossNamespacePodAffinity
    operator: str = "Exists"  # In | NotIn | Exists | DoesNotExist; only PriorityClass knows others than Exists
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ResourceQuota:
    """A core/v1 ResourceQuota. Amounts by the quota's own names (`requests.cpu`), in the units of `unit_of`.

    The API server admits by the status: `enforced` (status.hard) and `used`. What is in `hard` but not in these has
    not been counted by its controller yet, and lets nothing in.
    """

    namespace: str
    name: str
    hard: Amounts = ()
    enforced: Amounts = ()
    used: Amounts = ()
    scopes: tuple[ScopeRequirement, ...] = ()
    problem: str = ""  # why it could not be read; it then lets nothing in

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class LimitRangeItem:
    """Bounds and defaults of one type of thing; `ratio` the largest limit to request, by resource."""

    type: str  # Container | Pod | PersistentVolumeClaim
    least: Amounts = ()
    most: Amounts = ()
    default_requests: Exact = ()
    default_limits: Exact = ()
    ratio: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LimitRange:
    """A core/v1 LimitRange."""

    namespace: str
    name: str
    items: tuple[LimitRangeItem, ...] = ()
    problem: str = ""  # why it could not be read; it then lets nothing in

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"
