"""The loop: one cycle after the other, by the replica that leads, until the process is asked to stop.

    policy valid? -> leading? -> caches synced? -> observe -> decide -> publish -> (active) execute -> remember

A dry run stops before `execute` and decides exactly the same. Whatever is not there pauses the controller, with a
reason that readiness, metrics and pages show; the next cycle tries again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.lease import Elector
from descheduler.archive.keeper import Keeper
from descheduler.controller.events import Events
from descheduler.controller.metrics import Metrics
from descheduler.controller.pauses import Paused, pause_of, without_history, without_right
from descheduler.controller.reload import PolicyWatch
from descheduler.controller.reports import Reports
from descheduler.controller.status import Status
from descheduler.controller.switch import ACTIVE, DRY_RUN, Stance, Switch
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.outcomes import ActionOutcome, ExecutionReport, Result
from descheduler.execution.plan_run import Revalidate
from descheduler.execution.runner import PlanRunner
from descheduler.learning.circuit import told
from descheduler.learning.ledger import Ledger, LedgerRules
from descheduler.learning.reconciliation import reconcile
from descheduler.learning.store import LedgerStore
from descheduler.learning.verification import Goal, goals_of
from descheduler.model.errors import DeschedulerError, LeadershipLost
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Blocked, Reason, Unprepared
from descheduler.model.secrets import hidden
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Observed
from descheduler.pipeline import Decision, Memory, executor_of
from descheduler.policy import Policy, policy_hash

log = structlog.get_logger(__name__)
_STARTING = 120.0  # seconds in which a single cycle may wait for what is being read
_LOGGED = 100  # objects that cannot be read, of those that are new in one cycle


@dataclass(slots=True)
class Seams:
    """What a cycle is made of, by those who can.

    `unsynced` says why the caches cannot be relied on (None: they can); `observe` and `decide` are the pipeline's, and
    raise DeschedulerError's kinds; `revalidate` makes the check before every wave of a plan, from what tells the ledger
    as it then is, and `renew` comes before each of these, with what takes its time; both raise DeschedulerError's
    kinds. `unproved` says, before a plan that will be carried out, why landing cannot be directed. `settle` does at the
    end of a cycle what no plan need wait for.
    """

    unsynced: Callable[[], Blocked | None]
    observe: Callable[[Policy], Observed]
    decide: Callable[[Observed, Policy, Memory], Decision]
    revalidate: Callable[[Policy, PlanDocument, Callable[[], Ledger]], Revalidate]
    renew: Callable[[Policy], None] = lambda _policy: None
    unproved: Callable[[Policy, ClusterSnapshot], str] = lambda _policy, _snapshot: ""
    settle: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Controller:
    """`run` goes on until `stop` is set. `switch` decides about acting; without an elector we always lead."""

    watch: PolicyWatch
    seams: Seams
    runner: PlanRunner
    ledgers: LedgerStore
    elector: Elector | None
    reports: Reports
    metrics: Metrics
    status: Status
    events: Events
    clock: Clock
    switch: Switch = field(default_factory=Switch)
    archive: Keeper | None = None
    poll_seconds: float = 2.0
    _ledger: Ledger = field(default_factory=Ledger)
    _term: int | None = None
    _goals: tuple[str, Mapping[str, Goal]] = ("", {})
    _stance: Stance | None = None
    _unreadable: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.runner.keep = self._keep
        self.runner.notify = self._notify

    def run(self, stop: threading.Event) -> None:
        """Cycle after cycle; returns when the one under way has come to a clean end."""
        self.runner.stopping = stop.is_set
        while not stop.is_set():
            began = self.clock.steady()
            self.cycle()
            self._wait(stop, began)
        self.status.doing("stopping")

    def run_once(self, stop: threading.Event) -> bool:
        """One cycle, as soon as everything is read; whether there was a plan, and all of it was tried."""
        self.runner.stopping = stop.is_set
        began = self.clock.steady()
        while (result := self.cycle()) == "paused" and isinstance(self.status.paused, Unprepared):
            if stop.wait(self.poll_seconds) or self.clock.steady() - began > _STARTING:
                break
        self._tell_moves()
        return result in ("acted", "planned")

    def _tell_moves(self) -> None:
        """What was planned last, pod by pod: who runs a single cycle has no pages to look at."""
        plans = [self.reports.plan(summary.id) for summary in self.reports.list()]
        for action in (action for plan in plans[:1] if plan is not None for action in plan.actions):
            for pod in action.pods:
                name = f"{pod.namespace}/{pod.pod}"
                kind, to = action.kind.value, pod.destination
                log.info("in the plan", kind=kind, pod=name, node=pod.source, to=to, strategy=action.strategy)

    def cycle(self) -> str:
        """One cycle; how it ended: acted, planned, standby, paused or failed. Never raises."""
        try:
            result, why = self._cycle(), None
        except LeadershipLost as error:
            result, why = "standby", None
            log.info("no longer leading", detail=str(error))
        except DeschedulerError as error:
            result, why = "paused", pause_of(error)
        except Exception as error:  # the top of the loop: nothing may end it
            self.metrics.errors.inc()
            log.exception("a cycle failed")
            result, why = "failed", Blocked(Reason.INTERNAL, "controller", hidden(f"{type(error).__name__}: {error}"))
        self._conclude(result, why)
        return result

    def _cycle(self) -> str:
        policy = self._policy()
        active = self._look(policy).active
        self.metrics.policy_in_force(policy_hash(policy), ACTIVE if active else DRY_RUN)
        if not self._leads():
            return "standby"
        blocked = self.seams.unsynced()
        if blocked is not None:
            raise Paused(blocked)
        self._remember(policy)
        if active:
            self._resume()
            self.runner.sweep(policy.acting.named)
        decision = self._decide(policy, active=active)
        active = active and self._look(policy).active  # deciding may have taken minutes
        executed = self._execute(decision.plan, policy) if active else None
        if active:
            self.ledgers.save(self._ledger)
        with self._stage("settle", "bringing profiles up to date"):
            self.seams.settle()
        lacking = without_history(decision) or without_right(executed)
        if lacking is not None:  # what could be done without it has been
            raise Paused(lacking)
        return "acted" if executed else "planned"

    def _conclude(self, result: str, why: Blocked | None) -> None:
        self.metrics.cycles.labels(result).inc()
        self.metrics.pauses(why)
        self.metrics.leader.set(self.elector is None or self.elector.leading)
        if why is not None:
            if why != self.status.paused:
                log.warning("paused", reason=why.reason.value, by=why.by, detail=why.detail)
            self.status.pause(why)
            return
        self.metrics.last_cycle.set(self.clock.wall())
        self.status.go_on()
        if result == "standby" and self.elector is not None:
            self.status.doing(f"standing by; {self.elector.holder or 'nobody'} leads")
        else:
            self.status.doing("waiting for the next cycle")

    # -- stages --------------------------------------------------------------------------

    def _policy(self) -> Policy:
        """The policy in force, looked up again; raises Paused while there has been none."""
        if self.watch.poll():
            if self.watch.problem:
                log.error("policy rejected", problem=self.watch.problem, kept=self.watch.policy is not None)
            else:
                log.info("policy in force", hash=policy_hash(self.watch.policy) if self.watch.policy else "")
        self.metrics.policy_ok.set(not self.watch.problem)
        policy = self.watch.policy
        if policy is None:
            raise Paused(Blocked(Reason.POLICY_INVALID, "policy", self.watch.problem))
        rejected = f"the file cannot be used, the former policy stays in force: {self.watch.problem}"
        self.status.note("policy", rejected if self.watch.problem else "")
        self.metrics.policy_loaded.set(self.watch.loaded_at)
        self.metrics.interval.set(policy.interval.total_seconds())
        self.reports.keep(policy.report.keep)
        self.events.pages = policy.report.url
        self.runner.limits = ExecutionLimits.of(policy.acting)
        self.runner.executors = partial(executor_of, policy)
        self.runner.halted = partial(self._halted, policy)
        self.runner.renew = partial(self.seams.renew, policy)
        return policy

    def _look(self, policy: Policy) -> Stance:
        """Whether plans are carried out, asked anew and told where people look."""
        stance = self.switch.look(policy)
        if stance != self._stance:
            log.info("mode", active=stance.active, decided=stance.text)
            self.status.decided(stance.text)
            self.metrics.active.set(stance.active)
            self._stance = stance
        return stance

    def _halted(self, policy: Policy) -> Blocked | None:
        """Asked before each unit is begun."""
        stance = self._look(policy)
        return None if stance.active else Blocked(Reason.SWITCHED_OFF, "mode", stance.text)

    def _leads(self) -> bool:
        if self.elector is None or self.elector.leading:
            return True
        self._term = None
        if self.elector.problem:
            blocked = self.seams.unsynced()  # all that is missing is reported at once
            also = f"; {blocked.detail}" if blocked is not None else ""
            raise Paused(Unprepared(Reason.NOT_LEADING, "lease", self.elector.problem + also))
        return False

    def _remember(self, policy: Policy) -> None:
        """The ledger: read at the start of each term, for another replica may have written it since."""
        term = self.elector.term if self.elector is not None else 0
        if term != self._term:
            self._ledger = self.ledgers.load(LedgerRules.of(policy))
            self._term = term
        self._ledger = replace(self._ledger, rules=LedgerRules.of(policy), unfinished=frozenset())

    def _resume(self) -> None:
        with self._stage("resume", "taking up what was interrupted"):
            outcomes = self.runner.resume()
        half = [o.action for o in outcomes if any(not p.evicted for p in o.pods) and o.blocked is None]
        namespaces = frozenset(move.namespace for action in half for move in action.pods)
        units = ", ".join(action.unit for action in half)
        if len(namespaces) > 1:
            raise Paused(Blocked(Reason.UNFINISHED, units))
        self._ledger = replace(self._ledger, unfinished=namespaces)
        self.status.note("unfinished", f"{units} is half moved; its namespace is left alone" if units else "")

    def _decide(self, policy: Policy, *, active: bool) -> Decision:
        with self._stage("observe", "observing"):
            observed = self.seams.observe(policy)
        now = observed.now
        self.metrics.saw(observed.snapshot, now)
        self._ledger = reconcile(self._ledger, observed.snapshot, now)
        held = told(self._ledger.circuit(now))
        self.status.note("circuit", "; ".join(held))
        unproved = self.seams.unproved(policy, observed.snapshot) if active else ""
        memory = Memory.of(self._ledger, now, unproved)
        with self._stage("decide", "deciding"):
            decision = self.seams.decide(observed, policy, memory)
        problems = (*decision.plan.problems, *held)
        mode = self._stance.text if self._stance else ""
        since = self.status.mode_since
        plan = replace(decision.plan, mode=mode, mode_since=since, problems=problems, remarks=self.watch.remarks)
        if decision.tells:
            self._ledger = self._ledger.judge(plan, now)
        trials = (f"{name}: {trial.why}" for name, own in self._ledger.trials(now).items() for trial in own)
        self.status.note("learning", "; ".join(trials))
        self.reports.add(plan)
        if self.archive is not None:
            self.archive.planned(plan, policy, active=active)
            self.archive.learned(self._ledger)
        self.metrics.planned_now(plan)
        self._tell_unreadable(decision.unreadable)
        self.metrics.remembers(self._ledger, now)
        self.reports.remember(self._ledger.entries)
        moves = sum(len(action.pods) for action in plan.actions)
        log.info("planned", plan=plan.id, findings=len(plan.findings), moves=moves, refusals=len(plan.refusals))
        self.status.note("plan", "; ".join(plan.problems))
        self.status.note("landing", f"{plan.landing}: {plan.landing_why}")
        if plan.acting_blocked:
            raise Paused(Blocked(Reason.DATA_STALE, "plan", plan.acting_blocked))
        return replace(decision, plan=plan)

    def _tell_unreadable(self, objects: Sequence[str]) -> None:
        """Each object that cannot be read is logged when it is seen first, and again when it was mended in between."""
        self.metrics.cannot_read(objects)
        new = [line for line in dict.fromkeys(objects) if line not in self._unreadable]
        for line in new[:_LOGGED]:
            log.warning("an object cannot be read", problem=line)
        if len(new) > _LOGGED:
            log.warning("more objects cannot be read", objects=len(new) - _LOGGED)
        self._unreadable = frozenset(objects)

    def _execute(self, plan: PlanDocument, policy: Policy) -> ExecutionReport | None:
        """Carry the plan out, unless the circuit is open for everybody; None when nothing was tried."""
        circuit = self._ledger.circuit(self.clock.wall())
        everyone = circuit.everyone
        self.events.paused(circuit)
        self.status.note("acting", str(everyone.blocked) if everyone is not None else "")
        if everyone is not None or not plan.actions:
            return None
        self._goals = (plan.id, goals_of(plan, self._ledger.rules.settle))
        self.events.about(plan)
        with self._stage("execute", f"carrying out plan {plan.id}"):
            check = self.seams.revalidate(policy, plan, lambda: self._ledger)
            report = self.runner.execute(plan, revalidate=check)
        self._ledger = self._ledger.record(report.actions, plan.id, self._goals[1])
        self.reports.add(plan, report)
        if self.archive is not None:
            self.archive.executed(report)
        self.metrics.executed(report)
        self.metrics.remembers(self._ledger, self.clock.wall())
        self.reports.remember(self._ledger.entries)
        refused = sum(action.result is Result.REFUSED for action in report.actions)
        log.info("executed", plan=plan.id, evicted=report.evicted, refused=refused, stopped=str(report.stopped or ""))
        if report.stopped is not None and report.stopped.reason is Reason.NOT_LEADING:
            raise LeadershipLost(report.stopped.detail)
        self.status.note("acting", f"the last plan was not finished: {report.stopped}" if report.stopped else "")
        return report

    # -- what the runner reports ---------------------------------------------------------

    def _keep(self, plan: str, outcomes: Sequence[ActionOutcome]) -> None:
        goals = self._goals[1] if self._goals[0] == plan else {}
        self._ledger = self._ledger.record(outcomes, plan, goals)
        self.ledgers.save(self._ledger)

    def _notify(self, outcome: ActionOutcome) -> None:
        self.status.beat()
        self.metrics.did(outcome)
        self.events.write(outcome)

    # -- time ----------------------------------------------------------------------------

    @contextmanager
    def _stage(self, name: str, doing: str) -> Iterator[None]:
        self.status.doing(doing)
        with self.metrics.stage.labels(name).time():
            yield

    def _wait(self, stop: threading.Event, began: float) -> None:
        """Until the interval is over, or something came up that should not wait: a new policy, leadership."""
        policy = self.watch.policy
        interval = policy.interval.total_seconds() if policy is not None else 60.0
        if self.status.paused is not None:
            interval = min(interval, 15.0)
        self.status.next_cycle = self.clock.wall() + max(0.0, began + interval - self.clock.steady())
        while not stop.is_set() and self.clock.steady() - began < interval:
            self.status.beat()
            if self._wanted():
                return
            stop.wait(self.poll_seconds)

    def _wanted(self) -> bool:
        leads = self.elector is None or self.elector.leading
        return self.watch.changed() or (leads and self.elector is not None and self.elector.term != self._term)
