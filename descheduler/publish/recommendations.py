"""Profiles as Koordinator's Recommendation objects, one for each published workload.

The API is koordinator-sh/koordinator apis/analysis/v1alpha1/recommendation_types.go; no controller of Koordinator's
writes it, so the status is ours. Objects are told apart by the label that says who manages them: one that lacks it is
somebody else's and is never touched, whatever its name.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import msgspec

from descheduler.apiwrite.wire import Meta, Wire, decode, encode
from descheduler.apiwrite.writer import COMPONENT, MANAGED_BY, ClusterWriter
from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.discovery import discover
from descheduler.kube.convert.customs import convert_custom
from descheduler.kube.convert.kinds import Kind
from descheduler.kube.convert.wire import CustomWire
from descheduler.model.errors import ClusterError, Conflict, NotFound, Throttled
from descheduler.model.quantity import parse_quantity
from descheduler.model.rights import Right
from descheduler.model.workloads import WorkloadKey
from descheduler.publish.advice import Advice

API_VERSION = "analysis.koordinator.sh/v1alpha1"
COLLECTION = "recommendations"
RIGHTS = (
    *(Right(API_VERSION.partition("/")[0], COLLECTION, verb) for verb in ("list", "create", "delete")),
    Right(API_VERSION.partition("/")[0], f"{COLLECTION}/status", "update"),
    Right("", "pods", "get"),
)
"""What writing them needs (manifests/components/recommend grants it)."""
_TOLERANCE = 0.05  # a recommendation that changed by less is not written again ...
_REFRESH = 3600.0  # ... unless it is this old (seconds): its time tells readers that it still holds
_NAME_LENGTH = 253


RECOMMENDATION = Kind(
    key="analysis.koordinator.sh/Recommendation",
    group=API_VERSION.partition("/")[0],
    versions=(API_VERSION.partition("/")[2],),
    name="Recommendation",
    plural="recommendations",
    wire=CustomWire,
    convert=lambda version: partial(convert_custom, kind="Recommendation", api_version=version),
)


@dataclass(frozen=True, slots=True)
class Written:
    """What one round did; `problems` holds a sentence for each workload that was left out."""

    written: int = 0
    unchanged: int = 0
    deleted: int = 0
    problems: tuple[str, ...] = ()


class _Owner(Wire, frozen=True):
    api_version: str
    kind: str
    name: str
    uid: str


class _Meta(Meta, frozen=True):
    owner_references: tuple[_Owner, ...] | None = None


class _Reference(Wire, frozen=True):
    kind: str
    name: str
    api_version: str = ""


class _Target(Wire, frozen=True):
    type: str
    workload: _Reference | None = None


class _Spec(Wire, frozen=True):
    target: _Target = _Target("")


class _ContainerStatus(Wire, frozen=True):
    container_name: str = ""
    resources: dict[str, str | int | float] | None = None


class _PodStatus(Wire, frozen=True):
    container_statuses: tuple[_ContainerStatus, ...] = ()


class _Condition(msgspec.Struct, frozen=True, rename="camel"):  # the API demands every field, so none is left out
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""


class _Status(Wire, frozen=True):
    pod_status: _PodStatus | None = None
    update_time: str | None = None
    conditions: tuple[_Condition, ...] = ()


class Recommendation(Wire, frozen=True):
    """The object, as far as it is ours to write."""

    metadata: _Meta = _Meta()
    spec: _Spec = _Spec()
    status: _Status | None = None


class _List(Wire, frozen=True):
    items: tuple[Recommendation, ...] = ()


class _Resources(Wire, frozen=True):
    requests: dict[str, str | int | float] | None = None


class _Container(Wire, frozen=True):
    name: str
    resources: _Resources = _Resources()


class _PodSpec(Wire, frozen=True):
    containers: tuple[_Container, ...] = ()


class _Pod(Wire, frozen=True):
    spec: _PodSpec = _PodSpec()


class Recommendations:
    """Keeps the Recommendation objects of a cluster that serves them in step with what is advised."""

    def __init__(self, writer: ClusterWriter) -> None:
        self._writer = writer

    def publish(self, advice: Sequence[Advice], now: float) -> Written:
        """Create, update and delete so that every advised workload has its object, and no other one of ours is left.

        A workload that the server refuses is a problem of the answer, and the others go on.

        Raises:
            LeadershipLost: nothing further was sent.
            ClusterError: the objects cannot be listed, or the server sheds load.
        """
        ours = {(one.metadata.namespace, one.metadata.name): one for one in self._ours()}
        written = unchanged = deleted = 0
        problems: list[str] = []
        for one in advice:
            there = ours.pop((one.workload.namespace, name_of(one.workload)), None)
            if one.amounts is None or (there is not None and _holds(there, one.amounts, now)):
                unchanged += 1
                continue
            try:
                self._write(one, one.amounts, there, now)
                written += 1
            except Throttled:
                raise
            except ClusterError as error:
                problems.append(_problem(one.workload, error, there is None))
        for left in ours.values():
            try:
                self._writer.delete(_path(left.metadata.namespace, left.metadata.name), left.metadata.uid)
                deleted += 1
            except (NotFound, Conflict):
                continue  # gone, or another object by now
        return Written(written, unchanged, deleted, tuple(problems))

    def _ours(self) -> tuple[Recommendation, ...]:
        answer = self._writer.transport.request(
            "GET", f"/apis/{API_VERSION}/{COLLECTION}", query={"labelSelector": f"{MANAGED_BY}={COMPONENT}"}
        )
        return decode(answer, _List).items

    def _write(self, advice: Advice, amounts: Mapping[str, float], there: Recommendation | None, now: float) -> None:
        containers = self._containers(advice)
        if there is None:
            body = encode(API_VERSION, Recommendation(_meta(advice), _spec(advice)))
            there = decode(self._writer.create(_path(advice.workload.namespace), body), Recommendation)
        status = _status(amounts, containers, advice.note, there, now)
        # A status is written by itself: creating an object drops it, as the API's subresource demands.
        body = encode(API_VERSION, msgspec.structs.replace(there, status=status))
        self._writer.replace(f"{_path(there.metadata.namespace, there.metadata.name)}/status", body)

    def _containers(self, advice: Advice) -> tuple[_Container, ...]:
        path = f"/api/v1/namespaces/{advice.workload.namespace}/pods/{advice.pod}"
        return decode(self._writer.transport.request("GET", path), _Pod).spec.containers


def served(client: KubeClient, writer: ClusterWriter) -> Callable[[], Recommendations | None]:
    """Asks the cluster, each time, whether it has the API."""
    kept = Recommendations(writer)
    return lambda: kept if discover(client, (RECOMMENDATION,)).served else None


def name_of(workload: WorkloadKey) -> str:
    """The object's name: kind and name; one that is too long ends in a hash of it."""
    name = f"{workload.kind.lower()}-{workload.name}"
    if len(name) <= _NAME_LENGTH:
        return name
    return f"{name[: _NAME_LENGTH - 17]}-{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"


def _path(namespace: str, name: str = "") -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{COLLECTION}" + (f"/{name}" if name else "")


def _problem(workload: WorkloadKey, error: ClusterError, creating: bool) -> str:
    if creating and isinstance(error, Conflict):
        return f"{workload}: there is a Recommendation {name_of(workload)} already that is not ours"
    return f"{workload}: {error}"


def _meta(advice: Advice) -> _Meta:
    """Owned by the workload, so that it goes with it."""
    key = advice.workload
    owners = (_Owner(advice.api_version, key.kind, key.name, advice.uid),) if advice.uid else None
    return _Meta(name=name_of(key), namespace=key.namespace, labels={MANAGED_BY: COMPONENT}, owner_references=owners)


def _spec(advice: Advice) -> _Spec:
    return _Spec(_Target("workload", _Reference(advice.workload.kind, advice.workload.name, advice.api_version)))


def _status(
    amounts: Mapping[str, float], containers: Sequence[_Container], note: str, there: Recommendation, now: float
) -> _Status:
    """`there` lends the time of the condition while it stays the same."""
    shares, how = _shares(amounts, containers)
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    before = next(iter(there.status.conditions if there.status else ()), None)
    since = before.last_transition_time if before is not None and before.reason == how else at
    statuses = tuple(
        _ContainerStatus(
            container.name,
            {resource: _quantity(resource, amount * shares[resource][i]) for resource, amount in amounts.items()},
        )
        for i, container in enumerate(containers)
    )
    return _Status(_PodStatus(statuses), at, (_Condition("Recommended", "True", how, note, since),))


def _shares(amounts: Iterable[str], containers: Sequence[_Container]) -> tuple[dict[str, list[float]], str]:
    """The share of each container in each resource, and how it was found: history is kept by pod, not by container."""
    out: dict[str, list[float]] = {}
    how = "Forecast"
    for resource in amounts:
        asked = [_amount(c.resources.requests, resource) for c in containers]
        if len(containers) > 1:
            divided = "DividedByRequests" if all(asked) else "DividedEvenly"
            how = divided if how != "DividedEvenly" else how
        if not all(asked):
            asked = [1.0] * len(containers)
        out[resource] = [one / sum(asked) for one in asked]
    return out, how


def _quantity(resource: str, amount: float) -> str:
    """Millicores and mebibytes, rounded up and never nothing."""
    if resource == "memory":
        return f"{max(1, math.ceil(amount / 2**20))}Mi"
    return f"{max(1, math.ceil(round(amount * 1000, 3)))}m"


def _amount(found: Mapping[str, str | int | float] | None, resource: str) -> float:
    return float(parse_quantity(str((found or {}).get(resource, "0"))))


def _holds(there: Recommendation, amounts: Mapping[str, float], now: float) -> bool:
    """Whether what is written is near enough and recent enough."""
    status = there.status
    if status is None or status.pod_status is None or not status.update_time:
        return False
    try:
        age = now - datetime.fromisoformat(status.update_time).timestamp()
        written = {
            resource: sum(_amount(c.resources, resource) for c in status.pod_status.container_statuses)
            for resource in amounts
        }
    except ValueError:
        return False  # somebody wrote something else into it
    near = all(abs(written[r] - amount) <= _TOLERANCE * max(amount, 0.001) for r, amount in amounts.items())
    return near and 0 <= age < _REFRESH
