"""Filters about what an eviction sets off: controllers, gangs, disruption budgets, the ledger of past moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Mask
from descheduler.model.budgets import PUB, DisruptionBudget
from descheduler.model.pods import Phase
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.units import Consequence, DisruptionMode, Unit
from descheduler.planning.budgets.match import unmatched
from descheduler.planning.filters.context import Filter, FilterContext

_REFUSED = {Consequence.FAILS: Reason.WOULD_FAIL, Consequence.LOST: Reason.WOULD_BE_LOST}


def bare_pod_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods that nobody makes again; of those that have finished only what the policy protects, or nobody asks for."""
    open_ones = context.finished & context.asks_for_eviction
    if not context.policy.protect_failed_bare_pods:
        open_ones = open_ones | context.in_phase(Phase.FAILED)
    bare = context.by_owner(lambda p: not p.owners) & ~open_ones
    yield Filter(Reason.BARE_POD, bare, lambda i: Blocked(Reason.BARE_POD, context.name(i)))


def same_node_filter(context: FilterContext) -> Iterator[Filter]:
    """Gangs whose pods would come back to the very node."""

    def returns(unit: Unit) -> bool:
        return unit.blocked is None and unit.consequence is Consequence.SAME_NODE

    gangs = enumerate(context.units.gangs)
    yield from _of_units(context, {i: Blocked(Reason.RETURNS_TO_NODE, unit.name) for i, unit in gangs if returns(unit)})


def consequence_filters(context: FilterContext) -> Iterator[Filter]:
    """What controllers do, and gangs that cannot be resolved."""
    yield from _units(context)
    yield from _alone(context)


def _units(context: FilterContext) -> Iterator[Filter]:
    def refusal(unit: Unit) -> Blocked | None:
        if unit.blocked is not None:
            return unit.blocked
        if unit.consequence in _REFUSED:
            return Blocked(_REFUSED[unit.consequence], unit.name)
        return None

    refusals = {i: r for i, unit in enumerate(context.units.gangs) if (r := refusal(unit)) is not None}
    yield from _of_units(context, refusals)


def torn_filter(context: FilterContext) -> Iterator[Filter]:
    """Gangs that are incomplete already, so that replacements would wait for pods that are not there, and those that
    may lose nobody. Whoever is let go is let go whole, and waits anyway."""

    def torn(unit: Unit) -> bool:
        return unit.alive < unit.min_available if unit.mode is DisruptionMode.WHOLE else unit.slack == 0

    refusals = {
        i: Blocked(Reason.GANG_WOULD_TEAR, unit.name, _standing(unit))
        for i, unit in enumerate(context.units.gangs)
        if torn(unit)
    }
    yield from _of_units(context, refusals)


def _standing(unit: Unit) -> str:
    return f"{unit.alive} alive, minimum {unit.min_available}"


def _of_units(context: FilterContext, refusals: dict[int, Blocked]) -> Iterator[Filter]:
    """One filter for each reason among refusals of whole units."""
    at = context.units.unit_index
    for reason in dict.fromkeys(r.reason for r in refusals.values()):
        hit = np.zeros(len(context.units.gangs) + 1, np.bool_)  # the last stands for -1, no gang
        hit[[i for i, r in refusals.items() if r.reason is reason]] = True
        yield Filter(reason, hit[at], lambda i: refusals[int(at[i])])


def _alone(context: FilterContext) -> Iterator[Filter]:
    """Effects of single evictions; those of whole gangs are in their units."""
    effects, rows = context.units.effects, context.looks.owners.rows
    whole = np.array([*(u.mode is DisruptionMode.WHOLE for u in context.units.gangs), False], np.bool_)
    single = ~whole[context.units.unit_index]
    refused: dict[int, Blocked] = {}  # by row of owners
    own: set[int] = set()  # rows whose pods differ
    for row, pod in enumerate(context.looks.first_of_owner):
        if not pod.owners:
            continue
        if effects.per_pod(pod):
            own.add(row)
            continue
        effect = effects.alone(pod)
        if effect.blocked is not None:
            refused[row] = effect.blocked
        elif effect.consequence in _REFUSED:
            refused[row] = Blocked(_REFUSED[effect.consequence], f"{pod.owners[0].kind}/{pod.owners[0].name}")
    by_pod: dict[int, Blocked] = {}
    for position in np.flatnonzero(np.isin(rows, list(own))).tolist() if own else ():
        blocked = effects.alone(context.pods[position]).blocked
        if blocked is not None:
            by_pod[position] = blocked
    for reason in dict.fromkeys(r.reason for r in (*refused.values(), *by_pod.values())):
        hit = np.isin(rows, [r for r, b in refused.items() if b.reason is reason])
        hit[[p for p, b in by_pod.items() if b.reason is reason]] = True
        yield Filter(reason, hit & single, lambda i: by_pod[i] if i in by_pod else refused[int(rows[i])])


def budget_filters(context: FilterContext) -> Iterator[Filter]:
    """Disruption budgets as they stand now. Pods that have not started are evicted whatever these say."""
    budgets, matches = context.snapshot.budgets, context.matches
    started = ~context.in_phase(Phase.PENDING)
    several = (matches.count > 1) & started
    names: Callable[[int], str] = lambda i: ", ".join(budgets[at].key for at in matches.of(i))  # noqa: E731
    yield Filter(Reason.SEVERAL_BUDGETS, several, lambda i: Blocked(Reason.SEVERAL_BUDGETS, context.name(i), names(i)))
    yield Filter(Reason.DISRUPTION_BUDGET, matches.unmatched & started, lambda i: unmatched(context.pods[i]))
    stale = matches.first([b.stale for b in budgets])
    yield Filter(
        Reason.BUDGET_STALE, (stale >= 0) & started, lambda i: Blocked(Reason.BUDGET_STALE, budgets[stale[i]].key)
    )
    none_left = [b.allowance(n) == 0 for b, n in zip(budgets, matches.healthy.tolist(), strict=True)]
    spent = matches.first(none_left)
    kruise = any(b.kind == PUB for b in budgets)
    for position in np.flatnonzero(spent >= 0).tolist():
        pod = context.pods[position]
        if kruise or not pod.ready:
            asked = (at for at in matches.of(position) if none_left[at] and not budgets[at].exempts(pod))
            spent[position] = next(asked, -1)
    yield Filter(Reason.DISRUPTION_BUDGET, spent >= 0, lambda i: _spent(budgets[spent[i]]))
    yield from _of_units(context, _too_large(context))


def _spent(budget: DisruptionBudget) -> Blocked:
    healthy = f"{budget.current_healthy} healthy, {budget.desired_healthy} wanted"
    never = "; it never allows any" if budget.at_best == 0 else ""
    return Blocked(Reason.DISRUPTION_BUDGET, budget.key, f"allows 0 now ({healthy}){never}")


def _too_large(context: FilterContext) -> dict[int, Blocked]:
    """Gangs that move whole and are larger than one of their budgets allows."""
    out: dict[int, Blocked] = {}
    for i, unit in enumerate(context.units.gangs):
        if unit.mode is not DisruptionMode.WHOLE:
            continue
        asked = Counter(
            at
            for pod in unit.amplified
            for at in context.matches.of(pod)
            if not context.snapshot.budgets[at].exempts(context.pods[pod])
        )
        for at, n in sorted(asked.items()):
            budget = context.snapshot.budgets[at]
            most = budget.allowance(int(context.matches.healthy[at]))
            if n > most:
                detail = f"{unit.name} moves whole, {n} pods, and {most} may be disrupted"
                out.setdefault(i, Blocked(Reason.DISRUPTION_BUDGET, budget.key, detail))
    return out


def ledger_filters(context: FilterContext, movable: Mask) -> Iterator[Filter]:
    """Cooldown and quarantine, asked only of pods that are still `movable` [P]."""
    ledger = context.ledger
    if ledger is None or not ledger.any_entries:
        return
    columns, successors, found = context.columns, ledger.successors, {}
    asked = np.unique(columns.pod_workload[movable])
    held = {at: ledger.blocked(columns.workloads[at], "", context.now) for at in asked.tolist()}
    concerned = np.isin(columns.pod_workload, [at for at, blocked in held.items() if blocked is not None])
    for position in np.flatnonzero(movable).tolist():
        uid = context.pods[position].uid
        if uid in successors:
            blocked = ledger.blocked(columns.workloads[columns.pod_workload[position]], uid, context.now)
        elif concerned[position]:
            blocked = held[int(columns.pod_workload[position])]
        else:
            continue
        if blocked is not None:
            found[position] = blocked
    for reason in dict.fromkeys(b.reason for b in found.values()):
        mask = context.nobody()
        mask[[p for p, b in found.items() if b.reason is reason]] = True
        yield Filter(reason, mask, found.__getitem__)


def member_filter(context: FilterContext, blocked: Mask) -> Iterator[Filter]:
    """A gang that moves whole stays when one of its members is `blocked` [P]."""
    units = context.units
    if not units.gangs:
        return
    whole = np.array([*(u.mode is DisruptionMode.WHOLE for u in units.gangs), False], np.bool_)
    witness = np.full(len(units.gangs) + 1, len(context.pods), np.int64)
    held: NDArray[np.int64] = np.flatnonzero(blocked & whole[units.unit_index])
    np.minimum.at(witness, units.unit_index[held], held)
    mask: Mask = (witness < len(context.pods))[units.unit_index] & ~blocked

    def explain(pod: int) -> Blocked:
        unit = units.of(pod)
        member = context.name(int(witness[units.unit_index[pod]]))
        return Blocked(Reason.GANG_MEMBER_BLOCKED, member, unit.name)

    yield Filter(Reason.GANG_MEMBER_BLOCKED, mask, explain)
