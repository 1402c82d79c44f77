"""PodDisruptionBudgets from their spec and the health of the pods, as the disruption controller counts (policy/v1)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from descheduler.model.budgets import DisruptionBudget
from descheduler.model.pods import Phase
from descheduler.model.snapshot import ClusterSnapshot


def over_budget(snapshot: ClusterSnapshot, gone: Collection[int], down: Collection[int]) -> Iterator[str]:
    """What is exceeded while the pods `down` are disrupted at once; pods of `gone` were on their way out before."""
    for budget in snapshot.budgets:
        mine = [
            i
            for i, p in enumerate(snapshot.pods)
            if p.namespace == budget.namespace and budget.selector is not None and budget.selector.matches(p.labels)
        ]
        hit = [i for i in mine if i in down and snapshot.pods[i].phase is not Phase.PENDING]
        if not hit:
            continue
        if budget.generation > budget.observed_generation:
            yield f"{budget.key}: its status is stale"
            continue
        well = [i for i in mine if _healthy(snapshot, budget, i) and i not in gone]
        wanted = desired(snapshot, budget, mine)
        counted = [i for i in hit if snapshot.pods[i].ready or not _free(budget)]
        left = len([i for i in well if i not in hit])
        if any(i in well for i in hit) and (wanted is None or left < wanted):
            yield f"{budget.key}: {left} of {len(well)} healthy pods would be left, {wanted} are wanted"
        if len(counted) > budget.allowed:
            yield f"{budget.key}: {len(counted)} at once, its status allows {budget.allowed}"


def _healthy(snapshot: ClusterSnapshot, budget: DisruptionBudget, i: int) -> bool:
    pod = snapshot.pods[i]
    return pod.ready and pod.deleting is None and not pod.terminal and pod.name not in budget.disrupting


def _free(budget: DisruptionBudget) -> bool:
    """Whether pods that are not ready may be evicted without asking for allowance."""
    return budget.unhealthy_policy == "AlwaysAllow" or budget.current_healthy >= budget.desired_healthy > 0


def desired(snapshot: ClusterSnapshot, budget: DisruptionBudget, mine: list[int]) -> int | None:
    """How many must stay healthy; None when the controller cannot tell, and so lets nothing go."""
    number = budget.min_available or budget.max_unavailable
    if budget.min_available and not number.endswith("%"):
        return int(number)
    scale: dict[str, int] = {}
    for i in mine:
        pod = snapshot.pods[i]
        owner = pod.controller
        if owner is None:
            continue
        above = [w for w in snapshot.workloads.values() if w.uid == owner.uid and w.namespace == pod.namespace]
        if not above or above[0].kind not in ("ReplicaSet", "StatefulSet"):
            return None
        scale[owner.uid] = above[0].replicas
    expected = sum(scale.values())
    share = math.ceil(int(number[:-1]) * expected / 100) if number.endswith("%") else int(number)
    return share if budget.min_available else max(0, expected - share)
