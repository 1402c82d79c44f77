"""Which pods may be moved at all, and for the others why not: one filter after the other, cheapest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from descheduler.gangs import Units
from descheduler.model.arrays import Mask
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.budgets.match import Matches, match_budgets
from descheduler.planning.filters.admission import admission_filters
from descheduler.planning.filters.claims import claim_filters
from descheduler.planning.filters.context import Filter, FilterContext
from descheduler.planning.filters.controllers import controller_filters
from descheduler.planning.filters.disruption import budget_filters, consequence_filters, ledger_filters, member_filter
from descheduler.planning.filters.executor import executor_filter
from descheduler.planning.filters.nodes import node_filters
from descheduler.planning.filters.opt_outs import opt_out_filters, prefers_no_eviction, protection_filters
from descheduler.planning.filters.owners import owner_filter
from descheduler.planning.filters.pod import pod_filters
from descheduler.planning.filters.quota import quota_filters
from descheduler.planning.filters.remaking import remaking_filters
from descheduler.planning.filters.resource_quota import resource_quota_filters
from descheduler.planning.filters.rules import FilterRules, LedgerView
from descheduler.planning.filters.storage import storage_filters
from descheduler.planning.filters.windows import window_filters

__all__ = ["FilterRules", "Filters", "LedgerView", "build_filters"]

REASONS = tuple(Reason)


class Filters:
    """The verdict of all filters over the pods of a snapshot (P).

    `movable` [P] is True where no filter stops the pod. `reason_code` [P] is the position in `REASONS` of the first
    filter's reason, -1 where movable. `prefers_no_eviction` [P] marks pods that would rather stay,
    whether or not they may go. `matches` are the disruption budgets of each pod, for whoever needs them next.
    """

    def __init__(self, pods: int, matches: Matches, prefers_no_eviction: Mask) -> None:
        self.matches = matches
        self.prefers_no_eviction = prefers_no_eviction
        self._filters: list[Filter] = []
        self._first: NDArray[np.int16] = np.full(pods, -1, np.int16)

    def add(self, filters: Iterable[Filter]) -> None:
        """Put further filters behind the others."""
        for one in filters:
            self._first[one.mask & (self._first < 0)] = len(self._filters)
            self._filters.append(one)

    @property
    def movable(self) -> Mask:
        """[P] pods that no filter stops."""
        free: Mask = self._first < 0
        return free

    @property
    def reason_code(self) -> NDArray[np.int16]:
        """[P] the first filter's reason as a position in `REASONS`, -1 where the pod may move."""
        codes = np.array([*(REASONS.index(one.reason) for one in self._filters), -1], np.int16)
        found: NDArray[np.int16] = codes[self._first]
        return found

    def blocked(self, pod: int) -> Blocked | None:
        """What stops the pod first; None when it may move."""
        at = int(self._first[pod])
        return None if at < 0 else self._filters[at].explain(pod)

    def together(self, pods: Sequence[int]) -> Blocked | None:
        """What keeps the pods from leaving all at once, though each of them may; None when nothing does."""
        judging = (one.together for one in self._filters if one.together is not None)
        return next((blocked for judge in judging if (blocked := judge(pods)) is not None), None)

    def every(self, pod: int) -> tuple[Blocked, ...]:
        """Everything that stops the pod, in the order of the filters."""
        return tuple(one.explain(pod) for one in self._filters if one.mask[pod])


def build_filters(
    snapshot: ClusterSnapshot,
    units: Units,
    policy: FilterRules,
    *,
    now: float,
    ledger: LedgerView | None = None,
    matches: Matches | None = None,
    in_flight: Collection[int] = (),
) -> Filters:
    """Judge every pod. `now` in unix seconds; `matches` may be given to save the time of matching budgets.

    `in_flight` are pods that are being moved already, even if the snapshot does not show it yet.
    """
    matches = match_budgets(snapshot) if matches is None else matches
    context = FilterContext(snapshot, units, policy, matches, now, ledger, in_flight)
    filters = Filters(len(snapshot.pods), matches, prefers_no_eviction(context))
    filters.add(pod_filters(context))
    filters.add(node_filters(context))
    filters.add(opt_out_filters(context))
    filters.add(protection_filters(context))
    filters.add(controller_filters(context))
    filters.add(storage_filters(context))
    filters.add(claim_filters(context))
    filters.add(consequence_filters(context))
    filters.add(remaking_filters(context))
    filters.add((owner_filter(context),))
    filters.add(budget_filters(context))
    filters.add(admission_filters(context))
    filters.add(resource_quota_filters(context))
    filters.add(quota_filters(context))
    filters.add(ledger_filters(context, filters.movable))
    filters.add(window_filters(context))
    filters.add(executor_filter(context, filters.movable))
    filters.add(member_filter(context, ~filters.movable))
    return filters
