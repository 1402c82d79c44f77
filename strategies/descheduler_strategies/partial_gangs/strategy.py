"""PartialGangs: gangs that hold a part of what they need, and keep one another from the rest.

Schedulers admit a gang whole, but members are lost later, minimums rise, quotas shrink, and schedulers that know no
gangs place pod after pod. Two gangs that hold half each then wait for ever. The fewest that must are let go whole,
those of the least priority first, then those that cost least, so that all others start; nobody is for nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import ClassVar

from descheduler.contract import RebalanceView, Scenario, StrategyArgs
from descheduler.model.format import span
from descheduler.model.moves import Finding, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler_strategies.partial_gangs.args import NAME, PartialGangsArgs
from descheduler_strategies.partial_gangs.stuck import Stuck, stuck_gangs
from descheduler_strategies.partial_gangs.untangling import Untangled, untangle
from descheduler_strategies.releases import cores, granted_to, joined, listed, release, short, unfit


class PartialGangs:
    name: ClassVar[str] = NAME
    order: ClassVar[int] = 20
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = PartialGangsArgs

    def propose(self, view: RebalanceView, args: PartialGangsArgs) -> Iterable[Proposal | Observation]:
        gangs = stuck_gangs(view, args.timeout.total_seconds())
        if not gangs:
            return
        answer = untangle(view, gangs)
        state = view.what_if()
        for seats in answer.roomy.values():
            for pod, node in seats:
                if state.fits(pod)[node]:
                    state.place(pod, node)
        mine = granted_to(view, NAME)
        left = args.max_gangs - len({view.units.of(move.pod).name for one in mine for move in one.moves})
        done: set[int] = set()
        for released, started in _knots(gangs, answer, state):
            finding = _finding(view, gangs, [*released, *started])
            done.update((*released, *started))
            leaving = [pod for at in released for pod in gangs[at].holding]
            places = [seat for at in started for seat in answer.started[at]]
            blocked = _too_many(len(released), left) or unfit(view, state, leaving, places)
            if blocked is not None:
                yield Observation(finding, blocked)
                continue
            left -= len(released)
            worth = sum(cores(view, gangs[at].pods) for at in started) * args.worth.total_seconds()
            gone, start = (listed([short(gangs[at].name) for at in several]) for several in (released, started))
            note = f"{gone} lets go of {len(leaving)} places, so that {start} can start"
            yield release(state, finding, leaving, places, worth, note)
        yield from _others(view, gangs, answer, done)


def _too_many(count: int, left: int) -> Blocked | None:
    if count <= left:
        return None
    return Blocked(Reason.NO_CURE, NAME, f"it takes {count} gangs, and {max(left, 0)} of maxGangs are left")


def _knots(gangs: Sequence[Stuck], answer: Untangled, state: Scenario) -> list[tuple[list[int], list[int]]]:
    """Who lets go and who starts, those together that share a node or a namespace's quota."""
    released: dict[int, set[Hashable]] = {
        at: {gangs[at].namespace, *(state.node_of(pod) for pod in gangs[at].holding)} for at in answer.released
    }
    started: dict[int, set[Hashable]] = {
        at: {gangs[at].namespace, *(node for _, node in seats)} for at, seats in answer.started.items()
    }
    return joined(released, started)


def _finding(view: RebalanceView, gangs: Sequence[Stuck], members: Sequence[int]) -> Finding:
    named = sorted(members, key=lambda at: gangs[at].name)
    told = [f"{gangs[at].text} for {span(view.snapshot.taken_at - gangs[at].since)}" for at in named]
    names = [short(gangs[at].name) for at in named]
    return Finding(
        strategy=NAME,
        subject=Subject(SubjectKind.GANG, names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"),
        measure="gangs that hold a part of what they need",
        value=float(len(named)),
        threshold=0.0,
        text=listed(told, "; ") + (": they block one another" if len(named) > 1 else ""),
        since=min(gangs[at].since for at in named),
        numbers=(("places held in vain", float(sum(len(gangs[at].holding) for at in named))),),
    )


def _others(
    view: RebalanceView, gangs: Sequence[Stuck], answer: Untangled, done: set[int]
) -> Iterable[Proposal | Observation]:
    """Stuck gangs for whom nothing is done, one by one, and why."""
    for at in range(len(gangs)):
        if at in done or at in answer.roomy:
            continue
        text = "no gang of no higher priority that may let go makes room for it"
        if at in answer.hopeless:
            text = "it would have no room if all stuck gangs of no higher priority that may let go of what they hold"
        held = next((found for pod in gangs[at].holding if (found := view.held(pod)) is not None), None)
        if held is not None:
            text += f"; it may not let go itself: {held}"
        yield Observation(_finding(view, gangs, [at]), Blocked(Reason.NO_CURE, NAME, text), gangs[at].holding)
