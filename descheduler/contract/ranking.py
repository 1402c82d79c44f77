"""The order in which planning judges proposals: the most worth for its cost first.

Strategies that search greedily follow the same measure, so that what they try first is judged first. Proposals that
`follow` one another are one run: they are worth what they are worth together, and are accepted together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from descheduler.contract.view import RebalanceView
from descheduler.model.arrays import Floats
from descheduler.model.moves import Proposal

Run = tuple[Proposal, ...]
"""A proposal, and those that follow it."""

REQUIRED = 1024.0
"""Worth for its cost of what the policy wants whatever a restart costs: a broken rule cured, a pod that is too old
gone. More than any margin, and a power of two, so that all of these are worth exactly the same for their cost."""


def required(view: RebalanceView, pods: Iterable[int]) -> float:
    """The worth of a proposal that disrupts the pods because the policy wants it done, whatever that costs.

    Proposals with this worth are judged in the order in which their strategy answered.
    """
    restarting = dict.fromkeys(one for pod in pods for one in view.units.restarting(pod))
    return REQUIRED * (float(view.costs[list(restarting)].sum()) + 1.0)


def rate(worth: float, cost: float) -> float:
    """Worth for its cost, both in weighted core-seconds; what costs nothing has a rate too."""
    return worth / (cost + 1.0)


def ranked(proposals: Iterable[Proposal], costs: Floats) -> list[Run]:
    """The proposals in runs, in the order in which these are judged; `costs` [P] is what each pod's restart costs.

    A proposal follows the last one of its strategy before it. Ties go by the strategy's name, then by the order in
    which it answered.
    """
    runs: list[list[Proposal]] = []
    last: dict[str, list[Proposal]] = {}  # the run of each strategy that others may follow
    for proposal in proposals:
        strategy = proposal.finding.strategy
        if proposal.follows and strategy in last:
            last[strategy].append(proposal)
        else:
            runs.append([proposal])
            last[strategy] = runs[-1]
    return [tuple(run) for run in sorted(runs, key=lambda run: _key(run, costs))]


def _key(run: Sequence[Proposal], costs: Floats) -> tuple[float, str]:
    pods = [move.pod for proposal in run for move in proposal.moves]
    worth, cost = sum(proposal.worth for proposal in run), float(costs[pods].sum())
    return -rate(worth, cost), run[0].finding.strategy
