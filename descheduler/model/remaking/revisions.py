"""From which revision of its controller's template the replacement of a pod is made, and which one the pod is of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from descheduler.model.labels import Labels
from descheduler.model.pods import Pod, PodAffinity, PodAffinityTerm, PodSpec, SpreadConstraint
from descheduler.model.selectors import LabelSelector, NodeSelectorTerm
from descheduler.model.workloads import Ordinals, Workload

REVISION = "controller-revision-hash"  # of StatefulSets (apps/v1 StatefulSetRevisionLabel)
_HASHES = ("pod-template-hash", "rollouts-pod-template-hash")  # Deployments, Argo Rollouts
_IDENTITY = ("statefulset.kubernetes.io/", "apps.kubernetes.io/", "batch.kubernetes.io/")
Terms = tuple[NodeSelectorTerm, ...]
_ORDINAL = re.compile(r"-([0-9]+)$")


class Revision(StrEnum):
    """How the template that the replacement is made from stands to the pod."""

    SAME = "the same"  # the pod was made from it
    ALIKE = "alike"  # nobody says so, but the pod may have been made from it
    OTHER = "another"  # the pod was made from another one
    OLDER = "older"  # an older one is used, which the pod was made from, and which is not read
    UNSEEN = "unseen"  # an older one is used, which is neither the pod's nor read


def revision(workload: Workload, pod: Pod) -> Revision:
    """Compare what the workload would make a pod's replacement from with what the pod was made from.

    A pod of the template's revision that lacks a rule of the template is of another one all the same: the template of a
    ReplicaSet may be changed, its hash stays.
    """
    template = workload.template
    assert template is not None
    said = _of_set(workload.ordinals, pod) if workload.ordinals is not None else _of_hash(template.labels, pod.labels)
    if said not in (None, Revision.SAME):
        return said
    if not _has_rules_of(pod.spec, template.spec):
        return Revision.OTHER
    return said or (Revision.ALIKE if _has_names_of(pod.spec, template.spec) else Revision.OTHER)


def _of_hash(template: Labels, pod: Labels) -> Revision | None:
    same = any(key in pod and template.get(key) == pod[key] for key in _HASHES)
    return Revision.SAME if same else None


def _of_set(ordinals: Ordinals, pod: Pod) -> Revision | None:
    """After `newVersionedStatefulSetPod` (kubernetes pkg/controller/statefulset/stateful_set_utils.go)."""
    own, update = pod.labels.get(REVISION, ""), ordinals.update_revision
    if not own or not update:
        return None
    at = ordinal(pod)
    kept = not ordinals.on_delete and at is not None and at < ordinals.start + ordinals.partition
    made_from = (ordinals.current_revision or own) if kept else update
    if made_from == update:
        return Revision.SAME if own == update else Revision.OTHER
    return Revision.OLDER if own == made_from else Revision.UNSEEN


def ordinal(pod: Pod) -> int | None:
    """The number at the end of the pod's name."""
    found = _ORDINAL.search(pod.name)
    return int(found.group(1)) if found else None


def _has_rules_of(pod: PodSpec, template: PodSpec) -> bool:
    """Whether the pod has all of the template that says where it may run; admission adds to that, and takes nothing."""
    return (
        _within(template.node_selector.items(), pod.node_selector.items())
        and _within(template.tolerations, pod.tolerations)
        and _within(template.host_ports, pod.host_ports)
        and _within((one.name for one in template.asks.containers), (one.name for one in pod.asks.containers))
        and _selects_less(pod.node_affinity.required, template.node_affinity.required)
        and _alike(template.affinity, pod.affinity)
        and _alike(template.anti_affinity, pod.anti_affinity)
        and _within(map(_skew, template.spread), map(_skew, pod.spread))
    )


def _has_names_of(pod: PodSpec, template: PodSpec) -> bool:
    """Whether scheduler and priority are as the template says, which admission may set too."""
    return template.scheduler_name == pod.scheduler_name and template.priority_class in ("", pod.priority_class)


def _selects_less(pod: Terms | None, template: Terms | None) -> bool:
    """Of alternatives, each of the pod's must be one of the template's, or that and more."""
    if template is None or pod is None:
        return template is None
    return all(
        any(_within(t.expressions, p.expressions) and _within(t.fields, p.fields) for t in template) for p in pod
    )


def _within(some: Iterable[object], every: Iterable[object]) -> bool:
    return set(some) <= set(every)


def _skew(constraint: SpreadConstraint) -> tuple[str, int, str]:
    return constraint.topology_key, constraint.max_skew, constraint.when_unsatisfiable


def _alike(template: PodAffinity, pod: PodAffinity) -> bool:
    return all(any(_same_term(one, other) for other in pod.required) for one in template.required)


def _same_term(template: PodAffinityTerm, pod: PodAffinityTerm) -> bool:
    # The API server adds to the selector of a pod what `matchLabelKeys` name (pkg/registry/core/pod/strategy.go).
    return template.topology_key == pod.topology_key and _narrowed(template.selector, pod.selector)


def _narrowed(wide: LabelSelector | None, narrow: LabelSelector | None) -> bool:
    if wide is None or narrow is None:
        return wide is narrow
    return set(wide.requirements) <= set(narrow.requirements)


def identity(labels: Labels) -> Labels:
    """The labels by which a controller tells its pods apart, which no template has."""
    return Labels({k: v for k, v in labels.items() if k.startswith(_IDENTITY)})
