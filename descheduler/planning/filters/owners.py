"""The filter of pods that would be lost with their work, because their owner does not make them again."""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.context import Filter, FilterContext
from descheduler.planning.filters.makers import AGAIN_IF, Makers


def owner_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods whose controller is known not to make them again, and pods that run once of one that nobody knows.

    Pods that ask for eviction are let through: they know what they lose.
    """
    makers = Makers(context.policy.recreating_owners)

    def known(pod: Pod) -> bool | None:
        owner = pod.controller
        return True if owner is None else makers.known(owner)  # without one it is a bare pod

    mask = context.by_owner(lambda pod: known(pod) is False)
    runs_once = context.by_spec([spec.restart_policy != "Always" for spec in context.columns.specs])
    mask |= context.by_owner(lambda pod: known(pod) is None) & runs_once
    if mask.any():
        mask &= ~context.by_labels(lambda labels: any(labels.get(key) == value for key, value in AGAIN_IF.items()))
        mask &= ~context.asks_for_eviction

    def explain(i: int) -> Blocked:
        pod, owner = context.pods[i], context.pods[i].controller
        assert owner is not None
        kind = f"{owner.kind}.{owner.group}" if owner.group else owner.kind
        if makers.known(owner) is False:
            return Blocked(Reason.WOULD_BE_LOST, f"{owner.kind}/{owner.name}", f"{kind} does not repeat what it ran")
        text = f"restartPolicy {pod.spec.restart_policy}, and whether a {kind} makes it again is not known"
        return Blocked(Reason.WOULD_BE_LOST, f"{owner.kind}/{owner.name}", text)

    yield Filter(Reason.WOULD_BE_LOST, mask, explain)
