"""Whom surge can move, as far as a picture of the cluster tells: asked once for each controller and kind of pod.

One replica more, for a while, is only right where whoever sets the number lets it be, where the owner then takes away
the pod that is meant, and where two pods can be there at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from descheduler.execution.executors.protocol import PodFilter
from descheduler.execution.executors.surge.target import SCALABLE
from descheduler.gangs.spec_reading import child, integer
from descheduler.model.admission import ResourceQuota, unit_of
from descheduler.model.format import quantity
from descheduler.model.objects import CustomObject
from descheduler.model.owners import OwnerRef
from descheduler.model.pods import Pod, PodSpec
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import Workload, WorkloadKey
from descheduler.observe.autoscalers import AUTOSCALERS, Autoscaler, autoscalers
from descheduler.planning.filters.quota_usage import covers, usage

BY = "executor/surge"
KEDA = "keda.sh/ScaledObject"
_SHARED = frozenset({"ReadWriteMany", "ReadOnlyMany"})
_ORDINAL = "takes away the pod of the highest ordinal, which is the one that would be added"
_NEVER: Mapping[str, str] = {
    "StatefulSet": f"a StatefulSet {_ORDINAL}",
    "LeaderWorkerSet": f"a LeaderWorkerSet {_ORDINAL}",
    "DaemonSet": "a DaemonSet has one pod for each node",
    "Job": "a Job that runs two pods for one does the work twice",
}


def surge_filter(snapshot: ClusterSnapshot) -> PodFilter:
    """Why a pod cannot be moved by one replica more and one less; None where it can."""
    rules = _Rules(snapshot)
    known: dict[tuple[object, ...], str] = {}

    def refuses(pod: Pod) -> Blocked | None:
        owner = pod.controller
        if owner is None:
            return Blocked(Reason.EXECUTOR, BY, "no controller makes its replacement")
        key = (pod.namespace, owner.kind, owner.name, owner.uid, id(pod.spec), pod.claims)
        if key not in known:
            known[key] = rules.against(pod, owner)
        return Blocked(Reason.EXECUTOR, BY, known[key]) if known[key] else None

    return refuses


class _Rules:
    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self._snapshot = snapshot
        self._autoscalers = autoscalers(snapshot) if _served(snapshot, AUTOSCALERS) else {}
        self._scaled = _scaled_objects(snapshot)
        self._quotas: dict[str, list[ResourceQuota]] = {}
        for quota in snapshot.quotas:
            self._quotas.setdefault(quota.namespace, []).append(quota)

    def against(self, pod: Pod, owner: OwnerRef) -> str:
        """The first thing that speaks against it, empty where nothing does."""
        found = self._target(pod.namespace, owner)
        if isinstance(found, str):
            return found
        return (
            _unfit(found)
            or self._autoscaled(found)
            or self._one_at_a_time(pod)
            or next(filter(None, (_beyond(q, pod.spec) for q in self._quotas.get(pod.namespace, ()))), "")
        )

    def _target(self, namespace: str, owner: OwnerRef) -> Workload | CustomObject | str:
        """Whose replicas are changed; or why nobody's can be."""
        snapshot = self._snapshot
        replica_set = snapshot.workload(namespace, owner)
        if owner.kind != "ReplicaSet" or replica_set is None or replica_set.uid != owner.uid:
            above = snapshot.controllers(namespace, (owner,))
            kinds = (one.kind for one in reversed(above))
            never = next((_NEVER[kind] for kind in kinds if kind in _NEVER), "")
            return never or f"a {owner.kind} does not let it be said which of its pods leaves"
        above_it = replica_set.controller
        if above_it is None:
            return replica_set
        found = snapshot.controller(namespace, above_it)
        if above_it.kind not in SCALABLE or above_it.group != SCALABLE[above_it.kind].group:
            return f"its {above_it.kind} {above_it.name} sets the replicas"
        if found is None or found.uid != above_it.uid:
            return f"its {above_it.kind} {above_it.name} is not known"
        return found

    def _autoscaled(self, target: Workload | CustomObject) -> str:
        key = WorkloadKey(target.namespace, target.kind, target.name)
        if self._autoscalers is None:
            return "which autoscaler sets its replicas cannot be read"
        if key in self._scaled or self._scaled.get(None):
            return self._scaled.get(key) or self._scaled[None]
        if key not in self._autoscalers:
            return ""
        found = self._autoscalers[key]
        return "several autoscalers set its replicas" if found is None else _fought(found, _replicas(target))

    def _one_at_a_time(self, pod: Pod) -> str:
        """A volume that only one node, or one pod, may use is where the old pod is."""
        for name in pod.claims:
            claim = self._snapshot.claims.get((pod.namespace, name))
            if claim is None or not _SHARED.intersection(claim.access_modes):
                return f"claim {name} can be used on one node at a time"
        return ""


def _served(snapshot: ClusterSnapshot, kind: str) -> bool:
    fresh = snapshot.freshness.get(kind)
    return fresh.served if fresh is not None else kind in snapshot.objects


def _scaled_objects(snapshot: ClusterSnapshot) -> dict[WorkloadKey | None, str]:
    """By the workload that KEDA scales, why nobody else should; under None why that cannot be known of any."""
    if not _served(snapshot, KEDA):
        return {}
    fresh = snapshot.freshness.get(KEDA)
    if KEDA not in snapshot.objects or (fresh is not None and (fresh.error or not fresh.synced)):
        return {None: "which ScaledObject of KEDA sets its replicas cannot be read"}
    found: dict[WorkloadKey | None, str] = {}
    for one in snapshot.objects[KEDA]:
        kind = child(one.spec, "scaleTargetRef", "kind") or "Deployment"  # keda.sh/v1alpha1 ScaleTarget
        name = child(one.spec, "scaleTargetRef", "name")
        if isinstance(kind, str) and isinstance(name, str):
            found[WorkloadKey(one.namespace, kind, name)] = f"ScaledObject {one.name} of KEDA sets its replicas"
    return found


def _fought(hpa: Autoscaler, replicas: int) -> str:
    """Why an autoscaler would undo one replica more. It takes replicas away as soon as its window lets it, whatever
    they are there for; only where it may never do so, and there is room below its maximum, it lets them be."""
    name = f"HorizontalPodAutoscaler {hpa.name}"
    if hpa.least == hpa.most:
        return f"{name} keeps it at {hpa.most} replicas"
    if replicas >= hpa.most:
        return f"{name} allows no more than {hpa.most} replicas"
    return f"{name} would take one replica away again" if hpa.fewer else ""


def _unfit(target: Workload | CustomObject) -> str:
    """Why the number of replicas should not be touched now."""
    if target.problem:
        return target.problem
    if target.deleting:
        return "it is being deleted"
    if target.controller is not None:
        return f"{target.controller.kind} {target.controller.name} runs it, and would set its replicas back"
    if target.enforcers:
        return f"{', '.join(target.enforcers)} sets its replicas, and would set them back"
    return _rolling(target) if isinstance(target, Workload) else _rolling_out(target)


def _rolling(target: Workload) -> str:
    if target.paused:
        return "it is paused"
    if target.behind:
        return "its controller has not seen yet what was written last"
    if target.present != target.replicas:
        return f"it has {target.present} pods and wants {target.replicas}"
    if target.updated is not None and target.updated != target.replicas:
        return f"a rollout is under way: {target.updated} of {target.replicas} pods are of the newest revision"
    return ""


def _rolling_out(target: CustomObject) -> str:
    """The same of an Argo Rollout (argoproj.io/v1alpha1 RolloutStatus)."""
    if target.spec.get("paused") is True or target.status.get("pauseConditions"):
        return "it is paused"
    phase = target.status.get("phase")
    if isinstance(phase, str) and phase not in ("", "Healthy"):
        return f"its rollout is {phase}"
    wanted = _replicas(target)
    present, updated = integer(target.status.get("replicas", 0)), integer(target.status.get("updatedReplicas", 0))
    if present != wanted:
        return f"it has {present} pods and wants {wanted}"
    return "" if updated == wanted else f"a rollout is under way: {updated} of {wanted} pods are of the newest revision"


def _replicas(target: Workload | CustomObject) -> int:
    if isinstance(target, Workload):
        return target.replicas
    found = integer(target.spec.get("replicas", 1))
    return 1 if found is None else found


def _beyond(quota: ResourceQuota, spec: PodSpec) -> str:
    """What a quota has against one pod more."""
    if not covers(quota, spec):
        return ""
    name = f"resourcequota/{quota.key}"
    if quota.problem:
        return f"{name}: {quota.problem}"
    return next((f"{name}: {text}" for text in _over(quota, spec)), "")


def _over(quota: ResourceQuota, spec: PodSpec) -> Iterator[str]:
    used, asked = dict(quota.used), usage(spec, spec.asks)
    for resource, most in quota.enforced or quota.hard:
        if (more := asked.get(resource, 0)) and used.get(resource, 0) + more > most:
            after = quantity(unit_of(resource), used.get(resource, 0) + more)
            yield f"{resource} {after} with one pod more, {quantity(unit_of(resource), most)} is the limit"
