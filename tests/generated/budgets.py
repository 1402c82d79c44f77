"""Disruption budgets of random clusters, with the status that their controller would have written, or an old one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from descheduler.model.budgets import DisruptionBudget
from descheduler.model.pods import Pod
from descheduler.model.selectors import LabelSelector
from generated.workloads import Drawn

_SIZES = ("0", "1", "1", "2", "25%", "50%", "100%")


def make_budgets(rng: Random, drawn: Sequence[Drawn], pods: Sequence[Pod]) -> list[DisruptionBudget]:
    """Budgets for some of the workloads; now and then one by tier, which overlaps with those."""
    made: list[DisruptionBudget] = []
    for one in drawn:
        if one.kind != "DaemonSet" and rng.random() < 0.4:
            made.append(_budget(rng, one.namespace, one.name, one.selector, drawn, pods))
    if rng.random() < 0.15:
        tier = LabelSelector.of({"tier": rng.choice(("front", "back"))})
        made.append(_budget(rng, "shop", "tier", tier, drawn, pods))
    if rng.random() < 0.03:
        made.append(_budget(rng, "batch", "all", rng.choice((None, LabelSelector())), drawn, pods))
    return made


def _budget(
    rng: Random, namespace: str, name: str, selector: LabelSelector | None, drawn: Sequence[Drawn], pods: Sequence[Pod]
) -> DisruptionBudget:
    size = rng.choice(_SIZES)
    least = rng.random() < 0.4
    budget = DisruptionBudget(
        namespace,
        name,
        selector,
        min_available=size if least else "",
        max_unavailable="" if least else size,
        unhealthy_policy=rng.choice(("IfHealthyBudget", "IfHealthyBudget", "AlwaysAllow")),
        generation=1,
        observed_generation=1,
    )
    mine = [p for p in pods if p.namespace == namespace and selector is not None and selector.matches(p.labels)]
    if mine and rng.random() < 0.05:
        budget = replace(budget, disrupting=(rng.choice(mine).name,))
    budget = _with_status(budget, mine, drawn)
    if rng.random() < 0.05:
        return replace(budget, generation=2, allowed=budget.allowed + 1)
    if budget.expected != budget.desired_healthy and rng.random() < 0.05:
        # The controller has not seen yet that a pod became unhealthy, or healthy.
        healthy = max(0, budget.current_healthy + rng.choice((-1, 1)))
        return replace(budget, current_healthy=healthy, allowed=max(0, healthy - budget.desired_healthy))
    return budget


def _with_status(budget: DisruptionBudget, mine: Sequence[Pod], drawn: Sequence[Drawn]) -> DisruptionBudget:
    """What the disruption controller writes (kubernetes pkg/controller/disruption/disruption.go, trySync)."""
    healthy = sum(p.ready and p.deleting is None and p.name not in budget.disrupting for p in mine)
    scale = _scale(budget, mine, drawn)
    number = budget.min_available or budget.max_unavailable
    if scale is None and (budget.max_unavailable or number.endswith("%")):
        return replace(budget, current_healthy=healthy, allowed=0, desired_healthy=healthy, expected=healthy)
    expected = scale if scale is not None and (budget.max_unavailable or number.endswith("%")) else len(mine)
    share = math.ceil(int(number[:-1]) * expected / 100) if number.endswith("%") else int(number)
    desired = share if budget.min_available else max(0, expected - share)
    allowed = max(0, healthy - desired) if expected > 0 else 0
    return replace(budget, current_healthy=healthy, desired_healthy=desired, expected=expected, allowed=allowed)


def _scale(budget: DisruptionBudget, mine: Sequence[Pod], drawn: Sequence[Drawn]) -> int | None:
    """Replicas of all controllers of the pods; None when one of them has no scale, as Jobs and DaemonSets have none."""
    apps = {p.labels.get("app") for p in mine if p.controller is not None}
    of = [d for d in drawn if d.namespace == budget.namespace and d.name in apps]
    if any(d.owner is not None and d.owner.kind not in ("ReplicaSet", "StatefulSet") for d in of):
        return None
    return sum(d.replicas for d in of if d.owner is not None)
