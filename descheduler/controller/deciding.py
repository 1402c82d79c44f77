"""What plans are decided by, and judged by again: profiles, which go on from what they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog

from descheduler.execution.plan_run import Revalidate
from descheduler.learning.ledger import Ledger
from descheduler.model.errors import HistoryError
from descheduler.model.landing_mode import LandingMode
from descheduler.model.plan import Action, PlanDocument
from descheduler.model.reasons import Blocked
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Observed
from descheduler.observe.freshness import SourceState, state_of
from descheduler.pipeline import Decision, Memory, decide_on, profile, settled
from descheduler.policy import Policy
from descheduler.publish.published import Published
from descheduler.second_validation import second_validation
from descheduler_profiling.profiles import SignalProfiles

log = structlog.get_logger(__name__)


class Deciding:
    """The pipeline's decision, and the checks of what was decided; keeps the profiles, and publishes them.

    `observe` reads cluster and history as for a plan; `now` gives unix seconds; `kept` hears how many bytes of history
    and of profiles are in memory by signal.
    """

    def __init__(
        self,
        observe: Callable[[Policy], Observed],
        published: Published,
        now: Callable[[], float],
        kept: Callable[[Mapping[str, int], Mapping[str, int]], None] = lambda _history, _profiles: None,
    ) -> None:
        self._observe = observe
        self._published = published
        self._now = now
        self._kept = kept
        self._profiles: dict[str, SignalProfiles] = {}
        self._unsettled: tuple[Observed, bool] | None = None  # what the profiles are of, and whether models race
        self._read = 0.0  # when history was read last
        self._relied_on: frozenset[str] = frozenset()  # the signals that were fresh when the plan was made

    def __call__(self, observed: Observed, policy: Policy, memory: Memory) -> Decision:
        self._take(observed, policy)
        self._relied_on = self._fresh(policy, observed.now)
        decision = decide_on(observed, policy, self._profiles, memory)
        self._published.update(policy, observed.snapshot, self._profiles, observed.now)
        return decision

    def settle(self) -> None:
        """Once nobody waits for a plan: fit the profiles whose turn it is."""
        if self._unsettled is not None:
            observed, race = self._unsettled
            self._unsettled = None
            self._profiles = settled(observed, self._profiles, race=race)

    def renew(self, policy: Policy) -> None:
        """Before a wave is checked: history that the plan rests on and that is too old by now is read anew.

        Waves wait for one another, so a late one comes long after the plan. Where history cannot be read the profiles
        stay as they are, and the check refuses whoever needs what is too old. Raises UsageError and ClusterError.
        """
        now = self._now()
        if now - self._read < policy.history.step.total_seconds() or self._relied_on <= self._fresh(policy, now):
            return  # there is nothing newer, or nothing newer is needed
        self._read = now
        try:
            self._take(self._observe(policy), policy)
        except HistoryError as error:
            log.warning("history cannot be read anew for the next wave", error=str(error))

    def again(self, policy: Policy, document: PlanDocument, remembered: Callable[[], Ledger]) -> Revalidate:
        """The check before every wave of a plan, by the profiles in force then."""
        landing = LandingMode(document.landing) if document.landing else None

        def check(snapshot: ClusterSnapshot, actions: Sequence[Action]) -> Mapping[str, Blocked | None]:
            return second_validation(policy, remembered, document.id, self._profiles, landing)(snapshot, actions)

        return check

    def _take(self, observed: Observed, policy: Policy) -> None:
        race = bool(policy.publish.workloads)
        self._profiles = profile(observed, self._profiles, refit=policy.history.refit.total_seconds(), race=race)
        self._unsettled = (observed, race)
        self._read = observed.now
        self._kept(
            {signal: history.values.nbytes for signal, history in observed.histories.items()},
            {signal: made.nbytes for signal, made in self._profiles.items()},
        )

    def _fresh(self, policy: Policy, now: float) -> frozenset[str]:
        most = policy.history.max_staleness.total_seconds()
        return frozenset(
            signal
            for signal, one in self._profiles.items()
            if state_of(one.origin, now, most, there=bool(one.keys), whole=one.complete)[0] is SourceState.FRESH
        )
