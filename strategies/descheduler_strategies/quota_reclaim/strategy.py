"""QuotaReclaim: what a namespace is guaranteed, given back by those who borrowed it.

ElasticQuotas lend what one namespace leaves of its guarantee to others. When it wants it back, its scheduler preempts
pod by pod and node by node, and breaks many jobs for one. Here as few jobs as must give back, whole, the cheapest
first, and nobody's namespace falls below its own guarantee.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from descheduler.contract import RebalanceView, Scenario, StrategyArgs
from descheduler.model.format import span
from descheduler.model.moves import Finding, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.packing.letting_go import Account, Job, LetGo, let_go
from descheduler_strategies.elastic_quotas import ElasticQuotas, elastic_quotas
from descheduler_strategies.quota_reclaim.args import NAME, QuotaReclaimArgs
from descheduler_strategies.quota_reclaim.fairness import books
from descheduler_strategies.quota_reclaim.jobs import Borrows, Waits, asks, borrowers, entitled
from descheduler_strategies.releases import (
    cores,
    granted_to,
    holder,
    joined,
    listed,
    members,
    release,
    seated,
    short,
    unfit,
    without,
)


class QuotaReclaim:
    name: ClassVar[str] = NAME
    order: ClassVar[int] = 20
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = QuotaReclaimArgs

    def propose(self, view: RebalanceView, args: QuotaReclaimArgs) -> Iterable[Proposal | Observation]:
        quotas = elastic_quotas(view)
        if not quotas.namespaces:
            return
        state = view.what_if()
        able = borrowers(view, quotas)
        waiting: list[Waits] = []
        for one in entitled(view, quotas, args.older_than.total_seconds()):
            if _has_room(view, state, quotas, one):
                quotas = _with(view, quotas, [one], [])
            else:
                waiting.append(one)
        if not waiting:
            return
        mine = granted_to(view, NAME)
        left = args.max_jobs - len({view.units.of(move.pod).name for one in mine for move in one.moves})
        found = _reclaim(view, state, quotas, waiting, able)
        started: set[int] = set()
        for gone, starts in _together(state, able, found):
            jobs, those = [able[at] for at in gone], [waiting[at] for at in starts]
            finding = _finding(view, quotas, those)
            started.update(starts)
            after = _with(view, quotas, those, jobs)
            leaving = [pod for job in jobs for pod in job.pods]
            places = [seat for at in starts for seat in seated(view, waiting[at].pods, found.places[at])]
            blocked = _not_now(len(jobs), left, after) or unfit(view, state, leaving, places)
            if blocked is not None:
                yield Observation(finding, blocked)
                continue
            left -= len(jobs)
            quotas = after
            worth = sum(cores(view, one.pods) for one in those) * args.worth.total_seconds()
            names = listed([short(job.name) for job in jobs])
            note = f"{names} {'gives' if len(jobs) == 1 else 'give'} back what was borrowed"
            yield release(state, finding, leaving, places, worth, note)
        for one in (waiting[at] for at in range(len(waiting)) if at not in started):
            text = "no whole jobs that borrowed make room for it"
            yield Observation(_finding(view, quotas, [one]), Blocked(Reason.NO_CURE, NAME, text))


def _not_now(count: int, left: int, after: ElasticQuotas) -> Blocked | None:
    if (after.unused < 0).any():
        return Blocked(Reason.NO_CURE, NAME, "others must give back before it")
    if count > left:
        return Blocked(Reason.NO_CURE, NAME, f"it takes {count} jobs, and {max(left, 0)} of maxJobs are left")
    return None


def _has_room(view: RebalanceView, state: Scenario, quotas: ElasticQuotas, one: Waits) -> bool:
    """Whether it fits as things are, by its quotas too; its room is then set aside in `state`."""
    asked = asks(view, one.pods)
    if (asked > quotas.unused)[quotas.counted].any():
        return False
    attempt = state.fork()
    for pod in one.pods:
        fits = np.flatnonzero(attempt.fits(pod))
        if not fits.size:
            return False
        attempt.place(pod, int(fits[0]))
    for pod in one.pods:
        state.place(pod, attempt.node_of(pod))
    return True


def _reclaim(
    view: RebalanceView, state: Scenario, quotas: ElasticQuotas, waiting: Sequence[Waits], able: Sequence[Borrows]
) -> LetGo:
    """Which of the jobs give back, as few as possible and then the cheapest, so that all start that can."""
    columns = view.snapshot.columns
    cleared = without(state, (pod for job in able for pod in job.pods))
    costs = np.array([float(view.costs[list(job.pods)].sum()) for job in able])
    holders = [
        holder(view, state, job.pods, 1.0 + 0.9 * cost / max(costs.sum(), 1.0))
        for job, cost in zip(able, costs.tolist(), strict=True)
    ]
    missed = len(able) * 2.0 + 1.0
    jobs = [Job(members(view, cleared, one.pods), missed) for one in waiting]
    nothing, everything = np.full(len(columns.resources), -np.inf), np.full(len(columns.resources), np.inf)
    accounts = [Account(tuple(range(len(jobs))), tuple(range(len(able))), nothing, quotas.unused)]
    for quota in {job.quota for job in able}:
        mine = tuple(at for at, job in enumerate(able) if job.quota == quota)
        spare = quotas.used[quota] - quotas.least[quota]
        # Nobody is pushed below his guarantee; where he is below it by himself already, nobody pushes.
        floor = np.where(quotas.counted & (spare >= 0), -spare, -np.inf)
        accounts.append(Account((), mine, floor, everything))
    return let_go(state.free().astype(np.int64), jobs, holders, accounts)


def _together(state: Scenario, able: Sequence[Borrows], found: LetGo) -> list[tuple[list[int], list[int]]]:
    """Which jobs give back for whom, those together that share a node."""
    released: dict[int, set[Hashable]] = {at: {state.node_of(pod) for pod in able[at].pods} for at in found.released}
    started: dict[int, set[Hashable]] = {at: set(nodes) for at, nodes in found.places.items()}
    return joined(released, started)


def _with(view: RebalanceView, quotas: ElasticQuotas, mine: Sequence[Waits], gone: Sequence[Borrows]) -> ElasticQuotas:
    """The quotas once these have started and those are gone."""
    used = quotas.used.copy()
    for one in mine:
        used[one.quota] += asks(view, one.pods)
    for job in gone:
        used[job.quota] -= asks(view, job.pods)
    return replace(quotas, used=used)


def _finding(view: RebalanceView, quotas: ElasticQuotas, mine: Sequence[Waits]) -> Finding:
    """Who waits, for how long, and who has borrowed and lent how much since when."""
    names = [short(one.name) for one in mine]
    pods = sum(len(one.pods) for one in mine)
    waits = [
        f"{name} waits for {span(view.snapshot.taken_at - one.since)}, within what"
        f" {quotas.namespaces[one.quota]} is guaranteed"
        for name, one in zip(names, mine, strict=True)
    ]
    text, numbers = books(view, quotas)
    return Finding(
        strategy=NAME,
        subject=Subject(
            SubjectKind.GANG if pods > len(mine) else SubjectKind.POD,
            names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more",
        ),
        measure="pods that wait for what their namespace is guaranteed, and start",
        value=0.0,
        threshold=float(pods),
        text=f"{listed(waits, '; ')}; {text}",
        since=min(one.since for one in mine),
        numbers=numbers,
    )
