"""The second validation: does what a plan rests on still hold, on fresh data, right before a wave?

It checks what can turn an eviction into harm: that each pod is the very one, running where the plan saw it or, if it is
to be removed, still as it was seen, and that the budgets have room for all of them together (the Eviction API looks at
one pod at a time).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from descheduler.model.budgets import PDB, DisruptionBudget
from descheduler.model.plan import Action, PodMove
from descheduler.model.pods import Phase, Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.removed_state import as_seen, state_of
from descheduler.model.snapshot import ClusterSnapshot


def recheck(
    snapshot: ClusterSnapshot, actions: Iterable[Action], in_full: Collection[str] = ()
) -> Mapping[str, Blocked | None]:
    """For each action, by id, why it may not go ahead; None when it may.

    Budgets are charged in order: an action that is let through leaves less for those after it. Nothing is charged for
    the executors that keep all pods `in_full`, by name.
    """
    verdicts: dict[str, Blocked | None] = {}
    left = {budget.key: budget.allowance() for budget in snapshot.budgets}
    budgets = _by_namespace(snapshot)
    for action in actions:
        pods = [_find(snapshot, move) for move in action.pods]
        blocked = next((b for b in map(_unchanged, action.pods, pods) if b is not None), None)
        blocked = blocked or _waited_for(snapshot, action)
        if blocked is None and action.executor not in in_full:
            covered = [(pod, _covering(snapshot, budgets, pod)) for pod in pods if pod is not None]
            blocked = _charge(left, covered)
        verdicts[action.id] = blocked
    return verdicts


def budgets_of(snapshot: ClusterSnapshot, moves: Iterable[PodMove]) -> Mapping[str, str]:
    """Key of the first budget that covers each pod, by uid; pods that none covers, or that are over, are left out."""
    budgets = _by_namespace(snapshot)
    found: dict[str, str] = {}
    for move in moves:
        pod = _find(snapshot, move)
        covering = _covering(snapshot, budgets, pod) if pod is not None and not pod.terminal else []
        if covering:
            found[move.uid] = covering[0].key
    return found


def _by_namespace(snapshot: ClusterSnapshot) -> Mapping[str, list[DisruptionBudget]]:
    found: dict[str, list[DisruptionBudget]] = {}
    for budget in snapshot.budgets:
        found.setdefault(budget.namespace, []).append(budget)
    return found


def _covering(
    snapshot: ClusterSnapshot, budgets: Mapping[str, list[DisruptionBudget]], pod: Pod
) -> list[DisruptionBudget]:
    controllers = snapshot.controllers(pod.namespace, pod.owners)
    return [b for b in budgets.get(pod.namespace, ()) if b.covers(pod, controllers)]


def _find(snapshot: ClusterSnapshot, move: PodMove) -> Pod | None:
    position = snapshot.pod_index.get((move.namespace, move.pod))
    return None if position is None else snapshot.pods[position]


def _unchanged(move: PodMove, pod: Pod | None) -> Blocked | None:
    name = f"{move.namespace}/{move.pod}"
    if pod is None or pod.uid != move.uid:
        return Blocked(Reason.CHANGED, name, "the pod is gone")
    if pod.deleting is not None:
        return Blocked(Reason.TERMINATING, name)
    if pod.node != move.source:
        return Blocked(Reason.CHANGED, name, f"it is on {pod.node or 'no node'}, not on {move.source}")
    if move.state:
        now = state_of(pod)
        was = as_seen(move.state)
        return None if now == was else Blocked(Reason.CHANGED, name, f"it was {was}, and is {now}")
    if pod.phase is not Phase.RUNNING:
        return Blocked(Reason.CHANGED, name, f"it is {pod.phase.value}")
    return None


def _waited_for(snapshot: ClusterSnapshot, action: Action) -> Blocked | None:
    """Room for pending pods is made only while all of them still wait for it."""
    for seat in action.room_for:
        position = snapshot.pod_index.get((seat.namespace, seat.pod))
        pod = None if position is None else snapshot.pods[position]
        if pod is None or pod.node or pod.terminal or pod.deleting is not None:
            return Blocked(Reason.CHANGED, f"{seat.namespace}/{seat.pod}", "it no longer waits for room")
    return None


def _charge(left: dict[str, int], covered: Iterable[tuple[Pod, list[DisruptionBudget]]]) -> Blocked | None:
    need: dict[str, int] = {}
    for pod, matching in covered:
        if pod.terminal or pod.phase is Phase.PENDING:
            continue  # the Eviction API asks no budget for it
        several = [b.key for b in matching if b.kind == PDB]
        if len(several) > 1:
            return Blocked(Reason.SEVERAL_BUDGETS, pod.key, ", ".join(several))
        for budget in matching:
            if budget.stale:
                return Blocked(Reason.BUDGET_STALE, budget.key)
            need[budget.key] = need.get(budget.key, 0) + (not budget.exempts(pod))
    for key, count in need.items():
        if count > left[key]:
            return Blocked(Reason.DISRUPTION_BUDGET, key, f"{count} needed, {left[key]} left")
    for key, count in need.items():
        left[key] -= count
    return None
