"""The order in which planning judges proposals: the most worth for its cost first.

Strategies that search greedily follow the same measure, so that what they try first is judged first.
"""

from __future__ import annotations

from collections.abc import Iterable

from descheduler.model.arrays import Floats
from descheduler.model.moves import Proposal

_AFTER = 1.0 - 1e-9
"""By how much less one that follows counts than the one before it: enough to come after it, whatever else ties."""


def rate(worth: float, cost: float) -> float:
    """Worth for its cost, both in weighted core-seconds; what costs nothing has a rate too."""
    return worth / (cost + 1.0)


def ranked(proposals: Iterable[Proposal], costs: Floats) -> list[Proposal]:
    """The proposals in the order in which they are judged; `costs` [P] is what each pod's restart costs.

    One that `follows` comes after the last proposal of its strategy before it, whatever it is worth. Ties go by names.
    """
    rates: dict[str, float] = {}  # of the last proposal of each strategy
    keyed: list[tuple[tuple[float, str, str, tuple[int, ...]], Proposal]] = []
    for proposal in proposals:
        strategy, pods = proposal.finding.strategy, tuple(move.pod for move in proposal.moves)
        own = rate(proposal.worth, float(costs[list(pods)].sum()))
        if proposal.follows and strategy in rates:
            own = min(own, rates[strategy] * _AFTER)
        rates[strategy] = own
        keyed.append(((-own, strategy, str(proposal.finding.subject), pods), proposal))
    return [proposal for _, proposal in sorted(keyed, key=lambda one: one[0])]
