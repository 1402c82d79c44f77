"""What the disruption of a set of pods takes of each budget, and how much there is of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from descheduler.gangs import Lookup, Units
from descheduler.model.budgets import PDB, PUB
from descheduler.model.pods import Phase
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.units import DisruptionMode
from descheduler.model.workloads import WorkloadKey
from descheduler.planning.budgets.lacking import lacking, not_ready
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.budgets.match import Matches, unmatched
from descheduler.policy.amounts import amount_of


@dataclass(frozen=True, slots=True)
class Need:
    """`amount` of what `key` stands for, of which there is `cap`."""

    key: tuple[str, int | str]
    name: str
    reason: Reason
    amount: int
    cap: int

    @property
    def kind(self) -> str:
        if self.reason is not Reason.DISRUPTION_BUDGET:
            return "limit"
        return PUB if self.name.startswith(PUB) else PDB


Counts = Counter[tuple[str, int | str]]
"""Amounts by what a need is a need of: its `key`."""


class BudgetRules:
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
        self._over = columns.pod_terminal
        self._sizes = np.bincount(columns.pod_workload[columns.pod_live], minlength=len(columns.workloads))
        self._gone = in_flight.union(np.flatnonzero(columns.pod_ending & ~columns.pod_terminal).tolist())
        self._unready = not_ready(snapshot, self._gone)
        self.standing: Counts = Counter()
        self.spent: Counts = Counter({("hour", ""): moved_last_hour})
        self._count_standing(in_flight)

    def under(self, limits: DisruptionLimits) -> BudgetRules:
        """The same under other limits of the cycle."""
        twin = copy(self)
        twin.limits = limits
        return twin

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
        self._down = {token for found in self._tokens((*self._gone, *self._unready)).values() for token in found}
        for at, count in lacking(self._snapshot, self._gone, self._unready, self._tokens).items():
            if count > self.standing[("workload", at)] or not self.limits.leaving:
                self.standing[("lacking", at)] = count

    def refused(self, pods: Collection[int], evicted: Collection[int]) -> Blocked | None:
        """What no grant could heal: budgets whose status is stale, pods that the API refuses to evict."""
        evicted = set(evicted)
        for pod in filter(self._is_asked_for, pods):
            if self._matches.unmatched[pod]:
                return unmatched(self._snapshot.pods[pod])
            found = self._matches.of(pod)
            key = f"pod/{self._snapshot.pods[pod].key}"
            budgets = [self._snapshot.budgets[at] for at in found]
            several = [b.key for b in budgets if b.kind == PDB]
            if len(several) > 1 and pod in evicted:
                return Blocked(Reason.SEVERAL_BUDGETS, key, ", ".join(several))
            stale = next((b for b in budgets if b.stale), None)
            if stale is not None:
                return Blocked(Reason.BUDGET_STALE, stale.key, key)
        return None

    def _is_asked_for(self, pod: int) -> bool:
        """Whether the Eviction API asks budgets for it: not for who has not started, and not for who is over."""
        return self._snapshot.pods[pod].phase is not Phase.PENDING and not self._over[pod]

    def _running(self, pods: Iterable[int]) -> list[int]:
        """Those that are not over: of the others nothing is disrupted."""
        return [pod for pod in pods if not self._over[pod]]

    def totals(self, pods: Collection[int], evicted: Collection[int], spent: Counts) -> list[Need]:
        """Needs that add up over the cycle, in which `spent` is granted already."""
        return [
            *self._of_cycle(pods, spent),
            *self._of_nodes_and_namespaces(pods),
            *self._failures(self._running(evicted)),
        ]

    def _of_cycle(self, pods: Collection[int], spent: Counts) -> Iterator[Need]:
        limits, running = self.limits, len(self._snapshot.columns.order)
        if limits.per_cycle is not None:
            cap = amount_of(limits.per_cycle, running)
            yield Need(("cycle", ""), "per cycle", Reason.CYCLE_LIMIT, len(pods), cap)
        if limits.per_hour is not None:
            cap = amount_of(limits.per_hour, running)
            yield Need(("hour", ""), "per hour", Reason.HOUR_LIMIT, len(pods), cap)
        if limits.nodes_per_cycle is not None:
            cap, new = amount_of(limits.nodes_per_cycle, len(self._snapshot.nodes)), len(self.left(pods) - spent.keys())
            yield Need(("nodes", ""), "nodes per cycle", Reason.TOUCHED_NODES_LIMIT, new, cap)

    def left(self, pods: Collection[int]) -> set[tuple[str, int]]:
        """A key for each node that pods leave which are not over."""
        nodes = self._snapshot.columns.pod_node[self._running(pods)].tolist()
        return {("left", node) for node in nodes if node >= 0}

    def _of_nodes_and_namespaces(self, pods: Collection[int]) -> Iterator[Need]:
        limits, columns = self.limits, self._snapshot.columns
        if limits.per_node is not None:
            for node, n in sorted(Counter(int(columns.pod_node[p]) for p in pods).items()):
                name = self._snapshot.nodes[node].name if node >= 0 else "(none)"
                cap = amount_of(limits.per_node, len(columns.pods_on(node)) if node >= 0 else 0)
                yield Need(("node", node), f"node/{name}", Reason.NODE_LIMIT, n, cap)
        if limits.per_namespace is not None:
            for namespace, n in sorted(Counter(self._snapshot.pods[p].namespace for p in pods).items()):
                name, key = f"namespace/{namespace}", ("namespace", namespace)
                cap = amount_of(limits.per_namespace, self._running_in[namespace])
                yield Need(key, name, Reason.NAMESPACE_LIMIT, n, cap)

    @cached_property
    def _running_in(self) -> Counter[str]:
        """Running pods by namespace."""
        columns = self._snapshot.columns
        sizes = zip(columns.workloads, self._sizes.tolist(), strict=True)
        found: Counter[str] = Counter()
        for key, size in sizes:
            found[key.namespace] += size
        return found

    def _failures(self, evicted: Collection[int]) -> list[Need]:
        """What the evictions take from the failure budgets of Jobs."""
        found = [job for job in map(self._job, evicted) if job is not None]
        left = dict(found)
        counts = Counter(key for key, _ in found)
        return [
            Need(("job", key), f"failures/{key}", Reason.FAILURE_BUDGET, n, left[key])
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
        return None if job.evictions_left is None else (str(job.key), job.evictions_left)

    def momentary(self, pods: Collection[int]) -> list[Need] | Blocked:
        """Needs that hold at one moment, or the refusal when they are more than there ever is."""
        pods = self._running(pods)
        needs = self._budget_needs(pods) + self._workload_needs(pods)
        for need in needs:
            standing = self.standing[need.key]
            if standing + need.amount > need.cap:
                return self._never(need, standing)
        return needs

    def _budget_needs(self, pods: Collection[int]) -> list[Need]:
        counts: Counter[int] = Counter()
        for pod in pods:
            if pod in self._gone:
                continue
            for at in self._matches.of(pod):
                if not self._snapshot.budgets[at].exempts(self._snapshot.pods[pod]):
                    counts[at] += 1
        budgets, healthy = self._snapshot.budgets, self._matches.healthy
        return [
            Need(("budget", at), budgets[at].key, Reason.DISRUPTION_BUDGET, n, budgets[at].allowance(int(healthy[at])))
            for at, n in sorted(counts.items())
        ]

    def _workload_needs(self, pods: Collection[int]) -> list[Need]:
        limit = self.limits.per_workload
        if limit is None:
            return []
        needs: list[Need] = []
        for at, found in sorted(self._tokens([p for p in pods if p not in self._gone]).items()):
            key = self._snapshot.columns.workloads[at]
            name, most = f"workload/{key}", amount_of(limit, int(self._sizes[at]))
            if self.limits.leaving:
                at_once = min(most, 1) if self._in_turn(key) else most
                needs.append(Need(("workload", at), name, Reason.WORKLOAD_LIMIT, len(found), at_once))
            # What is down already is not made worse by moving it.
            up = len(found - self._down)
            if up and ("lacking", at) in self.standing:
                needs.append(Need(("lacking", at), name, Reason.WORKLOAD_LIMIT, up, most))
        return needs

    def _in_turn(self, key: WorkloadKey) -> bool:
        """Whether its pods are made one after the other (OrderedReady): of two that leave, one waits for the other."""
        found = self._snapshot.workloads.get(key)
        return found is not None and found.ordinals is not None and found.ordinals.ordered

    def _tokens(self, pods: Iterable[int]) -> dict[int, set[tuple[str, int]]]:
        """What counts as one disruption, by workload: a pod, or a gang that moves whole."""
        out: dict[int, set[tuple[str, int]]] = {}
        for pod in pods:
            at = int(self._units.unit_index[pod])
            whole = at >= 0 and self._units.gangs[at].mode is DisruptionMode.WHOLE
            workload = int(self._snapshot.columns.pod_workload[pod])
            out.setdefault(workload, set()).add(("gang", at) if whole else ("pod", pod))
        return out

    def _never(self, need: Need, standing: int) -> Blocked:
        detail = f"{need.amount} would be disrupted together, {max(0, need.cap - standing)} may be"
        kind, at = need.key
        if kind == "lacking":
            detail += f"; it lacks {standing} pods already"
        if kind == "budget" and isinstance(at, int):
            best = self._snapshot.budgets[at].at_best
            if best is not None and best < need.amount:
                detail += f"; even with all pods healthy only {best}"
        return Blocked(need.reason, need.name, detail)
