"""Gates that people choose: opt-outs on pods and namespaces, which nothing lifts, and the policy's protections."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.context import EVICT, Gate, Mask, Scene
from descheduler.planning.filters.pod import QOS

CRITICAL = 2_000_000_000  # kubernetes pkg/apis/scheduling, SystemCriticalPriority
PREFER_NO_EVICTION = "descheduler.alpha.kubernetes.io/prefer-no-eviction"
EVICTION_COST, NEVER_COST = "scheduling.koordinator.sh/eviction-cost", str(2**31 - 1)
EVICTION_ENABLED = "koordinator.sh/eviction-enabled"
_AUTOSCALERS = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
    "karpenter.sh/do-not-evict": "true",  # its former name
}


def choice_gates(scene: Scene) -> Iterator[Gate]:
    """Opt-outs and namespaces."""
    wanted = {EVICT: "false", EVICTION_COST: NEVER_COST, **(_AUTOSCALERS if scene.policy.autoscaler_opt_outs else {})}
    marks = frozenset(wanted) | ({PREFER_NO_EVICTION} if scene.policy.prefer_no_eviction_forbids else frozenset())

    def opted(annotations: Labels) -> str:
        found = next((k for k, v in wanted.items() if annotations.get(k) == v), "")
        return found or (
            PREFER_NO_EVICTION if PREFER_NO_EVICTION in marks and PREFER_NO_EVICTION in annotations else ""
        )

    def explain(pod: int) -> Blocked:
        annotations = scene.pods[pod].annotations
        key = opted(annotations)
        if key:
            return Blocked(Reason.OPTED_OUT, f"annotation {key}", annotations[key])
        return Blocked(Reason.OPTED_OUT, f"label {EVICTION_ENABLED}", "false")

    mask = scene.by_annotations(lambda a: not marks.isdisjoint(a) and bool(opted(a)))
    mask |= scene.by_labels(lambda found: found.get(EVICTION_ENABLED) == "false")
    yield Gate(Reason.OPTED_OUT, mask, explain)
    yield _virtual(scene)
    yield from _namespaces(scene)


def reluctant(scene: Scene) -> Mask:
    """[P] pods that would rather not be evicted."""
    return scene.by_annotations(lambda a: PREFER_NO_EVICTION in a)


def _virtual(scene: Scene) -> Gate:
    virtual = np.array([*(n.virtual for n in scene.snapshot.nodes), False], np.bool_)  # -1, unbound, takes the last
    mask: Mask = virtual[scene.columns.pod_node]
    return Gate(
        Reason.NOT_SELECTED,
        mask,
        lambda i: Blocked(Reason.NOT_SELECTED, f"node/{scene.pods[i].node}", "virtual nodes are left alone"),
    )


def _namespaces(scene: Scene) -> Iterator[Gate]:
    policy = scene.policy

    def excluded(name: str) -> bool:
        if (policy.namespaces and name not in policy.namespaces) or name in policy.excluded_namespaces:
            return True
        labels = scene.snapshot.namespaces.get(name, NO_LABELS)
        return policy.namespace_selector is not None and not policy.namespace_selector.matches(labels)

    if policy.namespaces or policy.excluded_namespaces or policy.namespace_selector is not None:
        yield Gate(
            Reason.NAMESPACE_EXCLUDED,
            scene.by_namespace(excluded),
            lambda i: Blocked(Reason.NAMESPACE_EXCLUDED, f"namespace/{scene.pods[i].namespace}"),
        )


def protection_gates(scene: Scene) -> Iterator[Gate]:
    """The policy's protections; pods that ask to be evicted are let through all of them."""
    for gate in (*_priorities(scene), *_storage(scene), *_selection(scene), *_counts(scene)):
        yield Gate(gate.reason, gate.mask & ~scene.willing, gate.explain)


def _priorities(scene: Scene) -> Iterator[Gate]:
    priority, policy = scene.columns.pod_priority, scene.policy

    def told(reason: Reason) -> Gate:
        limit = CRITICAL if reason is Reason.SYSTEM_CRITICAL else threshold
        return Gate(reason, priority >= limit, lambda i: Blocked(reason, f"priority {priority[i]}"))

    threshold = CRITICAL if policy.priority_threshold is None else policy.priority_threshold
    if policy.protect_system_critical:
        yield told(Reason.SYSTEM_CRITICAL)
    if policy.priority_threshold is not None:
        yield told(Reason.PRIORITY_TOO_HIGH)
    if policy.protected_qos:
        yield Gate(
            Reason.NEVER_EVICT,
            scene.by_labels(lambda found: found.get(QOS) in policy.protected_qos),
            lambda i: Blocked(Reason.NEVER_EVICT, f"label {QOS}={scene.pods[i].labels.get(QOS)}", "has CPUs bound"),
        )


def _storage(scene: Scene) -> Iterator[Gate]:
    policy, specs = scene.policy, scene.columns.specs
    if policy.protect_local_storage:
        mask = scene.by_spec([s.local_storage for s in specs])
        yield Gate(Reason.LOCAL_STORAGE, mask, lambda i: Blocked(Reason.LOCAL_STORAGE, scene.name(i)))
    if policy.protect_resource_claims:
        yield Gate(
            Reason.RESOURCE_CLAIMS,
            scene.by_spec([bool(s.resource_claims) for s in specs]),
            lambda i: Blocked(
                Reason.RESOURCE_CLAIMS, ", ".join(scene.pods[i].spec.resource_claims), scene.pods[i].claims_note
            ),
        )
    if policy.protect_persistent_volumes:
        held = [bool(p.claims) and _protected_claim(scene, p) is not None for p in scene.pods]
        yield Gate(
            Reason.PERSISTENT_VOLUME,
            np.array(held, np.bool_),
            lambda i: Blocked(Reason.PERSISTENT_VOLUME, f"claim/{_protected_claim(scene, scene.pods[i])}"),
        )


def _protected_claim(scene: Scene, pod: Pod) -> str | None:
    """A claim of the pod that the policy protects; one that is not known is."""
    for name in pod.claims:
        claim = scene.snapshot.claims.get((pod.namespace, name))
        classes = scene.policy.protected_storage_classes
        if not classes or claim is None or claim.storage_class in classes:
            return name
    return None


def _selection(scene: Scene) -> Iterator[Gate]:
    selector = scene.policy.label_selector
    if selector is not None:
        mask = ~scene.by_labels(selector.matches)
        yield Gate(Reason.NOT_SELECTED, mask, lambda i: Blocked(Reason.NOT_SELECTED, "the policy's label selector"))
    if scene.policy.protect_without_budget:
        mask = scene.matches.count == 0
        yield Gate(Reason.WITHOUT_BUDGET, mask, lambda i: Blocked(Reason.WITHOUT_BUDGET, scene.name(i)))


def _counts(scene: Scene) -> Iterator[Gate]:
    policy = scene.policy
    if policy.min_replicas > 1:
        # Upstream counts finished and terminating pods too, which lets the last running ones go.
        rows = _controllers(scene)
        running = np.bincount(rows[scene.running & ~scene.leaving], minlength=int(rows.max(initial=0)) + 1)
        few: Mask = (running < policy.min_replicas)[rows]
        yield Gate(
            Reason.TOO_FEW_REPLICAS,
            few,
            lambda i: Blocked(Reason.TOO_FEW_REPLICAS, scene.name(i), f"{running[rows[i]]} of {policy.min_replicas}"),
        )
    if policy.min_age_seconds is not None:
        started = np.fromiter((p.started for p in scene.pods), np.float64, len(scene.pods))
        young = (started <= 0) | (scene.now - started < policy.min_age_seconds)
        yield Gate(
            Reason.TOO_YOUNG,
            young,
            lambda i: Blocked(
                Reason.TOO_YOUNG,
                scene.name(i),
                f"runs since {scene.now - started[i]:.0f} s" if started[i] > 0 else "its start is not known",
            ),
        )


def _controllers(scene: Scene) -> NDArray[np.int32]:
    """[P] a number for each controller, by its uid: references are not always one object."""
    uids = [(p.controller or p.owners[0]).uid if p.owners else "" for p in scene.looks.first_of_owner]
    number = {uid: i for i, uid in enumerate(dict.fromkeys(uids))}
    rows: NDArray[np.int32] = np.array([number[uid] for uid in uids], np.int32)[scene.looks.owners.rows]
    return rows
