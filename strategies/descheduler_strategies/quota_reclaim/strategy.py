"""QuotaReclaim: what a namespace is guaranteed, given back by those who borrowed it.

ElasticQuotas lend what one namespace leaves of its guarantee to others. When it wants it back, its scheduler preempts
pod by pod and node by node, and breaks many jobs for one. Here as few jobs as must give back, whole, the cheapest
first, and nobody's namespace falls below its own guarantee.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from descheduler.contract import RebalanceView, Scenario, StrategyArgs
from descheduler.model.action_kind import ActionKind
from descheduler.model.format import span
from descheduler.model.moves import Finding, Move, Observation, Proposal, Seat
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.packing.letting_go import Account, Holder, Job, LetGo, Members, let_go
from descheduler_strategies.elastic_quotas import ElasticQuotas, elastic_quotas
from descheduler_strategies.quota_reclaim.args import NAME, QuotaReclaimArgs
from descheduler_strategies.quota_reclaim.fairness import books
from descheduler_strategies.quota_reclaim.jobs import Borrows, Waits, asks, borrowers, entitled, worth_of

_NAMED = 3


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
        left = args.max_jobs - len({view.units.of(m.pod).name for p in _granted(view) for m in p.moves})
        found = _reclaim(view, state, quotas, waiting, able)
        started: set[int] = set()
        for gone, starts in _together(state, able, found):
            finding = _finding(view, quotas, [waiting[at] for at in starts])
            started.update(starts)
            jobs, mine = [able[at] for at in gone], [waiting[at] for at in starts]
            after = _with(view, quotas, mine, jobs)
            seats = [(pod, node) for at in starts for pod, node in _seats(view, waiting[at], found.places[at])]
            proposal = _proposal(view, args, state, mine, jobs, seats, finding)
            if (after.unused < 0).any():
                proposal = Blocked(Reason.NO_CURE, NAME, "others must give back before it")
            elif len(gone) > left:
                text = f"it takes {len(gone)} jobs, and {max(left, 0)} of maxJobs are left"
                proposal = Blocked(Reason.NO_CURE, NAME, text)
            if isinstance(proposal, Blocked):
                yield Observation(finding, proposal)
                continue
            left -= len(gone)
            quotas = after
            _take(state, proposal)
            yield proposal
        for one in (waiting[at] for at in range(len(waiting)) if at not in started):
            text = "no whole jobs that borrowed make room for it"
            yield Observation(_finding(view, quotas, [one]), Blocked(Reason.NO_CURE, NAME, text))


def _granted(view: RebalanceView) -> list[Proposal]:
    return [proposal for proposal in view.granted if proposal.finding.strategy == (view.use or NAME)]


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
    cleared = state.fork()
    for job in able:
        for pod in job.pods:
            cleared.remove(pod)
    costs = np.array([float(view.costs[list(job.pods)].sum()) for job in able])
    holders = [
        _holder(view, state, job, 1.0 + 0.9 * cost / max(costs.sum(), 1.0))
        for job, cost in zip(able, costs.tolist(), strict=True)
    ]
    missed = len(able) * 2.0 + 1.0
    jobs = [Job(_members(view, cleared, one), missed) for one in waiting]
    nothing, everything = np.full(len(columns.resources), -np.inf), np.full(len(columns.resources), np.inf)
    accounts = [Account(tuple(range(len(jobs))), tuple(range(len(able))), nothing, quotas.unused)]
    for quota in {job.quota for job in able}:
        mine = tuple(at for at, job in enumerate(able) if job.quota == quota)
        spare = quotas.used[quota] - quotas.least[quota]
        # Nobody is pushed below his guarantee; where he is below it by himself already, nobody pushes.
        floor = np.where(quotas.counted & (spare >= 0), -spare, -np.inf)
        accounts.append(Account((), mine, floor, everything))
    return let_go(state.free().astype(np.int64), jobs, holders, accounts)


def _members(view: RebalanceView, cleared: Scenario, one: Waits) -> tuple[Members, ...]:
    """Those that are alike together; nodes that could take one if all borrowers were gone."""
    columns = view.snapshot.columns
    return tuple(
        Members(
            len(pods),
            columns.requests(np.array(pods[:1], np.int32))[0].astype(np.int64),
            cleared.fits(pods[0]) & view.destinations(),
        )
        for pods in _alike(view, one)
    )


def _alike(view: RebalanceView, one: Waits) -> list[list[int]]:
    types: dict[int, list[int]] = {}
    for pod in one.pods:
        types.setdefault(int(view.snapshot.columns.pod_spec[pod]), []).append(pod)
    return list(types.values())


def _seats(view: RebalanceView, one: Waits, nodes: Sequence[int]) -> list[tuple[int, int]]:
    """(pod, node) of its pods, the nodes in the order of `_members`."""
    return list(zip((pod for pods in _alike(view, one) for pod in pods), nodes, strict=True))


def _together(state: Scenario, able: Sequence[Borrows], found: LetGo) -> list[tuple[list[int], list[int]]]:
    """Which jobs give back for whom, those together that share a node; by the first who starts."""
    groups: list[tuple[set[int], set[int], set[int]]] = []
    entries = [({at}, set[int](), {state.node_of(pod) for pod in able[at].pods}) for at in found.released]
    entries += [(set[int](), {at}, set(nodes)) for at, nodes in found.places.items()]
    for gone, starts, nodes in entries:
        for group in [group for group in groups if group[2] & nodes]:
            groups.remove(group)
            gone, starts, nodes = gone | group[0], starts | group[1], nodes | group[2]
        groups.append((gone, starts, nodes))
    return sorted(((sorted(g), sorted(s)) for g, s, _ in groups if g and s), key=lambda pair: pair[1])


def _holder(view: RebalanceView, state: Scenario, job: Borrows, weight: float) -> Holder:
    nodes, rows = np.unique(np.array([state.node_of(pod) for pod in job.pods]), return_inverse=True)
    amounts = np.zeros((len(nodes), len(view.snapshot.columns.resources)), np.int64)
    np.add.at(amounts, rows, view.snapshot.columns.requests(np.array(job.pods, np.int32)))
    return Holder(nodes, amounts, weight)


def _proposal(
    view: RebalanceView,
    args: QuotaReclaimArgs,
    state: Scenario,
    mine: Sequence[Waits],
    gone: Sequence[Borrows],
    places: Sequence[tuple[int, int]],
    finding: Finding,
) -> Proposal | Blocked:
    """The proposal, where all fit by the rules of the scheduler."""
    attempt = state.fork()
    leaving = [pod for job in gone for pod in job.pods]
    for pod in leaving:
        attempt.remove(pod)
    for pod, node in places:
        if not attempt.fits(pod)[node]:
            return Blocked(Reason.NO_CURE, f"pod/{view.snapshot.pods[pod].key}", attempt.explain(pod))
        attempt.place(pod, node)
    names = ", ".join(job.name.partition(":")[2] or job.name for job in gone[:_NAMED])
    more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
    return Proposal(
        finding=finding,
        moves=tuple(Move(pod, state.node_of(pod)) for pod in leaving),
        benefit=finding.threshold - finding.value,
        worth=sum(worth_of(view, one.pods) for one in mine) * args.worth.total_seconds(),
        note=f"{names}{more} {'gives' if len(gone) == 1 else 'give'} back what was borrowed",
        seats=tuple(Seat(pod, node) for pod, node in places),
        kind=ActionKind.RELEASE,
    )


def _take(state: Scenario, proposal: Proposal) -> None:
    """The state with the proposal done."""
    for move in proposal.moves:
        state.remove(move.pod)
    for seat in proposal.seats:
        state.place(seat.pod, seat.node)


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
    names = [one.name.partition(":")[2] or one.name for one in mine]
    pods = sum(len(one.pods) for one in mine)
    waits = "; ".join(
        f"{name} waits for {span(view.snapshot.taken_at - one.since)}, within what"
        f" {quotas.namespaces[one.quota]} is guaranteed"
        for name, one in zip(names[:_NAMED], mine, strict=False)
    )
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
        text=f"{waits}{f'; and {len(names) - _NAMED} more' if len(names) > _NAMED else ''}; {text}",
        since=min(one.since for one in mine),
        numbers=numbers,
    )
