"""Why something is not moved: one vocabulary for report, metric label and event."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from descheduler.model.bounds import LIST, REFERENCE
from descheduler.model.fence import shortened


class Reason(StrEnum):
    """Each member's value is stable (documents and metrics carry it); `EXPLANATION` says it to people."""

    # Filters: the pod may not be touched
    MIRROR_POD = "MirrorPod"
    DAEMON_SET = "DaemonSetPod"
    TERMINATING = "Terminating"
    TERMINAL = "Finished"
    NOT_RUNNING = "NotRunning"
    NODE_NOT_READY = "NodeNotReady"
    NODE_LEAVING = "NodeLeaving"
    SYSTEM_CRITICAL = "SystemCritical"
    PRIORITY_TOO_HIGH = "PriorityTooHigh"
    LOCAL_STORAGE = "LocalStorage"
    PERSISTENT_VOLUME = "PersistentVolume"
    VOLUME_LOST = "VolumeWouldBeLost"
    VOLUME_SHARED = "VolumeIsShared"
    BARE_POD = "BarePod"
    OPTED_OUT = "OptedOut"
    NEVER_EVICT = "NeverEvict"
    RESOURCE_CLAIMS = "ResourceClaims"
    CLAIM_STAYS = "ClaimKeepsItsDevices"
    CLAIM_UNKNOWN = "ClaimUnknown"
    WITHOUT_BUDGET = "WithoutBudget"
    NOT_SELECTED = "NotSelected"
    NAMESPACE_EXCLUDED = "NamespaceExcluded"
    TOO_FEW_REPLICAS = "TooFewReplicas"
    TOO_YOUNG = "TooYoung"
    COOLDOWN = "Cooldown"
    QUARANTINED = "Quarantined"
    LANDS_ELSEWHERE = "LandsElsewhere"
    OUTSIDE_WINDOW = "OutsideWindow"
    QUOTA = "QuotaWouldRefuse"
    EXECUTOR = "ExecutorCannotMove"
    # Gangs
    GANG_UNKNOWN = "GangUnknown"
    GANG_AMBIGUOUS = "GangAmbiguous"
    GANG_ONE_SIDED = "GangLinkOneSided"
    GANG_WOULD_TEAR = "GangWouldTear"
    GANG_MEMBER_BLOCKED = "GangMemberBlocked"
    WOULD_FAIL = "WouldFailPermanently"
    RETURNS_TO_NODE = "ReturnsToSameNode"
    FAILURE_BUDGET = "FailureBudget"
    WOULD_BE_LOST = "WouldBeLost"
    WOULD_RUN_AGAIN = "WouldRunAgain"
    # Replacements
    WOULD_WAIT = "ReplacementWouldWait"
    NODE_NAMED = "TemplateNamesNode"
    ROLLING_OUT = "RollingOut"
    NOT_ADMITTED = "NotAdmitted"
    # Budgets
    DISRUPTION_BUDGET = "DisruptionBudget"
    BUDGET_STALE = "DisruptionBudgetStale"
    SEVERAL_BUDGETS = "SeveralDisruptionBudgets"
    NODE_LIMIT = "NodeLimit"
    NAMESPACE_LIMIT = "NamespaceLimit"
    WORKLOAD_LIMIT = "WorkloadLimit"
    CYCLE_LIMIT = "CycleLimit"
    HOUR_LIMIT = "HourLimit"
    TOUCHED_NODES_LIMIT = "TouchedNodesLimit"
    EXECUTOR_LIMIT = "ExecutorLimit"
    # Proof
    NO_PLACE = "NoPlace"
    WOULD_STAY = "WouldLandOnSource"
    DESTINATION_HOT = "DestinationHot"
    CLOSES_SLOT = "WouldCloseSlot"
    NO_GAIN = "WouldGainNothing"
    WOULD_CROSS = "WouldCross"
    WOULD_TAKE_IT_BACK = "WouldTakeItBack"
    # Worth
    NOT_WORTH_IT = "NotWorthIt"
    SPIKE_PASSES = "SpikePasses"
    NO_CURE = "NoCure"
    LOW_CONFIDENCE = "LowConfidence"
    REPORT_ONLY = "ReportOnly"
    NOT_PINNED = "SourceNotPinned"
    # Data
    DATA_MISSING = "DataMissing"
    DATA_STALE = "DataStale"
    DATA_PARTIAL = "DataPartial"
    STRATEGY_FAILED = "StrategyFailed"
    STRATEGY_PAUSED = "StrategyPaused"
    CIRCUIT_OPEN = "CircuitOpen"
    # Acting
    SUPERSEDED = "Superseded"
    CHANGED = "ChangedSincePlanned"
    THROTTLED = "Throttled"
    API_REFUSED = "ApiRefused"
    TOO_LARGE = "TooLargeToAnnounce"
    NOT_LEADING = "NotLeading"
    STOPPING = "Stopping"
    SWITCHED_OFF = "SwitchedOff"
    UNFINISHED = "Unfinished"
    POLICY_INVALID = "PolicyInvalid"
    INTERNAL = "InternalError"


EXPLANATION: dict[Reason, str] = {
    Reason.MIRROR_POD: "static pods are run by the kubelet and cannot be evicted",
    Reason.DAEMON_SET: "a DaemonSet would put the pod straight back on the node",
    Reason.TERMINATING: "the pod is already being deleted",
    Reason.TERMINAL: "the pod has finished and holds nothing",
    Reason.NOT_RUNNING: "the pod is not running yet, so moving it gains nothing",
    Reason.NODE_NOT_READY: "its node is not ready: it would stay terminating there, and the node's load is not known",
    Reason.NODE_LEAVING: "the node is about to be removed, or would keep the pod for a while only",
    Reason.SYSTEM_CRITICAL: "system-critical priority (2000000000 or above)",
    Reason.PRIORITY_TOO_HIGH: "its priority is at or above the policy's threshold",
    Reason.LOCAL_STORAGE: "it has emptyDir or hostPath data that a move would lose",
    Reason.PERSISTENT_VOLUME: "the policy protects pods with these persistent volumes",
    Reason.VOLUME_LOST: "its volume is going, and would be gone when its replacement comes",
    Reason.VOLUME_SHARED: "another pod uses its volume, which one node at a time can have",
    Reason.BARE_POD: "no controller would create it again",
    Reason.OPTED_OUT: "its annotations ask to be left alone",
    Reason.NEVER_EVICT: "pods of this kind must not be evicted (cache worker, Ray head, Spark driver, this program)",
    Reason.RESOURCE_CLAIMS: "it holds dynamically allocated devices that the policy protects",
    Reason.CLAIM_STAYS: "a resource claim that is not its own keeps its devices, and whoever uses it, on this node",
    Reason.CLAIM_UNKNOWN: "nobody can say which devices its replacement's resource claims would be given",
    Reason.WITHOUT_BUDGET: "the policy moves only pods that have a PodDisruptionBudget",
    Reason.NOT_SELECTED: "the policy's selector does not choose it",
    Reason.NAMESPACE_EXCLUDED: "the policy excludes its namespace",
    Reason.TOO_FEW_REPLICAS: "its workload has fewer replicas than the policy wants before one may move",
    Reason.TOO_YOUNG: "it started too recently",
    Reason.COOLDOWN: "it or its workload was moved recently",
    Reason.QUARANTINED: "it keeps coming back to be moved",
    Reason.LANDS_ELSEWHERE: "moved pods of its workload do not come up where the plans say",
    Reason.OUTSIDE_WINDOW: "outside the disruption window",
    Reason.QUOTA: "quota would refuse its replacement",
    Reason.EXECUTOR: "the policy's executors cannot move it",
    Reason.GANG_UNKNOWN: "it says it belongs to a gang whose object cannot be found",
    Reason.GANG_AMBIGUOUS: "its gang cannot be determined without doubt",
    Reason.GANG_ONE_SIDED: "it names a gang as bundled with it that does not name it",
    Reason.GANG_WOULD_TEAR: "moving it would leave its gang between 0 and its minimum",
    Reason.GANG_MEMBER_BLOCKED: "its gang moves whole, and another member may not move",
    Reason.WOULD_FAIL: "evicting it would fail its job for good",
    Reason.RETURNS_TO_NODE: "its controller would put it back on the same node",
    Reason.FAILURE_BUDGET: "the eviction would use up its job's failure budget",
    Reason.WOULD_BE_LOST: "nothing would create it again",
    Reason.WOULD_RUN_AGAIN: "it has finished, and its operator would run it once more if it were gone",
    Reason.WOULD_WAIT: "its replacement would wait for something that may never come",
    Reason.NODE_NAMED: "its controller's template names the node of its replacement, whatever is planned",
    Reason.ROLLING_OUT: "its controller is about to replace it, or has not caught up with its workload",
    Reason.NOT_ADMITTED: "the API server would refuse its replacement",
    Reason.DISRUPTION_BUDGET: "its disruption budget allows no further disruption",
    Reason.BUDGET_STALE: "its disruption budget's status is not up to date",
    Reason.SEVERAL_BUDGETS: "several PodDisruptionBudgets match it, so the Eviction API refuses it",
    Reason.NODE_LIMIT: "the policy's limit of moves from one node is reached",
    Reason.NAMESPACE_LIMIT: "the policy's limit of moves in one namespace is reached",
    Reason.WORKLOAD_LIMIT: "the policy's limit of moves of one workload is reached",
    Reason.CYCLE_LIMIT: "the policy's limit of moves in one cycle is reached",
    Reason.HOUR_LIMIT: "the policy's limit of moves in one hour is reached",
    Reason.TOUCHED_NODES_LIMIT: "the policy's limit of nodes that pods leave in one plan is reached",
    Reason.EXECUTOR_LIMIT: "the policy's limit of moves by one executor is reached",
    Reason.NO_PLACE: "no other node can take it",
    Reason.WOULD_STAY: "the scheduler would most likely put it back on its node",
    Reason.DESTINATION_HOT: "every node that could take it would become hot",
    Reason.CLOSES_SLOT: "it would probably land where it closes another free slot",
    Reason.NO_GAIN: "it would probably land where nothing is gained",
    Reason.WOULD_TAKE_IT_BACK: "the scheduler would give what it lets go back to it before those for whom it is",
    Reason.WOULD_CROSS: "a pod just like it goes the other way in the same plan, and both would restart for nothing",
    Reason.NOT_WORTH_IT: "the benefit does not outweigh what the move costs",
    Reason.SPIKE_PASSES: "the peak passes before a move would pay",
    Reason.NO_CURE: "no allowed set of moves brings the node below its threshold",
    Reason.LOW_CONFIDENCE: "its history is too short to rely on",
    Reason.REPORT_ONLY: "the policy asks for a report of it, and for no moves",
    Reason.NOT_PINNED: "any tenant's series could say so of it, which is reported and is no reason to evict",
    Reason.DATA_MISSING: "data needed for the decision is missing",
    Reason.DATA_STALE: "data needed for the decision is too old",
    Reason.DATA_PARTIAL: "data needed for the decision is known to be incomplete",
    Reason.STRATEGY_FAILED: "the strategy failed",
    Reason.STRATEGY_PAUSED: "the strategy's moves missed their goal, so only the surest are made for now",
    Reason.CIRCUIT_OPEN: "acting is paused because evicted pods stay pending",
    Reason.SUPERSEDED: "another accepted move already answers the finding",
    Reason.CHANGED: "the cluster changed since the plan was made",
    Reason.THROTTLED: "the API server is shedding load",
    Reason.API_REFUSED: "the API server refused the eviction",
    Reason.TOO_LARGE: "what is about to be done is written down first, and a ConfigMap has no room for so much at once",
    Reason.NOT_LEADING: "this replica does not lead",
    Reason.STOPPING: "the controller is shutting down",
    Reason.SWITCHED_OFF: "acting was switched off",
    Reason.UNFINISHED: "a unit that was begun could not be finished in time, so nothing new is begun beside it",
    Reason.POLICY_INVALID: "there is no valid policy",
    Reason.INTERNAL: "an error that should not happen",
}


@dataclass(frozen=True, slots=True)
class Blocked:
    """A refusal as a value: `reason`, the object or rule that refuses (`by`), what a person should know (`detail`)."""

    reason: Reason
    by: str = ""
    detail: str = ""
    MOST: ClassVar[int] = REFERENCE

    def __post_init__(self) -> None:
        # Both quote what people wrote, an annotation of 256 KiB maybe; a refusal is told in many places.
        if len(self.by) > REFERENCE:
            object.__setattr__(self, "by", shortened(self.by, REFERENCE))
        if len(self.detail) > self.MOST:
            object.__setattr__(self, "detail", shortened(self.detail, self.MOST))

    def __str__(self) -> str:
        text = EXPLANATION[self.reason]
        if self.detail:
            text = f"{text}: {self.detail}"
        return f"{text} ({self.by})" if self.by else text


@dataclass(frozen=True, slots=True)
class Unprepared(Blocked):
    """We lack something ourselves: the detail lists kinds and rights, which nobody else wrote, and lists them all."""

    MOST: ClassVar[int] = LIST
