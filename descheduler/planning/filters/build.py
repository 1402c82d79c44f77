"""Which pods may be moved or removed at all, and for the others why not: one filter after the other, cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from descheduler.gangs import Units
from descheduler.model.arrays import Mask
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.budgets.match import Matches, match_budgets
from descheduler.planning.filters import disruption, nodes, opt_outs, pod, remaking
from descheduler.planning.filters.admission import admission_filters
from descheduler.planning.filters.claims import claim_stays_filter, claim_unknown_filter
from descheduler.planning.filters.context import Act, Filter, FilterContext
from descheduler.planning.filters.controllers import controller_filters
from descheduler.planning.filters.executor import executor_filter
from descheduler.planning.filters.owners import owner_filter
from descheduler.planning.filters.quota import quota_filters
from descheduler.planning.filters.recorded_ends import recorded_end_filter
from descheduler.planning.filters.resource_quota import resource_quota_filters
from descheduler.planning.filters.rules import FilterRules, LedgerView
from descheduler.planning.filters.storage import storage_filters
from descheduler.planning.filters.windows import window_filters

__all__ = ["FilterRules", "Filters", "LedgerView", "build_filters"]

REASONS = tuple(Reason)

FILTERS: tuple[tuple[Callable[[FilterContext], Iterable[Filter]], Act], ...] = (
    (pod.static_filter, Act.ANY),
    (pod.protected_daemon_filter, Act.ANY),
    (pod.daemon_filter, Act.MOVE),
    (pod.finished_filter, Act.MOVE),
    (pod.leaving_filter, Act.ANY),
    (pod.starting_filter, Act.MOVE),
    (pod.nowhere_filter, Act.ANY),
    (pod.in_flight_filter, Act.ANY),
    (pod.unreadable_filter, Act.ANY),
    (pod.registry_filter, Act.ANY),
    (nodes.unready_node_filter, Act.ANY),
    (nodes.leaving_node_filter, Act.DISRUPT),
    (nodes.virtual_node_filter, Act.ANY),
    (nodes.unselected_node_filter, Act.ANY),
    (opt_outs.opt_out_filters, Act.ANY),
    (opt_outs.priority_filters, Act.ANY),
    (opt_outs.bound_cpu_filter, Act.DISRUPT),
    (opt_outs.held_data_filters, Act.ANY),
    (opt_outs.selection_filters, Act.ANY),
    (opt_outs.replica_filter, Act.DISRUPT),
    (opt_outs.age_filter, Act.ANY),
    (controller_filters, Act.DISRUPT),
    (storage_filters, Act.DISRUPT),
    (claim_unknown_filter, Act.DISRUPT),
    (claim_stays_filter, Act.MOVE),
    (disruption.bare_pod_filter, Act.ANY),
    (recorded_end_filter, Act.CLEAR),
    (disruption.same_node_filter, Act.MOVE),
    (disruption.consequence_filters, Act.DISRUPT),
    (disruption.torn_filter, Act.MADE_AGAIN),
    (remaking.named_node_filter, Act.MOVE),
    (remaking.remaking_filters, Act.DISRUPT),
    (owner_filter, Act.DISRUPT),
    (disruption.budget_filters, Act.DISRUPT),
    (admission_filters, Act.DISRUPT),
    (resource_quota_filters, Act.DISRUPT),
    (quota_filters, Act.MADE_AGAIN),
)
"""All filters that look at the cluster alone, in the order in which they are asked, with what each forbids. Those that
follow them look at who is left."""


class Filters:
    """The verdict of all filters over the pods of a snapshot (P).

    `movable` [P] is True where no filter stops the pod from moving, `removable` [P] where none stops it from being
    removed, `releasable` [P] where none stops it from letting go of what it holds; `blocked`, `kept` and `held` are the
    refusals. `reason_code` [P] is the position in `REASONS` of the first reason
    against a move, -1 where movable. `prefers_no_eviction` [P] marks pods that would rather stay, whether or not they
    may go. `matches` are the disruption budgets of each pod, for whoever needs them next. `asked_together`: whether
    there is anything to ask of pods that leave at once.
    """

    def __init__(self, finished: Mask, matches: Matches, prefers_no_eviction: Mask) -> None:
        self.matches = matches
        self.prefers_no_eviction = prefers_no_eviction
        self.asked_together = False
        self._finished = finished
        self._filters: list[tuple[Filter, Act]] = []
        self._first: NDArray[np.int16] = np.full(len(finished), -1, np.int16)
        self._first_kept: NDArray[np.int16] = np.full(len(finished), -1, np.int16)
        self._first_held: NDArray[np.int16] = np.full(len(finished), -1, np.int16)

    def add(self, filters: Iterable[Filter], forbid: Act) -> None:
        """Put further filters, and what they forbid, behind the others."""
        for one in filters:
            if Act.MOVE in forbid:
                self._first[one.mask & (self._first < 0)] = len(self._filters)
            if Act.RELEASE in forbid:
                self._first_held[one.mask & (self._first_held < 0)] = len(self._filters)
            if forbid & (Act.RESTART | Act.CLEAR):
                self._first_kept[one.mask & self._removed(forbid) & (self._first_kept < 0)] = len(self._filters)
            self._filters.append((one, forbid))
            self.asked_together |= one.together is not None

    def _removed(self, forbid: Act) -> Mask:
        """[P] pods whose removal would be what is forbidden."""
        removal: Mask = (self._finished & (Act.CLEAR in forbid)) | (~self._finished & (Act.RESTART in forbid))
        return removal

    @property
    def movable(self) -> Mask:
        """[P] pods that may move."""
        free: Mask = self._first < 0
        return free

    @property
    def removable(self) -> Mask:
        """[P] pods that may be removed."""
        free: Mask = self._first_kept < 0
        return free

    @property
    def releasable(self) -> Mask:
        """[P] pods that may let go of what they hold."""
        free: Mask = (self._first_held < 0) & ~self._finished
        return free

    @property
    def reason_code(self) -> NDArray[np.int16]:
        """[P] the first filter's reason against a move as a position in `REASONS`, -1 where the pod may move."""
        codes = np.array([*(REASONS.index(one.reason) for one, _ in self._filters), -1], np.int16)
        found: NDArray[np.int16] = codes[self._first]
        return found

    def blocked(self, pod: int) -> Blocked | None:
        """What stops the pod first from moving; None when it may."""
        return self._told(self._first, pod)

    def kept(self, pod: int) -> Blocked | None:
        """What keeps the pod first from being removed; None when it may be."""
        return self._told(self._first_kept, pod)

    def held(self, pod: int) -> Blocked | None:
        """What stops the pod first from letting go of what it holds; None when it may."""
        return self._told(self._first_held, pod)

    def _told(self, first: NDArray[np.int16], pod: int) -> Blocked | None:
        at = int(first[pod])
        return None if at < 0 else self._filters[at][0].explain(pod)

    def together(self, pods: Sequence[int], act: Act = Act.MADE_AGAIN) -> Blocked | None:
        """What keeps the pods from leaving all at once, though each of them may; None when nothing does. Those that
        have finished are made again by nobody, and so are not asked about."""
        made_again = [pod for pod in pods if not self._finished[pod]]
        judging = (one.together for one, forbid in self._filters if one.together is not None and act & forbid)
        return next((blocked for judge in judging if (blocked := judge(made_again)) is not None), None)

    def every(self, pod: int) -> tuple[Blocked, ...]:
        """Everything that stops the pod from moving, in the order of the filters."""
        return tuple(one.explain(pod) for one, forbid in self._filters if Act.MOVE in forbid and one.mask[pod])


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
    filters = Filters(context.finished, matches, opt_outs.prefers_no_eviction(context))
    for made, forbid in FILTERS:
        filters.add(made(context), forbid)
    left = filters.movable | ((filters.removable | filters.releasable) & ~context.finished)
    filters.add(disruption.ledger_filters(context, left), Act.DISRUPT)
    filters.add(window_filters(context), Act.ANY)
    filters.add(executor_filter(context, filters.movable), Act.MOVE)
    filters.add(disruption.member_filter(context, ~filters.movable), Act.MOVE)
    filters.add(disruption.member_filter(context, ~filters.removable), Act.RESTART)
    holds = (context.columns.pod_node >= 0) & ~context.finished  # of a gang, whoever waits holds nothing
    filters.add(disruption.member_filter(context, ~filters.releasable & holds), Act.RELEASE)
    return filters
