"""Which fields of objects of optional APIs are kept, wherever they stand: those that some part of the program reads.

All else goes when an object is read, and is in no recording: pod templates with what they run and with which
environment, start parameters, entry points, opaque configuration. A field that is newly read is named here.
"""

from __future__ import annotations

from typing import Any

from descheduler.model.bounds import DEPTH
from descheduler.model.fence import Unreadable, fenced

_GANGS = """
minMember minReplicas minAvailable minCount subGroups schedulingPolicy basic gang disruptionMode single all
schedulingConstraints topology key podSets count admission podSetAssignments topologyAssignment levels
replicatedJobs template spec parallelism completions failurePolicy maxRestarts rules action onJobFailureReasons
targetReplicatedJobs suspend restarts restartsCountTowardsMax leaderWorkerTemplate size restartPolicy
workerGroupSpecs groupName numOfHosts elasticPolicy runPolicy backoffLimit activeDeadlineSeconds startTime replicas
tasks policies event events maxRetry retryCount conditions type status state
active managedBy shutdownAfterJobFinishes jobDeploymentStatus succeeded consumerRef
"""
_TOPOLOGY = """
nodeLabel networkTopologySpec topologyLayer parentTopologyLayer labelKey tier tierName members selector exactMatch
regexMatch pattern labelMatch matchExpressions operator values name
"""
_BUDGETS = """
targetRef apiVersion kind ignoredPodSelector maxUnavailable protectOperations unavailableAllowed currentAvailable
desiredAvailable totalReplicas observedGeneration
"""
_DEVICES = """
generation nodeName devices attributes memory value effect string int requests allocation device apiGroup resource uid
id minor health nodeID pcieID busID phase
uuid parentUUID profile productName model product index pciBusID pcieBusID numaNode numa
resource.kubernetes.io/pcieRoot resource.kubernetes.io/pciBusID resource.kubernetes.io/numaNode
"""
_SCALING = """
scaleTargetRef maxReplicas metrics containerResource target averageUtilization averageValue behavior scaleUp scaleDown
stabilizationWindowSeconds selectPolicy paused updatedReplicas pauseConditions
"""
_MACHINES = """
vmiName migrationState completed failed evacuationNodeName evictionStrategy observedKubeVirtVersion
"""
_PARTITIONS = frozenset(f"partition{size}" for size in range(1, 33))
_LANDING = "policyName"
_PLAIN = (
    frozenset(f"{_GANGS} {_TOPOLOGY} {_BUDGETS} {_DEVICES} {_LANDING} {_SCALING} {_MACHINES}".split()) | _PARTITIONS
)
"""Fields by their names alone: none of them names anything else anywhere that could be meant for nobody's eyes."""

AMOUNTS = frozenset({"min", "max", "resources", "requests"})
"""Maps of quantities; their keys are whatever resources there are."""
MAPS = frozenset({"matchLabels", "nodeSelector", "disruptedPods", "unavailablePods"})
"""Other maps from texts to texts."""
BY_ROLE = frozenset(f"{job}ReplicaSpecs" for job in ("pytorch", "tf", "mpi", "xgb", "paddle", "jax", "mx"))
"""Maps from a role, of any name, to what is said of it."""
PRESENT = frozenset({"minTaskMember", "subGroupPolicy", "currentOwners", "clusterSelector"})
"""Of which nothing matters but that they are there, and not empty."""

KEPT_FIELDS = _PLAIN | AMOUNTS | MAPS | BY_ROLE | PRESENT


def pruned(value: Any, depth: int = 0) -> Any:
    """Any part of a spec or status, with the fields that are kept. Raises Unreadable where it is nested too deep."""
    if depth > DEPTH:
        raise Unreadable("", f"it is nested more than {DEPTH} deep")
    if isinstance(value, dict):
        return {k: _field(k, v, depth + 1) for k, v in value.items() if k in KEPT_FIELDS}
    if isinstance(value, list):
        return [pruned(item, depth + 1) for item in value]
    return value


def recorded(value: Any) -> Any:
    """The same for a recording: of what is nested too deep no more than that it is."""
    return fenced(lambda: pruned(value), lambda _why: {"spec": _deep()})


def _field(name: str, value: Any, depth: int) -> Any:
    if name in PRESENT:
        return _mark(value)
    if not isinstance(value, dict):
        return pruned(value, depth)
    if name in AMOUNTS or name in MAPS:
        return {k: pruned(v, depth + 1) for k, v in value.items()}
    if name in BY_ROLE:
        return {k: pruned(v, depth + 1) if isinstance(v, dict) else _mark(v) for k, v in value.items()}
    return pruned(value, depth)


def _mark(value: Any) -> Any:
    """Something of the same type that is as empty or not."""
    if isinstance(value, list):
        return [{}] if value else []
    if isinstance(value, dict):
        return {"": {}} if value else {}
    return bool(value) if isinstance(value, str) else value


def _deep() -> Any:
    found: Any = None
    for _ in range(DEPTH + 1):
        found = [found]
    return found
