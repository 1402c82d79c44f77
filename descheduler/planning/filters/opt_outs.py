"""Filters that people choose: opt-outs on pods and namespaces, which nothing lifts, and the policy's protections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Mask
from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.context import EVICT, Filter, FilterContext
from descheduler.planning.filters.do_not_disrupt import do_not_disrupt_filter
from descheduler.planning.filters.pod import QOS

CRITICAL = 2_000_000_000  # kubernetes pkg/apis/scheduling, SystemCriticalPriority
PREFER_NO_EVICTION = "descheduler.alpha.kubernetes.io/prefer-no-eviction"
EVICTION_COST, NEVER_COST = "scheduling.koordinator.sh/eviction-cost", str(2**31 - 1)
EVICTION_ENABLED = "koordinator.sh/eviction-enabled"
_AUTOSCALERS = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-evict": "true",  # the former name of do-not-disrupt
    "autoscaling.cast.ai/removal-disabled": "true",
}
_AUTOSCALERS_LABELS = {
    "autoscaling.cast.ai/removal-disabled": "true",
    "spotinst.io/restrict-scale-down": "true",
}


def opt_out_filters(context: FilterContext) -> Iterator[Filter]:
    """Opt-outs and namespaces."""
    wanted = {EVICT: "false", EVICTION_COST: NEVER_COST, **(_AUTOSCALERS if context.policy.autoscaler_opt_outs else {})}
    labels = {EVICTION_ENABLED: "false", **(_AUTOSCALERS_LABELS if context.policy.autoscaler_opt_outs else {})}
    marks = frozenset(wanted) | ({PREFER_NO_EVICTION} if context.policy.prefer_no_eviction_forbids else frozenset())

    def opted(annotations: Labels) -> str:
        found = next((k for k, v in wanted.items() if annotations.get(k) == v), "")
        return found or (
            PREFER_NO_EVICTION if PREFER_NO_EVICTION in marks and PREFER_NO_EVICTION in annotations else ""
        )

    def explain(pod: int) -> Blocked:
        annotations = context.pods[pod].annotations
        key = opted(annotations)
        if key:
            return Blocked(Reason.OPTED_OUT, f"annotation {key}", annotations[key])
        label = next(key for key, value in labels.items() if context.pods[pod].labels.get(key) == value)
        return Blocked(Reason.OPTED_OUT, f"label {label}", labels[label])

    mask = context.by_annotations(lambda a: not marks.isdisjoint(a) and bool(opted(a)))
    named = frozenset(labels)
    mask |= context.by_labels(
        lambda found: not named.isdisjoint(found) and any(found.get(key) == value for key, value in labels.items())
    )
    yield Filter(Reason.OPTED_OUT, mask, explain)
    if context.policy.autoscaler_opt_outs:
        yield do_not_disrupt_filter(context)
    yield from _namespaces(context)


def prefers_no_eviction(context: FilterContext) -> Mask:
    """[P] pods that would rather not be evicted."""
    return context.by_annotations(lambda a: PREFER_NO_EVICTION in a)


def _namespaces(context: FilterContext) -> Iterator[Filter]:
    policy = context.policy

    def excluded(name: str) -> bool:
        if (policy.namespaces and name not in policy.namespaces) or name in policy.excluded_namespaces:
            return True
        labels = context.snapshot.namespaces.get(name, NO_LABELS)
        return policy.namespace_selector is not None and not policy.namespace_selector.matches(labels)

    if policy.namespaces or policy.excluded_namespaces or policy.namespace_selector is not None:
        yield Filter(
            Reason.NAMESPACE_EXCLUDED,
            context.by_namespace(excluded),
            lambda i: Blocked(Reason.NAMESPACE_EXCLUDED, f"namespace/{context.pods[i].namespace}"),
        )


def unless_asked_for(
    filters: Callable[[FilterContext], Iterator[Filter]],
) -> Callable[[FilterContext], Iterator[Filter]]:
    """Protections that let pods through which ask to be evicted."""

    @wraps(filters)
    def lifted(context: FilterContext) -> Iterator[Filter]:
        for one in filters(context):
            yield Filter(one.reason, one.mask & ~context.asks_for_eviction, one.explain)

    return lifted


@unless_asked_for
def priority_filters(context: FilterContext) -> Iterator[Filter]:
    """Pods of high priority."""
    priority, policy = context.columns.pod_priority, context.policy

    def at_least(reason: Reason) -> Filter:
        limit = CRITICAL if reason is Reason.SYSTEM_CRITICAL else threshold
        return Filter(reason, priority >= limit, lambda i: Blocked(reason, f"priority {priority[i]}"))

    threshold = CRITICAL if policy.priority_threshold is None else policy.priority_threshold
    if policy.protect_system_critical:
        yield at_least(Reason.SYSTEM_CRITICAL)
    if policy.priority_threshold is not None:
        yield at_least(Reason.PRIORITY_TOO_HIGH)


@unless_asked_for
def bound_cpu_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods that have CPUs of their own."""
    if context.policy.protected_qos:
        yield Filter(
            Reason.NEVER_EVICT,
            context.by_labels(lambda found: found.get(QOS) in context.policy.protected_qos),
            lambda i: Blocked(Reason.NEVER_EVICT, f"label {QOS}={context.pods[i].labels.get(QOS)}", "has CPUs bound"),
        )


@unless_asked_for
def held_data_filters(context: FilterContext) -> Iterator[Filter]:
    """Pods with volumes or devices that the policy protects."""
    policy, specs = context.policy, context.columns.specs
    if policy.protect_local_storage:
        mask = context.by_spec([s.local_storage for s in specs])
        yield Filter(Reason.LOCAL_STORAGE, mask, lambda i: Blocked(Reason.LOCAL_STORAGE, context.name(i)))
    if policy.protect_resource_claims:
        # One for extended resources is named by the pod's status alone.
        holding = np.fromiter((bool(pod.device_claims) for pod in context.pods), np.bool_, len(context.pods))
        yield Filter(
            Reason.RESOURCE_CLAIMS,
            context.by_spec([bool(s.resource_claims) for s in specs]) | holding,
            lambda i: Blocked(Reason.RESOURCE_CLAIMS, _named_claims(context.pods[i])),
        )
    if policy.protect_persistent_volumes:
        held = [bool(p.claims or p.spec.ephemeral) and _protected_claim(context, p) is not None for p in context.pods]
        yield Filter(
            Reason.PERSISTENT_VOLUME,
            np.array(held, np.bool_),
            lambda i: Blocked(Reason.PERSISTENT_VOLUME, f"claim/{_protected_claim(context, context.pods[i])}"),
        )


def _named_claims(pod: Pod) -> str:
    return ", ".join([claim.name for claim in pod.spec.resource_claims] or pod.device_claims)


def _protected_claim(context: FilterContext, pod: Pod) -> str | None:
    """A claim of the pod that the policy protects; one that is not known is."""
    for name in (*pod.claims, *(template.claim_of(pod.name) for template in pod.spec.ephemeral)):
        claim = context.snapshot.claims.get((pod.namespace, name))
        classes = context.policy.protected_storage_classes
        if not classes or claim is None or claim.storage_class in classes:
            return name
    return None


@unless_asked_for
def selection_filters(context: FilterContext) -> Iterator[Filter]:
    """Pods that the policy does not choose."""
    selector = context.policy.label_selector
    if selector is not None:
        mask = ~context.by_labels(selector.matches)
        yield Filter(Reason.NOT_SELECTED, mask, lambda i: Blocked(Reason.NOT_SELECTED, "the policy's label selector"))
    if context.policy.protect_without_budget:
        mask = context.matches.count == 0
        yield Filter(Reason.WITHOUT_BUDGET, mask, lambda i: Blocked(Reason.WITHOUT_BUDGET, context.name(i)))


@unless_asked_for
def replica_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods of controllers with few."""
    policy = context.policy
    if policy.min_replicas > 1:
        # Upstream counts finished and terminating pods too, which lets the last running ones go.
        rows = _controllers(context)
        running = np.bincount(rows[context.running & ~context.leaving], minlength=int(rows.max(initial=0)) + 1)
        few: Mask = (running < policy.min_replicas)[rows]
        yield Filter(
            Reason.TOO_FEW_REPLICAS,
            few,
            lambda i: Blocked(Reason.TOO_FEW_REPLICAS, context.name(i), f"{running[rows[i]]} of {policy.min_replicas}"),
        )


@unless_asked_for
def age_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods that have only just started."""
    policy = context.policy
    if policy.min_age_seconds is not None:
        started = np.fromiter((p.started for p in context.pods), np.float64, len(context.pods))
        young = (started <= 0) | (context.now - started < policy.min_age_seconds)
        yield Filter(
            Reason.TOO_YOUNG,
            young,
            lambda i: Blocked(
                Reason.TOO_YOUNG,
                context.name(i),
                f"runs since {context.now - started[i]:.0f} s" if started[i] > 0 else "its start is not known",
            ),
        )


def _controllers(context: FilterContext) -> NDArray[np.int32]:
    """[P] a number for each controller, by namespace and uid: references are not always one object."""
    found = [(p.namespace, (p.controller or p.owners[0]).uid if p.owners else "") for p in context.looks.first_of_owner]
    number = {one: i for i, one in enumerate(dict.fromkeys(found))}
    rows: NDArray[np.int32] = np.array([number[one] for one in found], np.int32)[context.looks.owners.rows]
    return rows
