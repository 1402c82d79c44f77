"""What a strategy may still do whose moves missed: its surest actions, so that it can prove itself.

What is sure is what the proof says of where the pods land. Actions for one finding that rest on each other stay
together, as far as the trial reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from descheduler.contract import RebalanceView
from descheduler.model.moves import FindingKey, Proposal
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

    def concern(self, proposal: Proposal) -> bool:
        """Whether it is one of a strategy that is paused where the pods leave."""
        return self._of(proposal) is not None

    def refusal(self, proposal: Proposal) -> Blocked | None:
        """Why it is not among what may be tried, None where it may."""
        trial, strategy = self._of(proposal), proposal.finding.strategy
        if trial is None or self._left[strategy, trial.pool] > 0:
            return None
        by = f"{strategy}, pool {trial.pool}" if trial.pool else strategy
        return Blocked(Reason.STRATEGY_PAUSED, by, trial.why)

    def spend(self, proposal: Proposal) -> None:
        """It was accepted."""
        trial = self._of(proposal)
        if trial is not None:
            self._left[proposal.finding.strategy, trial.pool] -= 1

    def surest_first(self, ranked: Sequence[Proposal], share: Callable[[Proposal], float]) -> list[Proposal]:
        """Those of the `ranked` that are on trial, in the order in which they are judged: what can be done to its end
        first, then by the `share` of probability that the first of it lands well.

        What `follows` stays behind what it rests on.
        """
        groups: list[list[Proposal]] = []
        last: dict[FindingKey, list[Proposal]] = {}
        for proposal in filter(self.concern, ranked):
            key = proposal.finding.key
            if proposal.follows and key in last:
                last[key].append(proposal)
            else:
                last[key] = [proposal]
                groups.append(last[key])

        def sureness(group: Sequence[Proposal]) -> tuple[bool, float]:
            left = self._remaining(group[0])
            return len(group) > left, -share(group[0]) if left > 0 else 0.0

        return [proposal for group in sorted(groups, key=sureness) for proposal in group]

    def _remaining(self, proposal: Proposal) -> int:
        trial = self._of(proposal)
        return self._left[proposal.finding.strategy, trial.pool] if trial is not None else 0

    def _of(self, proposal: Proposal) -> Trial | None:
        own = self._trials.get(proposal.finding.strategy, ())
        if not own:
            return None
        left = {self._pools[self._pool_of[move.source]] for move in proposal.moves if move.source >= 0}
        return next((trial for trial in own if not trial.pool or trial.pool in left), None)
