"""Taking up a unit whose execution was interrupted: the intent says what was meant, the cluster how far it came."""

from __future__ import annotations

from descheduler.execution.context import ExecutionContext
from descheduler.execution.intents import Intent
from descheduler.execution.replacements import ReplacementWatch
from descheduler.execution.unit_run import UnitRun
from descheduler.execution.wave import Workers, finish
from descheduler.model.errors import ClusterError
from descheduler.model.reasons import Blocked, Reason


def resume_unit(context: ExecutionContext, intent: Intent) -> UnitRun | None:
    """Finish what is begun, drop what is not, and close the intent; the unit, None when it was not begun.

    What has been insisted on for long already is tried again, but the cycle does not wait for it.
    Raises ClusterError when the cluster does not say how far things came, LeadershipLost, ExecutorError.
    """
    unit = _interrupted(context, intent)
    if unit.begun and unit.left:
        if _recovered(context, intent):
            unit.refused = Blocked(Reason.CHANGED, intent.action.unit, "it has recovered by itself meanwhile")
        else:
            awaited = context.holds(intent) and not context.in_full(intent.action.executor)
            watch = _watch(context, unit) if awaited else None
            with Workers(context.limits.max_parallel) as workers:
                finish(context, workers, [unit], patient=context.clock.wall() - intent.at < 2 * context.limits.finish)
            if watch is not None:
                context.until_bound(watch)
    if unit.begun:
        context.keep(intent.plan, [unit.outcome()])
    if unit.settled or unit.refused is not None:
        context.close([intent])
    return unit if unit.begun else None


def _interrupted(context: ExecutionContext, intent: Intent) -> UnitRun:
    """The unit of an open intent, with what the cluster says of each pod."""
    since = intent.at if context.in_full(intent.action.executor) else 0.0
    unit = UnitRun(intent.action, resumed=True, since=since)
    mover = context.mover(intent.action.executor)
    for move in intent.action.pods:
        if mover.disrupted(move):
            unit.disrupted_at[move.uid] = intent.at
    return unit


def _watch(context: ExecutionContext, unit: UnitRun) -> ReplacementWatch | None:
    try:
        return ReplacementWatch(unit.left, context.observe())
    except ClusterError:
        return None  # finishing the unit does not depend on seeing where it lands


def _recovered(context: ExecutionContext, intent: Intent) -> bool:
    """Whether an old interruption does no harm any more: its workloads have all the ready pods they want."""
    if context.clock.wall() - intent.at < context.limits.resume:
        return False
    snapshot = context.observe()
    wanted: dict[str, int] = {}
    for move in intent.action.pods:
        wanted[move.workload] = wanted.get(move.workload, 0) + 1
    for key, workload in snapshot.workloads.items():
        if str(key) in wanted:
            wanted[str(key)] = max(wanted[str(key)], workload.replicas)
    ready = dict.fromkeys(wanted, 0)
    for pod in snapshot.pods:
        if pod.ready and pod.deleting is None and (name := str(snapshot.root(pod))) in ready:
            ready[name] += 1
    return all(ready[name] >= count for name, count in wanted.items())
