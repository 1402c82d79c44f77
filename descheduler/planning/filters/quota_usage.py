"""What pods count as in a ResourceQuota: which quotas cover them, and how much of each resource they take.

Claims that a pod's generic ephemeral volumes make count too: they come and go with it. A quota's status tells of all
others.

Source: kubernetes pkg/quota/v1/evaluator/core/pods.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from descheduler.model.admission import ResourceQuota, ScopeRequirement
from descheduler.model.asks import Asks, ContainerAsk
from descheduler.model.pods import PodAffinity, PodSpec
from descheduler.model.quantity import amounts
from descheduler.model.storage import ClaimTemplate

Usage = Mapping[str, int]
"""Amounts by a quota's own names, in the units of `admission.unit_of`."""

OBJECTS = "count/pods"
_BOTH = ("cpu", "memory", "ephemeral-storage")  # quotas have these by their own name and as requests.
_DEMANDED = frozenset(f"{prefix}{name}" for name in ("cpu", "memory") for prefix in ("", "requests.", "limits."))
"""A quota that has one of these lets no pod in whose containers do not state it."""


def covers(quota: ResourceQuota, spec: PodSpec) -> bool:
    """Whether the quota counts pods of this spec."""
    return all(_in_scope(one, spec) for one in quota.scopes)


def usage(spec: PodSpec, asks: Asks) -> dict[str, int]:
    """What one pod takes; `asks` are those of the spec, or the same with defaults filled in."""
    requests, limits = dict(spec.requests), dict(spec.limits)
    if asks is not spec.asks:
        requests, limits = dict(amounts(asks.requests())), dict(amounts(asks.limits()))
    elif any(name not in requests for one in asks.containers for name, _ in one.requests):
        requests = {**dict(amounts(asks.requests())), **requests}  # also what the scheduler does not look at
    out = {"pods": 1, OBJECTS: 1}
    for resource, value in requests.items():
        for name in _names(resource):
            out[name] = value
    for resource, value in limits.items():
        if resource in _BOTH:
            out[f"limits.{resource}"] = value
    for claim in spec.ephemeral:
        for name, value in _of_claim(claim):
            out[name] = out.get(name, 0) + value
    return out


def unstated(quota: ResourceQuota, asks: Asks) -> str:
    """Resources that the quota wants every container to state, and the first container that does not; else empty."""
    demanded = {name for name, _ in quota.hard if name in _DEMANDED}
    if not demanded:
        return ""
    if asks.pod is not None:
        demanded -= _stated(asks.pod)
    for one in asks.containers:
        missing = sorted(demanded - _stated(one))
        if missing:
            return f"container {one.name} does not state {', '.join(missing)}"
    return ""


def _of_claim(claim: ClaimTemplate) -> Iterator[tuple[str, int]]:
    """What the new claim of an ephemeral volume takes (pkg/quota/v1/evaluator/core/persistent_volume_claims.go)."""
    yield "count/persistentvolumeclaims", 1
    for of in ("", f"{claim.storage_class}.storageclass.storage.k8s.io/" if claim.storage_class else None):
        if of is not None:
            yield f"{of}persistentvolumeclaims", 1
            yield f"{of}requests.storage", claim.storage


def _names(resource: str) -> Iterator[str]:
    if resource in _BOTH or resource.startswith("hugepages-"):
        yield resource
        yield f"requests.{resource}"
    elif "/" in resource and "kubernetes.io/" not in resource:  # extended resources (v1helper.IsExtendedResourceName)
        yield f"requests.{resource}"


def _stated(one: ContainerAsk) -> set[str]:
    requests = {name for resource, _ in one.requests for name in _names(resource)}
    return requests | {f"limits.{resource}" for resource, _ in one.limits}


def _in_scope(one: ScopeRequirement, spec: PodSpec) -> bool:
    match one.scope:
        case "Terminating":
            return spec.has_deadline
        case "NotTerminating":
            return not spec.has_deadline
        case "BestEffort":
            return spec.qos == "BestEffort"
        case "NotBestEffort":
            return spec.qos != "BestEffort"
        case "PriorityClass":
            return _of_class(one, spec.priority_class)
        case "CrossNamespacePodAffinity":
            return any(map(_across, (spec.affinity, spec.anti_affinity)))
        case _:  # of other things than pods (VolumeAttributesClass)
            return False


def _of_class(one: ScopeRequirement, name: str) -> bool:
    match one.operator:
        case "In":
            return bool(name) and name in one.values
        case "NotIn":
            return not name or name not in one.values
        case "DoesNotExist":
            return not name
        case _:
            return bool(name)


def _across(affinity: PodAffinity) -> bool:
    terms = (*affinity.required, *(term for _, term in affinity.preferred))
    return any(term.namespaces or term.namespace_selector is not None for term in terms)
