"""What surge scales: the owner of a pod's ReplicaSet, and how it is at one moment, its pods included.

Pods of a ReplicaSet leave in an order that a cost on the pod decides, wherever there is nothing worse about another
one (kubernetes pkg/controller/controller_utils.go ActivePodsWithRanks). So what can be moved are pods of ReplicaSets,
by whoever sets their size: a Deployment, an Argo Rollout, or nobody but the ReplicaSet itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.wire import Wire, decode
from descheduler.execution.executors.surge.pods import SurgePod, pods_of
from descheduler.kube.convert.managed_fields import enforcers_of_replicas
from descheduler.model.errors import NotFound
from descheduler.model.plan import PodMove
from descheduler.model.rights import Right


@dataclass(frozen=True, slots=True)
class Scalable:
    """A kind that makes ReplicaSets, or is one, as the API server serves it."""

    group: str
    version: str
    plural: str


SCALABLE: Mapping[str, Scalable] = {
    "Deployment": Scalable("apps", "v1", "deployments"),
    "ReplicaSet": Scalable("apps", "v1", "replicasets"),
    "Rollout": Scalable("argoproj.io", "v1alpha1", "rollouts"),
}
SCALING: tuple[Right, ...] = tuple(
    right
    for kind in SCALABLE.values()
    for right in (
        Right(kind.group, kind.plural, "get"),
        Right(kind.group, f"{kind.plural}/scale", "get"),
        Right(kind.group, f"{kind.plural}/scale", "patch"),
    )
)
"""To look at them, and to change how many replicas there are, and nothing else of them."""


@dataclass(frozen=True, slots=True)
class Target:
    """Names the object whose replicas are changed."""

    kind: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        kind = SCALABLE[self.kind]
        return f"/apis/{kind.group}/{kind.version}/namespaces/{self.namespace}/{kind.plural}/{quote(self.name)}"

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


def target_of(move: PodMove) -> Target | None:
    """Whose replicas are changed for a move; None where there is nobody who could be scaled."""
    namespace, _, rest = move.workload.partition("/")
    kind, _, name = rest.partition("/")
    return Target(kind, namespace, name) if kind in SCALABLE and name else None


class _ObjectMeta(Wire, frozen=True):
    uid: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    managed_fields: msgspec.Raw = msgspec.Raw(b"null")


class _Condition(Wire, frozen=True):
    type: str = ""
    status: str = ""
    message: str = ""


class _ObjectSpec(Wire, frozen=True):
    paused: bool = False


class _ObjectStatus(Wire, frozen=True):
    observed_generation: int | str = 0  # a Rollout writes it as a text
    updated_replicas: int = 0
    replicas: int = 0
    phase: str = ""
    conditions: tuple[_Condition, ...] | None = None


class _Object(Wire, frozen=True):
    metadata: _ObjectMeta = _ObjectMeta()
    spec: _ObjectSpec = _ObjectSpec()
    status: _ObjectStatus = _ObjectStatus()


class _ScaleSpec(Wire, frozen=True):
    replicas: int = 0


class _ScaleStatus(Wire, frozen=True):
    selector: str = ""


class _Scale(Wire, frozen=True):
    spec: _ScaleSpec = _ScaleSpec()
    status: _ScaleStatus = _ScaleStatus()


@dataclass(frozen=True, slots=True)
class Situation:
    """A target at one moment. `replicas` are wanted; `pods` those that there are, but for finished and leaving ones."""

    uid: str
    replicas: int
    pods: tuple[SurgePod, ...]
    unfit: str  # why nobody should scale it now; empty when one may
    failure: str  # why its pods are not made

    def pod(self, uid: str) -> SurgePod | None:
        """The pod of that uid, where it is there."""
        return next((pod for pod in self.pods if pod.uid == uid), None)

    def of(self, replica_set: str) -> tuple[SurgePod, ...]:
        """The pods that one ReplicaSet, named by its uid, has."""
        return tuple(pod for pod in self.pods if pod.controller == replica_set)


def look(transport: Transport, target: Target) -> Situation | None:
    """The target as it is; None when it is not there. Raises ClusterError's kinds."""
    try:
        found = decode(transport.request("GET", target.path), _Object)
        scale = decode(transport.request("GET", f"{target.path}/scale"), _Scale)
    except NotFound:
        return None
    pods = pods_of(transport, target.namespace, scale.status.selector) if scale.status.selector else ()
    failure = next(
        (c.message for c in found.status.conditions or () if c.type == "ReplicaFailure" and c.status == "True"), ""
    )
    return Situation(
        uid=found.metadata.uid,
        replicas=scale.spec.replicas,
        pods=pods,
        unfit=_unfit(target, found, scale.spec.replicas),
        failure=failure,
    )


def _unfit(target: Target, found: _Object, replicas: int) -> str:
    meta, status = found.metadata, found.status
    if meta.deletion_timestamp is not None:
        return "it is being deleted"
    if found.spec.paused:
        return "it is paused"
    if enforcers := enforcers_of_replicas(meta.managed_fields):
        return f"{', '.join(enforcers)} sets its replicas, and would set them back"
    if target.kind == "Rollout" and status.phase not in ("", "Healthy"):
        return f"its rollout is {status.phase}"
    seen = int(status.observed_generation) if str(status.observed_generation).isdigit() else 0
    if 0 < seen < meta.generation:
        return "its controller has not seen yet what was written last"
    if status.replicas != replicas:
        return f"it has {status.replicas} pods and wants {replicas}"
    if target.kind != "ReplicaSet" and status.updated_replicas != replicas:
        return f"a rollout is under way: {status.updated_replicas} of {replicas} pods are of the newest revision"
    return ""
