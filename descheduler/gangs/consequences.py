"""What the eviction of pods sets off, as far as their controllers tell.

Sources: kubernetes pkg/controller/job/job_controller.go (a deleted pod counts as a failure towards `backoffLimit`
unless the podFailurePolicy says otherwise); jobset pkg/controllers/failure_policy.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from descheduler.gangs.lookup import Lookup, group_of
from descheduler.gangs.spec_reading import child, children, count, integer
from descheduler.model.distinct import shared
from descheduler.model.fence import fenced
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.units import Consequence
from descheduler.model.workloads import FailureAction, OwnerRef, Workload, WorkloadKey

INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count"
_REPLICATED_JOB = "jobset.sigs.k8s.io/replicatedjob-name"
_ORDER = (
    Consequence.RESCHEDULED,
    Consequence.COUNTED,
    Consequence.GROUP_RESTARTS,
    Consequence.KILLED_AFTER_GRACE,
    Consequence.SAME_NODE,
    Consequence.LOST,
    Consequence.FAILS,
)
RESTARTS_ALL = frozenset({Consequence.GROUP_RESTARTS, Consequence.KILLED_AFTER_GRACE})
"""Consequences by which every member restarts when one is evicted."""


def worst(*found: Consequence) -> Consequence:
    """The gravest of them, RESCHEDULED when there are none."""
    return max(found, key=_ORDER.index, default=Consequence.RESCHEDULED)


@dataclass(frozen=True, slots=True)
class Effect:
    """`blocked` says why the eviction must not be done, where the consequence alone does not."""

    consequence: Consequence
    blocked: Blocked | None = None


_RESCHEDULED, _LOST = Effect(Consequence.RESCHEDULED), Effect(Consequence.LOST)


class Effects:
    """Effects in one snapshot."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._alone: dict[tuple[str, int], Effect] = {}

    def alone(self, pod: Pod) -> Effect:
        """Of the eviction of this pod and no other."""
        if not pod.owners:
            return _LOST
        key = (pod.namespace, id(shared(pod.owners)))  # the snapshot keeps it alive
        found = self._alone.get(key)
        if found is None:
            found = self.together((pod,))
            if not self.per_pod(pod):
                self._alone[key] = found
        return found

    def per_pod(self, pod: Pod) -> bool:
        """Whether the effect differs between pods of one owner: Jobs with a failure budget for each index."""
        job = self._job(pod)
        return job is not None and job.backoff_limit_per_index is not None

    def together(self, pods: Sequence[Pod]) -> Effect:
        """Of the eviction of all these pods."""
        effects: list[Effect] = []
        of_jobs: dict[WorkloadKey, list[Pod]] = {}
        for pod in pods:
            owner = pod.controller
            if owner is None:
                effects.append(_LOST)
            elif owner.kind == "Job" and group_of(owner) == "batch":
                of_jobs.setdefault(WorkloadKey(pod.namespace, owner.kind, owner.name), []).append(pod)
        effects.extend(self._fenced(key, evicted) for key, evicted in of_jobs.items())
        blocked = next((e.blocked for e in effects if e.blocked is not None), None)
        return Effect(worst(*(e.consequence for e in effects)), blocked)

    def _job(self, pod: Pod) -> Workload | None:
        owner = pod.controller
        if owner is None or owner.kind != "Job":
            return None
        return self._lookup.workload(pod.namespace, owner)

    def _fenced(self, key: WorkloadKey, evicted: Sequence[Pod]) -> Effect:
        """Of the eviction of pods of one Job; what cannot be told must not be set off."""
        return fenced(
            lambda: self._of_job(key, evicted),
            lambda why: Effect(Consequence.COUNTED, Blocked(Reason.DATA_PARTIAL, str(key), why)),
        )

    def _of_job(self, key: WorkloadKey, evicted: Sequence[Pod]) -> Effect:
        job = self._job(evicted[0])
        if job is None:
            return Effect(Consequence.COUNTED, Blocked(Reason.DATA_MISSING, str(key), "the Job is not known"))
        if job.managed_by:
            text = f"it is run by {job.managed_by}, not by the Job controller"
            return Effect(Consequence.LOST, Blocked(Reason.WOULD_BE_LOST, str(key), text))
        if job.on_eviction is FailureAction.IGNORE:
            return _RESCHEDULED
        failed = _failed_by_policy(job, key) or _exhausted(job, key, evicted)
        if failed is None:
            return Effect(Consequence.COUNTED)
        above = job.controller
        if above is not None and above.kind == "JobSet":
            by_policy = job.on_eviction is FailureAction.FAIL_JOB
            return self._of_set(above, evicted[0], "PodFailurePolicy" if by_policy else "BackoffLimitExceeded")
        return Effect(Consequence.FAILS, failed)

    def _of_set(self, owner: OwnerRef, pod: Pod, why: str) -> Effect:
        """A Job of a JobSet fails: the first rule that matches decides, else the set restarts while it may."""
        found = self._lookup.snapshot.custom(group_of(owner), owner.kind, pod.namespace, owner.name)
        if found is None or found.problem:
            why = "no such object" if found is None else found.problem
            missing = Blocked(Reason.GANG_UNKNOWN, f"JobSet/{pod.namespace}/{owner.name}", why)
            return Effect(Consequence.FAILS, missing)
        policy = child(found.spec, "failurePolicy")
        if policy is None:
            return Effect(Consequence.FAILS)
        rule = next((r for r in children(policy, "rules") if _matches(r, pod, why)), None)
        action = "RestartJobSet" if rule is None else child(rule, "action")
        if action in ("RestartJobSetAndIgnoreMaxRestarts", "RestartJobAndIgnoreMaxRestarts"):
            return Effect(Consequence.GROUP_RESTARTS)
        restarts = action in ("RestartJobSet", "RestartJob") and _may_restart(found, policy)
        return Effect(Consequence.GROUP_RESTARTS if restarts else Consequence.FAILS)


def _failed_by_policy(job: Workload, key: WorkloadKey) -> Blocked | None:
    """Why one eviction is enough for a Job, or for an index of it, to fail for good."""
    if job.on_eviction is FailureAction.FAIL_JOB:
        return Blocked(Reason.WOULD_FAIL, str(key), "its podFailurePolicy fails the Job when a pod is evicted")
    if job.on_eviction is FailureAction.FAIL_INDEX:
        return Blocked(Reason.WOULD_FAIL, str(key), "its podFailurePolicy fails the index of a pod that is evicted")
    return None


def _exhausted(job: Workload, key: WorkloadKey, evicted: Sequence[Pod]) -> Blocked | None:
    """Why the failures that these evictions add are too many, None when they are not."""
    left = job.evictions_left
    if left is not None and len(evicted) > left:
        text = f"{job.failed} failures, {len(evicted)} more, backoffLimit {job.failed + left}"
        return Blocked(Reason.FAILURE_BUDGET, str(key), text)
    limit = job.backoff_limit_per_index
    if limit is not None:
        most = max(count(p.annotations.get(INDEX_FAILURES)) or 0 for p in evicted)
        if most + 1 > limit:
            text = f"{most} failures of one index, 1 more, backoffLimitPerIndex {limit}"
            return Blocked(Reason.FAILURE_BUDGET, str(key), text)
    return None


def _matches(rule: Json, pod: Pod, why: str) -> bool:
    """Whether the rule of a JobSet is for the Job of the pod, which fails for the reason `why`."""
    reasons = children(rule, "onJobFailureReasons")
    targets = children(rule, "targetReplicatedJobs")
    return (not reasons or why in reasons) and (not targets or pod.labels.get(_REPLICATED_JOB) in targets)


def _may_restart(jobset: CustomObject, policy: Json) -> bool:
    done = integer(child(jobset.status, "restartsCountTowardsMax"))
    if done is None:
        done = integer(child(jobset.status, "restarts")) or 0
    return done < (integer(child(policy, "maxRestarts")) or 0)
