"""The product itself as a contender: observe, profile, decide, carry out wave by wave, remember.

The ledger, its cooldowns and pauses, windows, limits and the second validation before each wave are those of life. What
is not there is the API server: evictions that the plan may do succeed, and replacements are ready in the time that the
walk gives them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from descheduler.backtest.cluster import NOBODY, Cluster, Departure, Move
from descheduler.backtest.contender import Foreseen
from descheduler.backtest.meter import Meter
from descheduler.backtest.world import World
from descheduler.execution.outcomes import ActionOutcome, PodOutcome, Result
from descheduler.learning.ledger import Ledger, LedgerRules
from descheduler.learning.reconciliation import reconcile
from descheduler.learning.verification import goals_of
from descheduler.model.directing import BINDING, NAME
from descheduler.model.landing_mode import LandingMode, LandingWish
from descheduler.model.objects import CustomObject
from descheduler.model.plan import Action, ActionKind, PlanDocument
from descheduler.model.removed_state import was_over
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.observe import Observed
from descheduler.pipeline import Memory, decision_of, outcome_of, profile, settled
from descheduler.planning import Outcome
from descheduler.policy import Policy
from descheduler.second_validation import second_validation
from descheduler_profiling.executors import InProcess
from descheduler_profiling.profiles import SignalProfiles

_HOUR = 3600.0  # what is foreseen where no finding says how far ahead it looks
_QUANTILE = 0.95  # of the highest load that is foreseen


@dataclass(frozen=True, slots=True)
class Ours:
    """A policy, and how moved pods find their nodes; `landing` None: as the policy and the recorded cluster have it."""

    name: str
    policy: Policy
    landing: LandingWish | None = None
    dry_run: bool = False

    def make(self, world: World, rng: np.random.Generator) -> Run:
        policy = self.policy
        if self.landing is not None:
            acting = policy.acting.model_copy(update={"landing": self.landing})
            policy = policy.model_copy(update={"acting": acting})
        return Run(self.name, policy, directs=self.landing is LandingWish.DIRECTED, dry_run=self.dry_run)


@dataclass(slots=True)
class Run:
    """One walk's controller. `foreseen` has what every plan said of the nodes, `plans` how many there were."""

    name: str
    policy: Policy
    directs: bool = False
    dry_run: bool = False
    foreseen: list[Foreseen] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    plans: int = 0
    paused: int = 0
    last: PlanDocument | None = None
    _ledger: Ledger = field(default_factory=Ledger)
    _profiles: Mapping[str, SignalProfiles] | None = None
    _waves: list[tuple[Action, ...]] = field(default_factory=list)
    _next: float = 0.0
    _wave_at: float = 0.0

    def act(self, cluster: Cluster, meter: Meter, now: float) -> None:
        """A cycle when it is time for one, and the waves that begin before the step is over; late ones are checked by
        history that is read anew."""
        if self._waves:
            observed = Observed(cluster.snapshot(now), meter.histories(cluster, now), now)
            self._profiles = profile(observed, self._profiles, runner=InProcess())  # walks share the cores
        if not self._waves and now >= self._next:
            self._plan(cluster, meter, now)
            self._next = now + self.policy.interval.total_seconds()
            self._wave_at = now
        while self._waves and self._wave_at < now + meter.world.step:
            self._carry_out(cluster, meter, self._waves.pop(0), self._wave_at)
            self._wave_at += cluster.starts

    def _plan(self, cluster: Cluster, meter: Meter, now: float) -> None:
        snapshot = self._prepared(cluster.snapshot(now))
        self._ledger = replace(reconcile(self._ledger, snapshot, now), rules=LedgerRules.of(self.policy))
        observed = Observed(snapshot, meter.histories(cluster, now), now)
        self._profiles = profile(observed, self._profiles, runner=InProcess())  # walks share the cores
        self.paused += bool(self._ledger.paused(now))
        outcome = outcome_of(observed, self.policy, self._profiles, Memory.of(self._ledger, now))
        self._profiles = settled(observed, self._profiles, runner=InProcess())
        decision = decision_of(outcome)
        plan = decision.plan
        if decision.tells:
            self._ledger = self._ledger.judge(plan, now)
        self._note(outcome, plan, now)
        if plan.acting_blocked or self.dry_run or self._ledger.circuit(now).everyone is not None:
            return
        waves: dict[int, list[Action]] = {}
        for action in plan.actions:
            waves.setdefault(action.wave, []).append(action)
        self._waves = [tuple(waves[number]) for number in sorted(waves)]

    def _prepared(self, snapshot: ClusterSnapshot) -> ClusterSnapshot:
        """With what directs landings installed, where the walk is to be directed."""
        if not self.directs or BINDING in snapshot.objects:
            return snapshot
        group, _, kind = BINDING.partition("/")
        binding = CustomObject(api_version=f"{group}/v1", kind=kind, namespace="", name=NAME, spec={"policyName": NAME})
        return snapshot.beside(BINDING, binding)

    def _note(self, outcome: Outcome, plan: PlanDocument, now: float) -> None:
        """What the plan says of the nodes, and what became of what it found."""
        self.plans += 1
        self.last = plan
        view = outcome.view
        at = view.snapshot.node_index
        found = np.zeros(len(view.snapshot.nodes), np.bool_)
        horizon = _HOUR
        for row, finding in zip(plan.findings, outcome.findings.values(), strict=True):
            subject = Subject.read(row.subject)
            if subject.kind == SubjectKind.NODE and finding.resource:
                found[at[subject.name]] = True
                horizon = finding.horizon_seconds or horizon
        every = np.arange(len(found), dtype=np.int32)
        level = {
            resource: loads.highest(loads.of_nodes(), every, _QUANTILE, horizon)
            for resource, loads in view.loads.items()
        }
        self.foreseen.append(Foreseen(now, found, level, horizon))
        for refusal in plan.refusals:
            if refusal.finding:
                self.refused[refusal.reason] = self.refused.get(refusal.reason, 0) + refusal.count

    def _carry_out(self, cluster: Cluster, meter: Meter, actions: Sequence[Action], at: float) -> None:
        """One wave, by what holds at its beginning."""
        plan = self.last
        if plan is None:
            return
        snapshot = self._prepared(cluster.snapshot(at))
        check = second_validation(self.policy, lambda: self._ledger, plan.id, self._profiles, LandingMode(plan.landing))
        verdicts = check(snapshot, actions)
        agreed = [action for action in actions if verdicts.get(action.id) is None]
        for blocked in verdicts.values():
            if blocked is not None:
                self.refused[blocked.reason.value] = self.refused.get(blocked.reason.value, 0) + 1
        leaving: list[Departure] = []
        steered: set[int] = set()
        cordoned: set[int] = set()
        node = snapshot.node_index
        for action in agreed:
            if plan.landing == LandingMode.STEERED:
                steered.update(node[name] for name in action.steer)
            cordoned.update(node[name] for name in action.cordon)
            for one in action.pods:
                slot = int(cluster.slot[snapshot.pod_index[one.namespace, one.pod]])
                if was_over(one.state):
                    cluster.clear(slot)
                    continue
                reserved = plan.landing == LandingMode.RESERVED and action.kind is ActionKind.MOVE
                held = node[one.destination] if reserved else NOBODY
                leaving.append(Departure(slot, tuple(node[name] for name in one.towards), held))
        moves = {move.old.uid: move for move in cluster.move(leaving, at, steered, cordoned)}
        for move in moves.values():
            meter.forget(move.slot)
        outcomes = [_outcome(action, moves, cluster, at) for action in agreed]
        self._ledger = self._ledger.record(outcomes, plan.id, goals_of(plan, self._ledger.rules.settle))


def _outcome(action: Action, moves: Mapping[str, Move], cluster: Cluster, at: float) -> ActionOutcome:
    pods = []
    for one in action.pods:
        move = moves.get(one.uid)
        if move is None:
            continue
        landed = cluster.name(move.target)
        ready = cluster.starts if landed else None
        pods.append(PodOutcome(one, evicted=True, at=at, landed=landed, successor=move.new.uid, ready_seconds=ready))
    return ActionOutcome(action, Result.DONE, tuple(pods))
