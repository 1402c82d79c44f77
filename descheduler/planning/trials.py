"""What a strategy may still do whose moves missed: its surest actions, so that it can prove itself.

What is sure is what the proof says of where the pods land. Runs are tried whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from descheduler.contract import RebalanceView
from descheduler.contract.ranking import Run
from descheduler.model.moves import Proposal
from descheduler.model.reasons import Blocked, Reason


@dataclass(frozen=True, slots=True)
class Trial:
    """A strategy is paused, `why`: of what leaves nodes of the `pool` (empty: of any) it may do `actions` more now."""

    why: str
    actions: int
    pool: str = ""


class Trials:
    """The trials of one plan, by strategy, and what is left of them."""

    def __init__(self, trials: Mapping[str, Sequence[Trial]], view: RebalanceView) -> None:
        self._trials = trials
        self._pools, self._pool_of = view.pools, view.pool_of
        self._left = {(name, trial.pool): trial.actions for name, own in trials.items() for trial in own}

    def concern(self, run: Run) -> bool:
        """Whether it is of a strategy that is paused where the pods leave."""
        return self._of(run) is not None

    def refusal(self, run: Run) -> Blocked | None:
        """Why it is not among what may be tried, None where it may."""
        trial, strategy = self._of(run), run[0].finding.strategy
        if trial is None or self._left[strategy, trial.pool] > 0:
            return None
        by = f"{strategy}, pool {trial.pool}" if trial.pool else strategy
        return Blocked(Reason.STRATEGY_PAUSED, by, trial.why)

    def spend(self, run: Run) -> None:
        """It was accepted: the last may be of more actions than are left, so that one thing at least is done whole."""
        trial = self._of(run)
        if trial is not None:
            self._left[run[0].finding.strategy, trial.pool] -= len(run)

    def surest_first(self, runs: Sequence[Run], share: Callable[[Proposal], float]) -> list[Run]:
        """Those that are on trial, in the order in which they are judged: what is within the trial first, then by the
        `share` of probability that the first of it lands well."""

        def sureness(run: Run) -> tuple[bool, float]:
            left = self._remaining(run)
            return len(run) > left, -share(run[0]) if left > 0 else 0.0

        return sorted(filter(self.concern, runs), key=sureness)

    def _remaining(self, run: Run) -> int:
        trial = self._of(run)
        return self._left[run[0].finding.strategy, trial.pool] if trial is not None else 0

    def _of(self, run: Run) -> Trial | None:
        own = self._trials.get(run[0].finding.strategy, ())
        if not own:
            return None
        left = {self._pools[self._pool_of[move.source]] for one in run for move in one.moves if move.source >= 0}
        return next((trial for trial in own if not trial.pool or trial.pool in left), None)
