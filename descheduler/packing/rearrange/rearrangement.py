"""The whole way: from flows to moves in order, with a proven bound on what any plan could gain.

Patterns first (`columns`): their bound is tight and their plans are nearly always as good as it. What they leave open
(several resources that run short, amounts too fine, moves in a circle) goes to one programme where it is small
enough, and to neighbourhoods else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from descheduler.model.arrays import Ints, Mask
from descheduler.packing.programme import Infeasible, SolveStatus, WorkLimits
from descheduler.packing.rearrange.columns import PatternPool, choose, generate
from descheduler.packing.rearrange.flows import Flows, fit, nothing
from descheduler.packing.rearrange.neighbourhood import Found, attempt, improve
from descheduler.packing.rearrange.ordering import ItemMove, Ordered, order
from descheduler.packing.state import ABSENT


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a search may do, in counts, so that the answer is the same on every machine.

    `rounds` of pricing; `nodes` of branch and bound in one programme; `repairs`: plans that may be thrown away because
    their moves wait in a circle; `neighbourhoods` solved at most; `whole`: unknowns up to which the flows are solved
    as one programme. `seconds` of one programme is a safety net, and told when it held.
    """

    rounds: int = 100
    nodes: int = 500
    repairs: int = 8
    neighbourhoods: int = 40
    whole: int = 1500
    seconds: float = 30.0

    @property
    def limits(self) -> WorkLimits:
        """The limits of one programme."""
        return WorkLimits(nodes=self.nodes, seconds=self.seconds)


@dataclass(frozen=True, eq=False, slots=True)
class Rearrangement:
    """`moves` in order, the `slots` in all after them, the proven `bound` on the slots of any plan; `repeatable`
    unless a limit in seconds cut a programme short."""

    moves: tuple[ItemMove, ...]
    slots: int
    bound: float
    repeatable: bool = True

    @property
    def gap(self) -> float:
        """Slots that a better plan might have more, relative to the bound: at 0 the plan is proven optimal."""
        ceiling = _whole(self.bound)
        return max(0, ceiling - self.slots) / max(1, ceiling)


def rearrange(flows: Flows, effort: Effort | None = None) -> Rearrangement:
    """The best plan found within the effort; at worst no move at all.

    Every prefix of the moves can be carried out, and a group moves whole once all moves are made.
    """
    effort = effort or Effort()
    still = nothing(flows)
    best = Found(still, (), int(flows.slots(still).sum()))
    if not flows.count.any():
        return Rearrangement((), best.slots, best.slots)
    pool = generate(flows, effort.rounds)
    bound = _roughly(flows) if pool is None else pool.bound
    if pool is not None:
        best = _by_patterns(pool, best, effort)
    if best.slots < _whole(bound):
        if flows.count.astype(np.bool_).sum() + flows.allowed.sum() <= effort.whole:
            best = attempt(flows, effort.limits, best, ceiling=_whole(bound), repairs=effort.repairs)
        else:
            limits = replace(effort.limits, nodes=min(effort.nodes, 100))
            best = improve(flows, best, _whole(bound), effort.neighbourhoods, limits)
    return Rearrangement(best.moves, best.slots, bound, best.repeatable)


def _by_patterns(pool: PatternPool, best: Found, effort: Effort) -> Found:
    barred: list[Ints] = []
    repeatable = best.repeatable
    for _ in range(effort.repairs):
        chosen = choose(pool, effort.limits, barred=barred)
        if isinstance(chosen, Infeasible):
            repeatable &= chosen.status is not SolveStatus.TIME
            break
        repeatable &= chosen.repeatable
        if chosen.slots <= best.slots:
            break
        ordered = order(pool.flows, chosen.change)
        if ordered.whole:
            return Found(chosen.change, ordered.moves, chosen.slots, repeatable)
        sites = pool.patterns.site[chosen.picked]
        barred.append(chosen.picked[np.isin(sites, _waiting(pool, ordered))])
    return Found(best.change, best.moves, best.slots, repeatable)


def _waiting(pool: PatternPool, ordered: Ordered) -> Ints:
    """Sites that what is left of a change concerns."""
    left: Mask = np.any(ordered.left.into > 0, axis=0)
    place = pool.ground.place
    return np.flatnonzero((left[place] & (place != ABSENT)).any(axis=1))


def _whole(bound: float) -> int:
    return int(np.floor(bound + 1e-6))


def _roughly(flows: Flows) -> float:
    """A bound without prices: all that is free together, and no bin beyond what it could hold empty."""
    usable = np.where(flows.frozen[:, None], 0, flows.room)
    asked = flows.shape > 0
    together = float((usable[:, asked].sum(axis=0) // flows.shape[asked]).min())
    ever = fit(usable + flows.load(flows.count), flows.shape, flows.most)
    return min(together, float(np.where(flows.frozen, 0, ever).sum()))
