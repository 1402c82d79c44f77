"""From which revision of its controller's template the replacement of a pod is made, and which one the pod is of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from descheduler.model.labels import Labels
from descheduler.model.pods import Pod, PodAffinity, PodAffinityTerm, PodSpec
from descheduler.model.selectors import LabelSelector
from descheduler.model.workloads import Ordinals, Workload

REVISION = "controller-revision-hash"  # of StatefulSets (apps/v1 StatefulSetRevisionLabel)
_HASHES = ("pod-template-hash", "rollouts-pod-template-hash")  # Deployments, Argo Rollouts
_IDENTITY = ("statefulset.kubernetes.io/", "apps.kubernetes.io/", "batch.kubernetes.io/")
_ORDINAL = re.compile(r"-([0-9]+)$")


class Revision(StrEnum):
    """How the template that the replacement is made from stands to the pod."""

    SAME = "the same"  # the pod was made from it
    ALIKE = "alike"  # nobody says so, but the pod may have been made from it
    OTHER = "another"  # the pod was made from another one
    OLDER = "older"  # an older one is used, which the pod was made from, and which is not read
    UNSEEN = "unseen"  # an older one is used, which is neither the pod's nor read


def revision(workload: Workload, pod: Pod) -> Revision:
    """Compare what the workload would make a pod's replacement from with what the pod was made from."""
    template = workload.template
    assert template is not None
    if workload.ordinals is not None:
        found = _of_set(workload.ordinals, pod)
    else:
        hashed = any(key in pod.labels and template.labels.get(key) == pod.labels[key] for key in _HASHES)
        found = Revision.SAME if hashed else None
    if found is Revision.SAME and not _places_alike(pod.spec, template.spec):
        return Revision.OTHER  # somebody wrote the template since, past whoever hashes it
    if found is not None:
        return found
    return Revision.ALIKE if _may_be_of(pod.spec, template.spec) else Revision.OTHER


def _of_set(ordinals: Ordinals, pod: Pod) -> Revision | None:
    """After `newVersionedStatefulSetPod` (kubernetes pkg/controller/statefulset/stateful_set_utils.go)."""
    own, update = pod.labels.get(REVISION, ""), ordinals.update_revision
    if not own or not update:
        return None
    at = ordinal(pod)
    kept = not ordinals.on_delete and at is not None and at < ordinals.start + ordinals.partition
    if kept and ordinals.current_revision not in ("", update):
        return Revision.OLDER if own == ordinals.current_revision else Revision.UNSEEN
    return Revision.SAME if own == update else Revision.OTHER


def ordinal(pod: Pod) -> int | None:
    """The number at the end of the pod's name."""
    found = _ORDINAL.search(pod.name)
    return int(found.group(1)) if found else None


def _may_be_of(pod: PodSpec, template: PodSpec) -> bool:
    """Whether all that cannot change in a pod, once it is made, is as the template says; admission may have added."""
    return (
        _places_alike(pod, template)
        and template.scheduler_name == pod.scheduler_name
        and template.priority_class in ("", pod.priority_class)
    )


def _places_alike(pod: PodSpec, template: PodSpec) -> bool:
    """Whether the pod is held to all that the template says of nodes, ports, other pods and containers.

    Scheduler and priority class are not compared: admission may set others (Koordinator's ClusterColocationProfile).
    """
    return (
        _within(template.node_selector.items(), pod.node_selector.items())
        and _within(template.tolerations, pod.tolerations)
        and _within(template.host_ports, pod.host_ports)
        and {one.name for one in template.asks.containers} <= {one.name for one in pod.asks.containers}
        and template.node_affinity.required in (None, pod.node_affinity.required)
        and _alike(template.affinity, pod.affinity)
        and _alike(template.anti_affinity, pod.anti_affinity)
        and {(s.topology_key, s.max_skew) for s in template.spread}
        <= {(s.topology_key, s.max_skew) for s in pod.spread}
    )


def _within(some: Iterable[object], every: Iterable[object]) -> bool:
    return set(some) <= set(every)


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
