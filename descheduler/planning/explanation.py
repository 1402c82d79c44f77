"""What an explanation is made of: checks, and what would have to change."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.model.reasons import Reason

REMEDY: dict[Reason, str] = {
    Reason.SYSTEM_CRITICAL: "a lower priority class, or protections.systemCritical: false",
    Reason.PRIORITY_TOO_HIGH: "a lower priority, or a higher protections.priorityThreshold",
    Reason.LOCAL_STORAGE: "no emptyDir or hostPath volume, or protections.localStorage: false",
    Reason.PERSISTENT_VOLUME: "protections.persistentVolumes without this storage class",
    Reason.BARE_POD: "a controller that owns the pod",
    Reason.OPTED_OUT: "the annotation that opts it out taken away",
    Reason.WITHOUT_BUDGET: "a PodDisruptionBudget that selects it, or protections.withoutBudget: false",
    Reason.NAMESPACE_EXCLUDED: "another protections.namespaces",
    Reason.NOT_SELECTED: "another protections.labelSelector",
    Reason.TOO_FEW_REPLICAS: "more replicas, or a lower protections.minReplicas",
    Reason.TOO_YOUNG: "time, or a lower protections.minPodAge",
    Reason.COOLDOWN: "time",
    Reason.OUTSIDE_WINDOW: "time, or another window in the policy",
    Reason.QUARANTINED: "somebody to look at why it keeps coming back",
    Reason.LANDS_ELSEWHERE: "time, or a placement rule of its own that names other nodes to be looked at",
    Reason.GANG_UNKNOWN: "the gang's object, in the namespace that the pod names",
    Reason.GANG_AMBIGUOUS: "one gang, not several that contradict each other",
    Reason.GANG_ONE_SIDED: "the gang that it names to name it too, or its own groups without that one",
    Reason.GANG_WOULD_TEAR: "more members alive than the gang's minimum, or a gang that moves whole",
    Reason.GANG_MEMBER_BLOCKED: "the member that is named to be free to move",
    Reason.DISRUPTION_BUDGET: "more healthy pods, or a budget that allows a disruption",
    Reason.BUDGET_STALE: "the disruption controller to catch up",
    Reason.SEVERAL_BUDGETS: "one budget for the pod, not several",
    Reason.FAILURE_BUDGET: "a higher backoffLimit, or a podFailurePolicy that ignores DisruptionTarget",
    Reason.QUOTA: "a larger quota, or less in it and nothing that waits for it",
    Reason.EXECUTOR: "another acting.executor or acting.executorRules in the policy, or what its detail names",
    Reason.EXECUTOR_LIMIT: "time, or higher limits of the executor in acting.executors",
    Reason.NOT_RUNNING: "the pod to run",
    Reason.WOULD_WAIT: "what its detail names to be ready, or not to be waited for (podManagementPolicy: Parallel)",
    Reason.NODE_NAMED: "a template that leaves the node to the scheduler",
    Reason.ROLLING_OUT: "the rollout to end, or to be paused",
    Reason.WOULD_BE_LOST: "an owner that makes it again; if it does, protections.recreatingOwners",
    Reason.NODE_NOT_READY: "its node to be ready again",
    Reason.NODE_LIMIT: "a larger limits.perNode, or the next cycle",
    Reason.NAMESPACE_LIMIT: "a larger limits.perNamespace, or the next cycle",
    Reason.WORKLOAD_LIMIT: "a larger limits.perWorkload, or its other pods to be ready again",
    Reason.CYCLE_LIMIT: "a larger limits.perCycle, or the next cycle",
    Reason.HOUR_LIMIT: "a larger limits.perHour, or time",
    Reason.TOUCHED_NODES_LIMIT: "a larger limits.nodesPerCycle, or the next cycle",
    Reason.NO_PLACE: "room on another node that its rules allow",
    Reason.WOULD_STAY: "another node that scores better, or acting.landing: steered or directed",
    Reason.DESTINATION_HOT: "a cooler node, or a higher proof.maxLoad",
    Reason.NO_GAIN: "a node on which it gains something",
    Reason.NOT_WORTH_IT: "a larger benefit, a cheaper restart, or a lower cost.margin",
    Reason.SPIKE_PASSES: "a peak that lasts longer, or a lower minDuration",
    Reason.NO_CURE: "more pods of the node that may move, or cooler nodes to take them",
    Reason.LOW_CONFIDENCE: "a longer history, or a lower minConfidence",
    Reason.REPORT_ONLY: "reportOnly: false beside the strategy, or act: evict in its arguments",
    Reason.NOT_PINNED: "history.sources that say whose series count",
    Reason.DATA_MISSING: "history that can be used: `descheduler doctor` says what is missing",
    Reason.STRATEGY_PAUSED: "time, or moves that reach their goal (learning)",
}
"""What would have to change, for reasons that somebody can do something about."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line: `passed` None is neither good nor bad, only to know."""

    name: str
    passed: bool | None
    text: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one subject; `verdict` in a sentence."""

    subject: str
    verdict: str
    checks: tuple[Check, ...]
