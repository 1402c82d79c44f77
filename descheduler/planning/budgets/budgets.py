"""What may be disrupted at one moment and in one cycle: PodDisruptionBudgets, the policy's limits, failure budgets.

PodDisruptionBudgets and the limit per workload hold at every moment, so they are counted by wave: the pods of one wave
are back before the next begins. The other limits count over the whole cycle (or hour). What is charged is everything
that restarts, not only what is evicted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from descheduler.gangs import Lookup, Units
from descheduler.gangs.consequences import evictions_left
from descheduler.model.quantity import part_of
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.units import DisruptionMode
from descheduler.planning.budgets.match import Matches, match_budgets
from descheduler.policy.planning import LimitsPolicy


@dataclass(frozen=True, slots=True)
class DisruptionLimits:
    """Limits in pods that restart; None is unlimited.

    `per_workload` holds at any moment, like a Deployment's `maxUnavailable`: a number, or a percentage of the
    workload's running pods (rounded down, at least 1). The policy's default, 10%, keeps a large workload from being
    moved one by one and a small one from losing more than a pod at a time. A gang that moves whole counts as one.
    `per_node`, `per_namespace` and `per_cycle` are the sigs descheduler's maxNoOfPodsToEvictPerNode, …PerNamespace and
    …Total. `waves` bounds how many waves one cycle may take.
    """

    per_node: int | None = None
    per_namespace: int | None = None
    per_workload: int | str | None = None
    per_cycle: int | None = None
    per_hour: int | None = None
    waves: int | None = None

    @classmethod
    def of(cls, limits: LimitsPolicy) -> Self:
        return cls(limits.per_node, limits.per_namespace, limits.per_workload, limits.per_cycle, limits.per_hour)


@dataclass(frozen=True, slots=True)
class Charge:
    """What a granted set takes from one budget: `used` of `allowed`, with everything granted before it."""

    name: str
    kind: str  # PodDisruptionBudget | limit
    allowed: int
    used: int


@dataclass(frozen=True, slots=True)
class _Need:
    """`amount` of what `key` stands for, of which there is `cap`."""

    key: tuple[str, int | str]
    name: str
    reason: Reason
    amount: int
    cap: int

    @property
    def kind(self) -> str:
        return "PodDisruptionBudget" if self.reason is Reason.DISRUPTION_BUDGET else "limit"


_Counts = Counter[tuple[str, int | str]]


class Budgets:
    """The budgets of one plan, and what has been granted from them. Positions index `snapshot.pods`."""

    def __init__(self, rules: _Rules) -> None:
        self._rules = rules
        self._spent: _Counts = Counter(rules.spent)
        self._in_wave: _Counts = Counter(rules.standing)
        self._wave = 0

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
        return Budgets(_Rules(snapshot, units, limits, matches, frozenset(in_flight), moved_last_hour))

    def fork(self) -> Budgets:
        """An independent copy: charge it, and drop it to undo."""
        twin = Budgets(self._rules)
        twin._spent, twin._in_wave, twin._wave = Counter(self._spent), Counter(self._in_wave), self._wave
        return twin

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
        totals = rules.totals(pods, evicted)
        momentary = rules.momentary(pods)
        if isinstance(momentary, Blocked):
            return momentary
        for need in totals:
            if self._spent[need.key] + need.amount > need.cap:
                return _over(need, self._spent[need.key])
        return self._grant(totals, momentary)

    def charge_all(
        self, stages: Sequence[tuple[Collection[int], Collection[int]]]
    ) -> tuple[tuple[Charge, ...], ...] | Blocked:
        """`charge` for (pods, evicted) of each stage in turn; all are granted, or none."""
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

    def _grant(self, totals: Sequence[_Need], momentary: Sequence[_Need]) -> tuple[Charge, ...] | Blocked:
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
    ) -> list[int]:
        """The wave of each bundle of granted pods, such that no budget is exceeded at any moment.

        Without `after` no bundle runs before one that precedes it, because it may take the place that the other left.
        With `after` (for each bundle the positions of earlier ones it relies on) it only waits for those. With `apart`
        (for each bundle the positions of earlier ones) it shares no wave with those.
        Raises ValueError for a bundle that no wave can hold, which `charge` would have refused.
        """
        filled: list[_Counts] = []
        out: list[int] = []
        for i, bundle in enumerate(bundles):
            needs = self._rules.momentary(tuple(dict.fromkeys(bundle)))
            if isinstance(needs, Blocked):
                raise ValueError(f"bundle {i} was never granted: {needs}")
            wave = max((out[j] for j in after[i]), default=0) if after is not None else (out[-1] if out else 0)
            while True:
                if wave == len(filled):
                    filled.append(Counter(self._rules.standing))
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


class _Rules:
    """What does not change while a plan is made: caps, and what was disrupted before it."""

    def __init__(
        self,
        snapshot: ClusterSnapshot,
        units: Units,
        limits: DisruptionLimits,
        matches: Matches,
        in_flight: frozenset[int],
        moved_last_hour: int,
    ) -> None:
        self.limits = limits
        self._snapshot, self._units, self._matches = snapshot, units, matches
        self._lookup = Lookup(snapshot)
        columns = snapshot.columns
        self._sizes = np.bincount(columns.pod_workload[columns.pod_live], minlength=len(columns.workloads))
        self._gone = in_flight | {i for i, p in enumerate(snapshot.pods) if p.deleting is not None and not p.terminal}
        self.standing: _Counts = Counter()
        self.spent: _Counts = Counter({("hour", ""): moved_last_hour})
        self._count_standing(in_flight)

    def _count_standing(self, in_flight: frozenset[int]) -> None:
        """Disruptions under way. A budget's own status speaks of those it knows: pods being deleted or granted."""
        pods = self._snapshot.pods
        for pod in sorted(in_flight):
            for at in self._matches.of(pod):
                budget = self._snapshot.budgets[at]
                known = pods[pod].deleting is not None or pods[pod].name in budget.disrupting
                if not known and not budget.exempts(pods[pod]):
                    self.standing[("budget", at)] += 1
            job = self._job(pod)
            if job is not None:
                self.spent[("job", job[0])] += 1
        for at, tokens in self._tokens(self._gone).items():
            self.standing[("workload", at)] += len(tokens)

    def refused(self, pods: Collection[int], evicted: Collection[int]) -> Blocked | None:
        """What no grant could heal: budgets whose status is stale, pods that the API refuses to evict."""
        evicted = set(evicted)
        for pod in pods:
            found = self._matches.of(pod)
            key = f"pod/{self._snapshot.pods[pod].key}"
            budgets = [self._snapshot.budgets[at] for at in found]
            if len(found) > 1 and pod in evicted:
                return Blocked(Reason.SEVERAL_BUDGETS, key, ", ".join(b.key for b in budgets))
            stale = next((b for b in budgets if b.stale), None)
            if stale is not None:
                return Blocked(Reason.BUDGET_STALE, stale.key, key)
        return None

    def totals(self, pods: Collection[int], evicted: Collection[int]) -> list[_Need]:
        """Needs that add up over the cycle."""
        limits, columns = self.limits, self._snapshot.columns
        needs: list[_Need] = []
        if limits.per_cycle is not None:
            needs.append(_Need(("cycle", ""), "per cycle", Reason.CYCLE_LIMIT, len(pods), limits.per_cycle))
        if limits.per_hour is not None:
            needs.append(_Need(("hour", ""), "per hour", Reason.HOUR_LIMIT, len(pods), limits.per_hour))
        if limits.per_node is not None:
            for node, n in sorted(Counter(int(columns.pod_node[p]) for p in pods).items()):
                name = self._snapshot.nodes[node].name if node >= 0 else "(none)"
                needs.append(_Need(("node", node), f"node/{name}", Reason.NODE_LIMIT, n, limits.per_node))
        if limits.per_namespace is not None:
            for namespace, n in sorted(Counter(self._snapshot.pods[p].namespace for p in pods).items()):
                name, key = f"namespace/{namespace}", ("namespace", namespace)
                needs.append(_Need(key, name, Reason.NAMESPACE_LIMIT, n, limits.per_namespace))
        return needs + self._failures(evicted)

    def _failures(self, evicted: Collection[int]) -> list[_Need]:
        """What the evictions take from the failure budgets of Jobs."""
        found = [job for job in map(self._job, evicted) if job is not None]
        left = dict(found)
        counts = Counter(key for key, _ in found)
        return [
            _Need(("job", key), f"failures/{key}", Reason.FAILURE_BUDGET, n, left[key])
            for key, n in sorted(counts.items())
        ]

    def _job(self, pod: int) -> tuple[str, int] | None:
        """The Job whose failure budget the pod's eviction counts towards, and what is left of it.

        A JobSet restarts when one of its Jobs fails; that is judged with the unit (`units.consequences`).
        """
        owner = self._snapshot.pods[pod].controller
        if owner is None or owner.kind != "Job":
            return None
        job = self._lookup.workload(self._snapshot.pods[pod].namespace, owner)
        if job is None or (job.controller is not None and job.controller.kind == "JobSet"):
            return None
        left = evictions_left(job)
        return None if left is None else (str(job.key), left)

    def momentary(self, pods: Collection[int]) -> list[_Need] | Blocked:
        """Needs that hold at one moment, or the refusal when they are more than there ever is."""
        needs = self._budget_needs(pods) + self._workload_needs(pods)
        for need in needs:
            standing = self.standing[need.key]
            if standing + need.amount > need.cap:
                return self._never(need, standing)
        return needs

    def _budget_needs(self, pods: Collection[int]) -> list[_Need]:
        counts: Counter[int] = Counter()
        for pod in pods:
            if pod in self._gone:
                continue
            for at in self._matches.of(pod):
                if not self._snapshot.budgets[at].exempts(self._snapshot.pods[pod]):
                    counts[at] += 1
        budgets, healthy = self._snapshot.budgets, self._matches.healthy
        return [
            _Need(("budget", at), budgets[at].key, Reason.DISRUPTION_BUDGET, n, budgets[at].allowance(int(healthy[at])))
            for at, n in sorted(counts.items())
        ]

    def _workload_needs(self, pods: Collection[int]) -> list[_Need]:
        if self.limits.per_workload is None:
            return []
        tokens = self._tokens([p for p in pods if p not in self._gone])
        return [
            _Need(
                ("workload", at),
                f"workload/{self._snapshot.columns.workloads[at]}",
                Reason.WORKLOAD_LIMIT,
                len(found),
                _allowed_at_once(self.limits.per_workload, int(self._sizes[at])),
            )
            for at, found in sorted(tokens.items())
        ]

    def _tokens(self, pods: Collection[int]) -> dict[int, set[tuple[str, int]]]:
        """What counts as one disruption, by workload: a pod, or a gang that moves whole."""
        out: dict[int, set[tuple[str, int]]] = {}
        for pod in pods:
            at = int(self._units.unit_index[pod])
            whole = at >= 0 and self._units.gangs[at].mode is DisruptionMode.WHOLE
            workload = int(self._snapshot.columns.pod_workload[pod])
            out.setdefault(workload, set()).add(("gang", at) if whole else ("pod", pod))
        return out

    def _never(self, need: _Need, standing: int) -> Blocked:
        detail = f"{need.amount} would be disrupted together, {max(0, need.cap - standing)} may be"
        kind, at = need.key
        if kind == "budget" and isinstance(at, int):
            best = self._snapshot.budgets[at].at_best
            if best is not None and best < need.amount:
                detail += f"; even with all pods healthy only {best}"
        return Blocked(need.reason, need.name, detail)


def _over(need: _Need, used: int) -> Blocked:
    return Blocked(need.reason, need.name, f"{used} of {need.cap} used, {need.amount} more asked for")


def _allowed_at_once(written: int | str, size: int) -> int:
    """A limit as a number: a percentage of `size` rounds down, but lets one go."""
    if isinstance(written, int):
        return written
    return max(1, part_of(written, size, math.floor) or 0) if written.endswith("%") else int(written)
