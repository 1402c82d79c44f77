"""What may be disrupted at one moment and in one cycle: PodDisruptionBudgets, the policy's limits, failure budgets.

PodDisruptionBudgets and the limit per workload hold at every moment, so they are counted by wave: the pods of one wave
are back before the next begins. The other limits count over the whole cycle (or hour). What is charged is everything
that restarts, not only what is evicted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from descheduler.gangs import Units
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.budgets.match import Matches, match_budgets
from descheduler.planning.budgets.needs import BudgetRules, Counts, Need


@dataclass(frozen=True, slots=True)
class Charge:
    """What a granted set takes from one budget: `used` of `allowed`, with everything granted before it."""

    name: str
    kind: str  # PodDisruptionBudget | limit
    allowed: int
    used: int


class Budgets:
    """The budgets of one plan, and what has been granted from them. Positions index `snapshot.pods`."""

    def __init__(self, rules: BudgetRules) -> None:
        self._rules = rules
        self._spent: Counts = Counter(rules.spent)
        self._in_wave: Counts = Counter(rules.standing)
        self._wave = 0

    @property
    def rules(self) -> BudgetRules:
        """What does not change while a plan is made."""
        return self._rules

    @property
    def limits(self) -> DisruptionLimits:
        return self._rules.limits

    @staticmethod
    def of(
        snapshot: ClusterSnapshot,
        units: Units,
        limits: DisruptionLimits,
        *,
        in_flight: Collection[int] = (),
        moved_last_hour: int = 0,
        matches: Matches | None = None,
    ) -> Budgets:
        """Fresh budgets. `in_flight` pods are being evicted already; `matches` may be given to save the time."""
        matches = match_budgets(snapshot) if matches is None else matches
        return Budgets(BudgetRules(snapshot, units, limits, matches, frozenset(in_flight), moved_last_hour))

    def fork(self) -> Budgets:
        """An independent copy: charge it, and drop it to undo."""
        twin = Budgets(self._rules)
        twin._spent, twin._in_wave, twin._wave = Counter(self._spent), Counter(self._in_wave), self._wave
        return twin

    def under(self, limits: DisruptionLimits) -> Budgets:
        """An independent copy under other limits of the cycle, with what was granted so far."""
        twin = self.fork()
        twin._rules = self._rules.under(limits)
        return twin

    def used(self, kind: str) -> int:
        """The most that is granted of any limit of a kind: cycle, hour, node, namespace, nodes."""
        return max((count for (one, _), count in self._spent.items() if one == kind), default=0)

    def cap(self, reason: Reason, pods: Collection[int]) -> int:
        """What the limit that refuses for this reason comes to for the pods; the largest, where it is several."""
        needs = self._rules.totals(pods, pods, self._spent)
        return max((need.cap for need in needs if need.reason is reason), default=0)

    def exceeded(self, pods: Collection[int], evicted: Collection[int]) -> Blocked | None:
        """The limit of the cycle that these pods are too many for; None where there is none."""
        needs = self._rules.totals(pods, evicted, self._spent)
        over = next((need for need in needs if self._spent[need.key] + need.amount > need.cap), None)
        return None if over is None else _over(over, self._spent[over.key])

    def charge(self, pods: Collection[int], evicted: Collection[int] | None = None) -> tuple[Charge, ...] | Blocked:
        """Grant the disruption of all these pods at once, or of none and say why not.

        `evicted` (default: all) are those that go through the Eviction API; the others restart as a consequence.
        """
        rules = self._rules
        evicted = tuple(dict.fromkeys(pods if evicted is None else evicted))
        pods = tuple(dict.fromkeys((*evicted, *pods)))
        refused = rules.refused(pods, evicted)
        if refused is not None:
            return refused
        momentary = rules.momentary(pods)
        if isinstance(momentary, Blocked):
            return momentary
        exceeded = self.exceeded(pods, evicted)
        if exceeded is not None:
            return exceeded
        totals = rules.totals(pods, evicted, self._spent)
        granted = self._grant(totals, momentary)
        if not isinstance(granted, Blocked):
            self._spent.update(rules.left(pods))
        return granted

    def charge_all(
        self, stages: Sequence[tuple[Collection[int], Collection[int]]]
    ) -> tuple[tuple[Charge, ...], ...] | Blocked:
        """`charge` for (pods, evicted) of each stage in turn; all are granted, or none."""
        if len(stages) == 1:
            only = self.charge(*stages[0])
            return only if isinstance(only, Blocked) else (only,)
        before = Counter(self._spent), Counter(self._in_wave), self._wave
        out: list[tuple[Charge, ...]] = []
        for pods, evicted in stages:
            charges = self.charge(pods, evicted)
            if isinstance(charges, Blocked):
                self._spent, self._in_wave, self._wave = before
                return charges
            out.append(charges)
        return tuple(out)

    def divide(self, units: Sequence[Collection[int]]) -> tuple[tuple[int, ...], ...]:
        """Positions of the units in as few stages as come of it, such that each could be disrupted at one moment.

        A unit goes to the first stage that has room for it; one that no moment allows gets a stage of its own.
        """
        stages: list[tuple[list[int], list[int]]] = []
        for i, unit in enumerate(units):
            for members, pods in stages:
                if not isinstance(self._rules.momentary(tuple(dict.fromkeys((*pods, *unit)))), Blocked):
                    members.append(i)
                    pods.extend(unit)
                    break
            else:
                stages.append(([i], list(unit)))
        return tuple(tuple(members) for members, _ in stages)

    def _grant(self, totals: Sequence[Need], momentary: Sequence[Need]) -> tuple[Charge, ...] | Blocked:
        wave, in_wave = self._wave, self._in_wave
        full = next((n for n in momentary if in_wave[n.key] + n.amount > n.cap), None)
        if full is not None:
            most = self._rules.limits.waves
            if most is not None and wave + 1 >= most:
                return _over(full, in_wave[full.key])
            wave, in_wave = wave + 1, Counter(self._rules.standing)
        self._wave, self._in_wave = wave, in_wave
        for need in momentary:
            in_wave[need.key] += need.amount
        for need in totals:
            self._spent[need.key] += need.amount
        return tuple(
            Charge(n.name, n.kind, n.cap, counts[n.key])
            for needs, counts in ((momentary, in_wave), (totals, self._spent))
            for n in needs
        )

    def waves(
        self,
        bundles: Sequence[Collection[int]],
        after: Sequence[Collection[int]] | None = None,
        apart: Sequence[Collection[int]] | None = None,
        counted: Sequence[tuple[Budgets, Sequence[Need]]] | None = None,
    ) -> list[int]:
        """The wave of each bundle of granted pods, such that no budget is exceeded at any moment.

        With `counted` each bundle goes by the budgets that are given for it, and by needs beyond theirs.

        Without `after` no bundle runs before one that precedes it, because it may take the place that the other left.
        With `after` (for each bundle the positions of earlier ones it relies on) it only waits for those. With `apart`
        (for each bundle the positions of earlier ones) it shares no wave with those.
        Raises ValueError for a bundle that no wave can hold, which `charge` would have refused.
        """
        rules = {id(one): one.rules for one, _ in counted or ()} or {id(self): self.rules}
        standing = reduce(or_, (one.standing for one in rules.values()))
        filled: list[Counts] = []
        out: list[int] = []
        for i, bundle in enumerate(bundles):
            budgets, beyond = (self, ()) if counted is None else counted[i]
            needs = budgets.rules.momentary(tuple(dict.fromkeys(bundle)))
            if isinstance(needs, Blocked):
                raise ValueError(f"bundle {i} was never granted: {needs}")
            needs = [*needs, *beyond]
            wave = max((out[j] for j in after[i]), default=0) if after is not None else (out[-1] if out else 0)
            while True:
                if wave == len(filled):
                    filled.append(Counter(standing))
                shared = apart is not None and any(out[j] == wave for j in apart[i])
                if not shared and all(filled[wave][n.key] + n.amount <= n.cap for n in needs):
                    break
                wave += 1
                if wave > len(bundles):
                    raise ValueError(f"bundle {i} fits in no wave")
            for need in needs:
                filled[wave][need.key] += need.amount
            out.append(wave)
        return out


def _over(need: Need, used: int) -> Blocked:
    return Blocked(need.reason, need.name, f"{used} of {need.cap} used, {need.amount} more asked for")
