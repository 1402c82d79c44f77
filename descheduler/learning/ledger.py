"""The ledger: what each past move was to achieve, what it achieved, and what follows for the next ones.

Pure data; every question takes `now` (unix seconds), every change gives a new ledger. Keeping it is `store`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from descheduler.execution.outcomes import ActionOutcome, PodOutcome
from descheduler.execution.replacements import is_replaced
from descheduler.learning.circuit import Circuit, circuit, is_late
from descheduler.learning.entry import LedgerEntry
from descheduler.learning.judging import judged
from descheduler.learning.owners import Hold, holds
from descheduler.learning.rules import LedgerRules
from descheduler.learning.strategy_pauses import JudgedAction, Pause, counting, hit_rate, of_strategy, reviewed
from descheduler.learning.verification import Goal
from descheduler.model.format import age, instant
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.workloads import WorkloadKey
from descheduler.planning.trials import Trial
from descheduler.policy import Policy

__all__ = ["DAY", "Ledger", "LedgerEntry", "LedgerRules"]
DAY = 86_400.0
_ON_TRIAL = 3600.0  # seconds for which an action of a paused strategy that is no hit (yet) takes one of its places


@dataclass(frozen=True)
class Ledger:
    """Entries in the order of time, and the pauses of strategies.

    `aside`: the plan whose own moves bring no cooldown, for it may move several pods of a workload. `unfinished`:
    namespaces with a unit that is half moved and cannot be finished for now.
    """

    entries: tuple[LedgerEntry, ...] = ()
    pauses: Mapping[str, Pause] = field(default_factory=dict)
    rules: LedgerRules = field(default_factory=lambda: LedgerRules.of(Policy()))
    aside: str = ""
    unfinished: frozenset[str] = frozenset()

    # -- questions -----------------------------------------------------------------------

    @property
    def any_entries(self) -> bool:
        """False when nothing at all was moved, so that nobody need be asked about."""
        return bool(self.entries or self.unfinished)

    @property
    def successors(self) -> Collection[str]:
        """Uids of the pods that came of moves."""
        return self._by_successor.keys()

    def blocked(self, workload: WorkloadKey, pod_uid: str, now: float) -> Blocked | None:
        """Why this pod must be left in peace because of what was moved before; None when it need not. Without a uid:
        why all of its workload must be.

        What the circuit holds for everybody is not said of each.
        """
        if workload.namespace in self.unfinished:
            return Blocked(Reason.UNFINISHED, f"namespace/{workload.namespace}")
        entry = self._by_successor.get(pod_uid)
        if entry is not None:
            if entry.turn >= self.rules.quarantine_after and now - entry.at < self.rules.quarantine:
                return Blocked(Reason.QUARANTINED, "ledger", f"moved {entry.turn} times within a day")
            left = self._cooldown(entry) - (now - entry.at)
            if left > 0:
                return Blocked(Reason.COOLDOWN, "ledger", f"moved {age(now - entry.at)} ago, {age(left)} to go")
        hold = self._holds.get(str(workload))
        if hold is not None and now < hold.until:
            return hold.blocked
        moved = self._last_of_workload.get(str(workload))
        if moved is not None and now - moved < self.rules.workload:
            return Blocked(Reason.COOLDOWN, str(workload), f"a pod of it was moved {age(now - moved)} ago")
        opening = self.circuit(now).holding(workload.namespace, str(workload))
        return opening.blocked if opening is not None else None

    def circuit(self, now: float) -> Circuit:
        """Whom late replacements hold."""
        found = self._circuits.get(now)
        if found is None:
            found = self._circuits[now] = circuit(self.entries, now, self.rules.circuit)
        return found

    def pending(self, now: float) -> tuple[LedgerEntry, ...]:
        """Entries whose replacement is late."""
        return tuple(e for e in self.entries if is_late(e, now, self.rules.circuit))

    def in_flight(self, now: float) -> frozenset[str]:
        """Uids of pods that are being moved: evicted ones, and replacements that are not ready."""
        flying = [e for e in self.entries if e.waiting and now - e.at < self.rules.circuit.window]
        return frozenset(uid for e in flying for uid in (e.uid, e.successor) if uid)

    def moved_within(self, seconds: float, now: float) -> int:
        """How many pods were evicted in the last `seconds`."""
        return sum(now - e.at < seconds for e in self.entries)

    def moved_by(self, seconds: float, now: float) -> Mapping[str, int]:
        """How many pods each executor moved in the last `seconds`; what was removed is not among them."""
        return Counter(e.executor for e in self.entries if now - e.at < seconds and not e.removed)

    def paused(self, now: float) -> tuple[Pause, ...]:
        """The pauses of strategies whose moves miss their goal."""
        return tuple(pause for pause in self.pauses.values() if now < pause.until)

    def trials(self, now: float) -> Mapping[str, tuple[Trial, ...]]:
        """By strategy that is paused, what it may still do: an action on trial takes a place until it is judged to hit,
        or has been done for a while.
        """
        found: dict[str, tuple[Trial, ...]] = {}
        rules = self.rules.pausing
        for pause in sorted(self.paused(now), key=lambda pause: pause.pool):
            began = max(pause.began(rules), now - _ON_TRIAL)
            tried = {
                (e.plan, e.action)
                for e in self.entries
                if e.strategy == pause.strategy and pause.concerns(e.pool) and e.at >= began and not e.resolved
            }
            why = f"{pause.text}; until {instant(pause.until)} it goes on with its {rules.trial} surest at a time"
            trial = Trial(why, max(0, rules.trial - len(tried)), pause.pool)
            found[pause.strategy] = (*found.get(pause.strategy, ()), trial)
        return found

    def held(self, now: float) -> tuple[Hold, ...]:
        """Workloads that are left alone because their pods do not come up where plans say."""
        return tuple(hold for hold in self._holds.values() if now < hold.until)

    def quarantined(self, now: float) -> tuple[LedgerEntry, ...]:
        """The last moves of units in quarantine."""
        latest = {e.unit: e for e in self.entries}
        rules = self.rules
        return tuple(e for e in latest.values() if e.turn >= rules.quarantine_after and now - e.at < rules.quarantine)

    def hit_rates(self, now: float) -> Mapping[str, float]:
        """By strategy: share of its recent judged actions that reached their goal."""
        rules, rates = self.rules.pausing, {}
        for name, every in self._judged_actions.items():
            last = counting(every, of_strategy(self.pauses, name), now, rules)[-rules.window :]
            if last:
                rates[name] = hit_rate(last)
        return rates

    # -- changes -------------------------------------------------------------------------

    def record(self, outcomes: Iterable[ActionOutcome], plan: str, goals: Mapping[str, Goal]) -> Ledger:
        """With what was evicted; `goals` are those of the actions of that plan, by id (`goals_of`)."""
        entries = {e.uid: e for e in self.entries}
        for outcome in outcomes:
            for pod in outcome.pods:
                if pod.evicted:
                    entries[pod.move.uid] = self._entry(outcome, pod, plan, goals, entries.get(pod.move.uid))
        newest = sorted(entries.values(), key=lambda e: (not e.quiet, e.at, e.uid))[-self.rules.size :]
        return replace(self, entries=tuple(sorted(newest, key=lambda e: (e.at, e.uid))))

    def judge(self, plan: PlanDocument, now: float) -> Ledger:
        """With a verdict on every settled move by what this later plan says of its finding. Pauses what misses."""
        ledger = replace(self, entries=judged(self.entries, plan, now, self.rules))
        return replace(ledger, pauses=reviewed(ledger._judged_actions, self.pauses, now, self.rules.pausing))

    def _entry(
        self, outcome: ActionOutcome, pod: PodOutcome, plan: str, goals: Mapping[str, Goal], old: LedgerEntry | None
    ) -> LedgerEntry:
        move, action, goal = pod.move, outcome.action, goals.get(outcome.action.id)
        entry = LedgerEntry(
            at=pod.at,
            plan=plan,
            action=action.id,
            strategy=action.strategy,
            unit=action.unit,
            workload=move.workload,
            pod=f"{move.namespace}/{move.pod}",
            uid=move.uid,
            source=move.source,
            predicted=move.destination,
            landed=pod.landed,
            successor=pod.successor,
            ready_seconds=pod.ready_seconds,
            closed=not is_replaced(move),
            removed=move.state,
            goal=goal,
            towards=(move.destination,) if goal is not None and goal.reserved else move.towards,
            executor=action.executor,
        )
        if entry.quiet:
            return entry
        if old is not None:  # a resumed unit reports again what an interrupted execution reported before
            return replace(entry, at=old.at, goal=old.goal or entry.goal, turn=old.turn)
        return replace(entry, turn=self._turn(entry))

    def _turn(self, entry: LedgerEntry) -> int:
        """1 for a first move; one more than the last move of what is the same unit within a day before."""
        # Members of one gang, evicted for one plan, are one move.
        recent = (e for e in self._disturbing if e.plan != entry.plan and 0 <= entry.at - e.at < DAY)
        turns = (e.turn for e in recent if entry.uid == e.successor or e.unit == entry.unit or e.pod == entry.pod)
        return 1 + max(turns, default=0)

    def _cooldown(self, entry: LedgerEntry) -> float:
        try:
            return min(self.rules.longest, self.rules.unit * self.rules.growth ** (entry.turn - 1))
        except OverflowError:  # more than a float holds
            return self.rules.longest

    @cached_property
    def _by_successor(self) -> Mapping[str, LedgerEntry]:
        return {e.successor: e for e in self.entries if e.successor and not self._is_aside(e)}

    @cached_property
    def _last_of_workload(self) -> Mapping[str, float]:
        return {e.workload: e.at for e in self._disturbing if not self._is_aside(e)}

    @property
    def _disturbing(self) -> Iterable[LedgerEntry]:
        """Entries of pods that ran until they were evicted."""
        return (e for e in self.entries if not e.quiet)

    def _is_aside(self, entry: LedgerEntry) -> bool:
        return bool(self.aside) and entry.plan == self.aside

    @cached_property
    def _holds(self) -> Mapping[str, Hold]:
        return holds(self.entries, self.rules.owner_misses, self.rules.pausing.seconds)

    @cached_property
    def _circuits(self) -> dict[float, Circuit]:
        return {}  # by the time for which it was asked

    @cached_property
    def _judged_actions(self) -> Mapping[str, tuple[JudgedAction, ...]]:
        """By strategy, its judged actions, oldest first."""
        actions: dict[tuple[str, str, str], list[LedgerEntry]] = {}
        for entry in self.entries:
            if entry.resolved is not None:
                actions.setdefault((entry.strategy, entry.plan, entry.action), []).append(entry)
        found: dict[str, list[JudgedAction]] = {}
        for (strategy, *_), pods in actions.items():
            first, hit = pods[0], all(e.resolved for e in pods)
            judged_so = JudgedAction(first.at, hit, first.namespace, first.workload, first.pool)
            found.setdefault(strategy, []).append(judged_so)
        return {strategy: tuple(verdicts) for strategy, verdicts in found.items()}
