"""The second validation before a wave: does what the plan decided still hold, by all that is known now?

Every action of the wave goes before the prover that accepted it once more: filters, gangs, budgets, and the proof of
re-placement, on a fresh snapshot, with what the ledger remembers by now and the profiles in force, all of the wave
taken together. Its destination must still take it, still be likely, and still stay cool. What it is worth was weighed
when the plan was made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from descheduler.contract import needs_of
from descheduler.execution.plan_run import Revalidate
from descheduler.learning.ledger import Ledger
from descheduler.learning.reconciliation import reconcile
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import ActionKind, Finding, Move, Proposal, Seat
from descheduler.model.plan import Action
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.pipeline import planning_settings
from descheduler.planning import ChosenStrategy, PlanningContext, PlanningInput, PlanningSettings, survey
from descheduler.planning.problems import ProblemKind
from descheduler.planning.prover import Prover
from descheduler.planning.settings import chosen, input_of
from descheduler.planning.sources import missing
from descheduler.policy import Policy
from descheduler_profiling.profiles import SignalProfiles

_HOUR = 3600.0


def second_validation(
    policy: Policy,
    remembered: Callable[[], Ledger],
    plan: str = "",
    profiles: Mapping[str, SignalProfiles] | None = None,
    landing: LandingMode | None = None,
) -> Revalidate:
    """The check for one plan under a policy.

    `remembered` gives the ledger at the time of each check; what it says of `plan` itself (an id) brings no cooldown,
    for a plan may move several pods of a workload, one wave after the other. Without `profiles` nothing is asked about
    how hot a destination will be; with them, a strategy whose signals are too old by now moves nothing more. `landing`
    is that of the plan, whatever is installed by now: executors ask that before they touch anything. None: as planned
    now.
    """
    signals = {one.name: _relied_on(one) for one in chosen(policy)} if profiles is not None else {}

    def revalidate(snapshot: ClusterSnapshot, actions: Sequence[Action]) -> Mapping[str, Blocked | None]:
        now = snapshot.taken_at
        ledger = reconcile(remembered(), snapshot, now)
        settings = _settings(policy, snapshot, landing)
        context = survey(_input(snapshot, policy, ledger, plan, profiles or {}), settings)
        everyone = ledger.circuit(now).everyone
        stopped = everyone.blocked if everyone is not None else _stopped(context)
        prover = Prover(context)
        verdicts: dict[str, Blocked | None] = {}
        for action in actions:
            needed = signals.get(action.strategy, ())
            unable = stopped or _blind(context, needed) or _by_its_executor(context, snapshot, action)
            verdicts[action.id] = unable or _judged(prover, snapshot, action)
        return verdicts

    return revalidate


def _settings(policy: Policy, snapshot: ClusterSnapshot, landing: LandingMode | None) -> PlanningSettings:
    """One wave is one moment. Waves wait for one another, so pods that are still on their way out though their
    replacements are ready are not held against the next one; what a workload lacks by now is.
    """
    settings = planning_settings(policy, snapshot)
    limits = replace(settings.limits, waves=1, leaving=False)
    return replace(settings, limits=limits, landing=landing or settings.landing)


def _input(
    snapshot: ClusterSnapshot, policy: Policy, ledger: Ledger, plan: str, profiles: Mapping[str, SignalProfiles]
) -> PlanningInput:
    now = snapshot.taken_at
    return input_of(
        policy,
        snapshot,
        profiles,
        now,
        ledger=replace(ledger, aside=plan),
        in_flight=ledger.in_flight(now),
        moved_last_hour=ledger.moved_within(_HOUR, now),
        moved_by=ledger.moved_by(_HOUR, now),
    )


def _stopped(context: PlanningContext) -> Blocked | None:
    return Blocked(Reason.DATA_STALE, "second validation", "; ".join(context.stops)) if context.stops else None


def _relied_on(one: ChosenStrategy) -> tuple[str, ...]:
    needs = needs_of(one.strategy, one.args)
    return (*one.strategy.signals, *needs.signals, *needs.queries)


def _blind(context: PlanningContext, signals: Sequence[str]) -> Blocked | None:
    lacking = missing(signals, context.sources.usable)
    if not lacking:
        return None
    why = [p.text for p in context.problems if p.kind is ProblemKind.SIGNAL and p.name in lacking]
    return Blocked(Reason.DATA_STALE, "history", "; ".join(why) or f"no usable history of {', '.join(lacking)}")


def _judged(prover: Prover, snapshot: ClusterSnapshot, action: Action) -> Blocked | None:
    proposal = _proposal(snapshot, action, held=prover.view.landing is LandingMode.RESERVED)
    if isinstance(proposal, Blocked):
        return proposal
    verdict = prover.judge(proposal)
    return verdict if isinstance(verdict, Blocked) else None


def _by_its_executor(context: PlanningContext, snapshot: ClusterSnapshot, action: Action) -> Blocked | None:
    """Another executor that could move it by now is none that the plan spoke of."""
    found = (snapshot.pod_index.get((one.namespace, one.pod), -1) for one in action.pods)
    releases = action.kind is ActionKind.RELEASE
    return context.ways.refusal(action.executor, [pod for pod in found if pod >= 0], releases=releases)


def _proposal(snapshot: ClusterSnapshot, action: Action, *, held: bool) -> Proposal | Blocked:
    """What the action was when it was proposed, in the positions of this snapshot.

    Where a place is `held` it will be that one, which alone must be good then.
    """
    at = snapshot.node_index
    moves: list[Move] = []
    for one in action.pods:
        pod = snapshot.pod_index.get((one.namespace, one.pod), -1)
        if pod < 0 or snapshot.pods[pod].uid != one.uid:
            return Blocked(Reason.CHANGED, action.unit, f"{one.namespace}/{one.pod} is gone")
        if snapshot.pods[pod].node != one.source:
            return Blocked(Reason.CHANGED, action.unit, f"{one.namespace}/{one.pod} is not on {one.source}")
        named = dict.fromkeys((one.destination, *one.towards))  # of a removal nothing that there is
        destinations = tuple(at[node] for node in named if node in at)
        moves.append(Move(pod, at.get(one.source, -1), destinations, only=held and action.kind is ActionKind.MOVE))
    seats: list[Seat] = []
    for row in action.room_for:
        pod = snapshot.pod_index.get((row.namespace, row.pod), -1)
        if pod < 0 or row.node not in at:
            gone = f"{row.namespace}/{row.pod}" if pod < 0 else f"node {row.node}"
            return Blocked(Reason.CHANGED, action.unit, f"{gone}, for which it makes room, is gone")
        seats.append(Seat(pod, at[row.node]))
    return Proposal(
        finding=Finding(action.strategy, Subject(SubjectKind.UNIT, action.unit), "", 0.0, 0.0, action.note),
        moves=tuple(moves),
        benefit=action.benefit,
        worth=math.inf,
        seats=tuple(seats) if action.stage == action.stages else (),  # before its last stage there is no room yet
        avoid=tuple(sorted({at[n] for n in action.steer if n in at} - {m.source for m in moves})),
        kind=action.kind,
        cordon=tuple(at[n] for n in action.cordon if n in at),
    )
