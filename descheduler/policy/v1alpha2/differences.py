"""What behaves differently here than with that descheduler, by where our policy says it. The ids are those of
docs/from-sigs-descheduler.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from descheduler.policy.policy import Policy
from descheduler.policy.v1alpha2.evictor import EvictorArgs, Protection
from descheduler.policy.v1alpha2.file import V1Alpha2File
from descheduler.policy.v1alpha2.sections import MOUNTED, PACKING, prometheus

GENERAL = (
    "D-reserved: nodeFit or not, a pod moves only when its replacement has a place, which is nobody else's",
    "D-landing: and when that is probably not the node that it leaves",
    "D-made-again: pods that nobody makes again stay, also those that ask to be evicted",
    "D-gang: pods that must run together move together, or not at all",
    "D-pace: at most limits.perWorkload of a workload are down at once; a large plan is carried out in waves",
    "D-cooldown: what was moved is left in peace for a while (cooldown)",
)

OF_STRATEGY: Mapping[str, str] = {
    "HighNodeUtilization": "D-whole: nodes are emptied wholly or not at all; "
    "D-in-use: also where all are underutilized; D-lacking: a resource that a node does not have says nothing of it",
    "LowNodeUtilization": "D-relief: pods leave that bring the node below its target, not those that ask for nothing; "
    "D-target: to where the target is kept; D-excess: the node that is farthest above it comes first",
    "PodLifeTime": "D-restarted: what runs is held to gangs, budgets, quotas and cooldown as a move is",
    "RemoveDuplicates": "D-even-share: pods that may not move count, nodes that are too small or cordoned do not",
    "RemoveFailedPods": "D-ended: neither minReplicas nor nodeFit is asked of what has finished; "
    "D-order: the oldest go first",
    "RemovePodsHavingTooManyRestarts": "D-restarted: held to gangs, budgets, quotas and cooldown as a move is; "
    "D-order: those with most restarts go first",
    "RemovePodsViolatingInterPodAntiAffinity": "D-whole-term: namespaceSelector and matchLabelKeys of a term count; "
    "D-selected: of two pods the selected one leaves; D-other-side: nobody goes where another minds",
    "RemovePodsViolatingNodeAffinity": "D-node-selector: a node selector counts without an affinity beside it; "
    "D-better-node: with preferred…, only to a node that is better",
    "RemovePodsViolatingNodeTaints": "D-soft-taint: with includePreferNoSchedule, only to a node without such a taint",
    "RemovePodsViolatingTopologySpreadConstraint": "D-together: all constraints of a pod are looked at together; "
    "D-all-count: pods that are protected or not selected count too; "
    "D-least-important: those of the lowest priority leave",
}
"""By strategy, on its item of `strategies`."""

_OURS: Mapping[Protection, str] = {
    "PodsWithLocalStorage": "localStorage",
    "DaemonSetPods": "daemonSets",
    "SystemCriticalPods": "systemCritical",
    "FailedBarePods": "failedBarePods",
    "PodsWithPVC": "persistentVolumes",
    "PodsWithoutPDB": "withoutBudget",
}


def differs(file: V1Alpha2File, policy: Policy, evictors: Sequence[EvictorArgs]) -> dict[str, str]:
    """By path in our policy."""
    found: dict[str, str] = {}
    for path, text in (*_sections(file, policy), *_protections(policy, evictors), *_strategies(policy)):
        found.setdefault(path, text)
    return found


def _sections(file: V1Alpha2File, policy: Policy) -> Iterator[tuple[str, str]]:
    if policy.schedulers:
        yield "schedulers", f"D-packing: as {PACKING} demands, the default scheduler is taken to prefer full nodes"
    server = prometheus(file)
    if server is None:
        return
    reference = server.auth_token.secret_reference if server.auth_token is not None else None
    if reference is not None:
        secret = f"Secret {reference.namespace}/{reference.name}"
        yield "history.auth.bearerTokenFile", f"D-secret: {secret} is not read: mount its key {MOUNTED.name} here"
    yield "history.url", "D-history: loads are read here too, and moves do not make nodes hot (proof.maxLoad)"


def _protections(policy: Policy, evictors: Sequence[EvictorArgs]) -> Iterator[tuple[str, str]]:
    """Of each use by its own protections, of those of the policy once."""
    for i, (choice, evictor) in enumerate(zip(policy.strategies, evictors, strict=True)):
        base = "protections" if choice.protections is None else f"strategies[{i}].protections"
        for key, text in _of(evictor):
            yield f"{base}.{key}", text


def _strategies(policy: Policy) -> Iterator[tuple[str, str]]:
    for i, choice in enumerate(policy.strategies):
        if choice.strategy in OF_STRATEGY:
            yield f"strategies[{i}]", OF_STRATEGY[choice.strategy]


def _of(evictor: EvictorArgs) -> Iterator[tuple[str, str]]:
    if "SystemCriticalPods" in evictor.switched and evictor.priority_threshold is not None:
        yield "systemCritical", "priorityThreshold was ignored with SystemCriticalPods disabled, and is left out"
    if "DaemonSetPods" in evictor.switched:
        yield "daemonSets", "D-daemonset: pods of DaemonSets are removed by strategies that remove, and never moved"
    for protection, former in evictor.deprecated.items():
        yield _OURS[protection], f"{former} is deprecated there: podProtections has {protection}"
    if evictor.min_replicas > 1:
        yield "minReplicas", "D-min-replicas: running pods count, not those that finished or are on their way out"
    if evictor.node_fit and evictor.node_selector:
        yield "nodeSelector", "D-fits-on: for moves; who is removed in place needs its own node only"


def dropped(file: V1Alpha2File) -> Iterator[str]:
    """What of the file our policy has no place for, and why it need not have one."""
    if file.eviction_failure_event_notification is not None:
        yield "evictionFailureEventNotification: an event always tells of a pod that could not be evicted"
    if file.metrics_collector is not None:
        yield "metricsCollector: metrics.k8s.io is read when a strategy asks for it"
    if any(provider.source == "KubernetesMetrics" for provider in file.metrics_providers or ()):
        yield "metricsProviders: KubernetesMetrics: metrics.k8s.io is read when a strategy asks for it"
