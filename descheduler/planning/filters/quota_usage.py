"""What pods count as in a ResourceQuota: which quotas cover them, and how much of each resource they take.

Source: kubernetes pkg/quota/v1/evaluator/core/pods.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from descheduler.model.admission import ResourceQuota, ScopeRequirement
from descheduler.model.asks import Asks, ContainerAsk
from descheduler.model.pods import Amounts, PodAffinity, PodSpec
from descheduler.model.quantity import amounts

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
    """What one pod takes; `asks` are its containers'. Where both tell, the larger counts, as in a resize."""
    stated = dict(amounts(asks.requests())) if asks.containers else {}
    limits = dict(amounts(asks.limits())) if asks.containers else {}
    out = {"pods": 1, OBJECTS: 1}
    for name, value in _larger(stated, spec.requests).items():
        out.update(dict.fromkeys(_names(name), value))
    for name, value in _larger(limits, spec.limits).items():
        if name in _BOTH:
            out[f"limits.{name}"] = value
    return out


def unstated(quota: ResourceQuota, asks: Asks) -> str:
    """Resources that the quota wants every container to state, and the first container that does not; else empty."""
    demanded = {name for name, _ in (*quota.hard, *quota.enforced)} & _DEMANDED
    if asks.pod is not None:
        demanded -= _stated(asks.pod)
    for one in asks.containers:
        missing = sorted(demanded - _stated(one))
        if missing:
            return f"container {one.name} does not state {', '.join(missing)}"
    return ""


def _names(resource: str) -> Iterator[str]:
    if resource in _BOTH or resource.startswith("hugepages-"):
        yield resource
        yield f"requests.{resource}"
    elif "/" in resource and "kubernetes.io/" not in resource:  # extended resources (v1helper.IsExtendedResourceName)
        yield f"requests.{resource}"


def _stated(one: ContainerAsk) -> set[str]:
    requests = {name for resource, _ in one.requests for name in _names(resource)}
    return requests | {f"limits.{resource}" for resource, _ in one.limits}


def _larger(one: Mapping[str, int], other: Amounts) -> dict[str, int]:
    return {**one, **{name: max(value, one.get(name, 0)) for name, value in other}}


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
