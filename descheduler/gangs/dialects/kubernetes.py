"""Kubernetes core: `spec.schedulingGroup.podGroupName` and the PodGroup of scheduling.k8s.io.

Sources: kubernetes staging/src/k8s.io/api/scheduling/v1alpha2 and v1beta1 types.go (KEP-4671, KEP-5710). Until
v1alpha2 `disruptionMode` is the text "Pod" or "PodGroup"; from v1alpha3 on a union `{single: {}}` or `{all: {}}`.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup
from descheduler.gangs.spec_reading import ambiguous, child, positive
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.units import DisruptionMode

GROUP = "scheduling.k8s.io"
_MODES = {"Pod": DisruptionMode.PER_POD, "PodGroup": DisruptionMode.WHOLE}
_UNION = {"single": DisruptionMode.PER_POD, "all": DisruptionMode.WHOLE}


class Kubernetes(BaseDialect):
    """A pod group with the policy `basic` is no gang, unless it asks to be disrupted as a whole."""

    name = "kubernetes"
    rank = Rank.CORE

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        if not pod.pod_group:
            return ()
        found = lookup.find(GROUP, "PodGroup", pod.namespace, pod.pod_group)
        if isinstance(found, CustomObject) and _basic(found) and _mode(found) in (None, DisruptionMode.PER_POD):
            return ()
        return (GangKey(self.name, pod.namespace, pod.pod_group),)

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        del members
        found = lookup.find(GROUP, "PodGroup", gang.namespace, gang.name)
        if isinstance(found, Blocked):
            return Terms(blocked=found)
        mode = _mode(found)
        if isinstance(mode, Blocked):
            return Terms(blocked=mode)
        if _basic(found):
            return Terms(minimum=0, mode=mode)
        policy = child(found.spec, "schedulingPolicy")
        if isinstance(policy, dict) and "basic" in policy:
            return Terms(blocked=ambiguous(found, "schedulingPolicy is both basic and gang"))
        minimum = positive(found, "schedulingPolicy", "gang", "minCount")
        if isinstance(minimum, Blocked):
            return Terms(blocked=minimum)
        return Terms(minimum=minimum, mode=mode)


def _basic(group: CustomObject) -> bool:
    policy = child(group.spec, "schedulingPolicy")
    return isinstance(policy, dict) and "basic" in policy and "gang" not in policy


def _mode(group: CustomObject) -> DisruptionMode | Blocked | None:
    written = child(group.spec, "disruptionMode")
    if written is None:
        return None
    found = None
    if isinstance(written, str):
        found = _MODES.get(written)
    elif isinstance(written, dict) and len(written) == 1:
        found = _UNION.get(next(iter(written)))
    return found or ambiguous(group, f"disruptionMode {written!r} is not known")
