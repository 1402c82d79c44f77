"""PartialGangs: gangs that hold a part of what they need, and keep one another from the rest.

Schedulers admit a gang whole, but members are lost later, minimums rise, quotas shrink, and schedulers that know no
gangs place pod after pod. Two gangs that hold half each then wait for ever. The fewest that must are let go whole,
those of the least priority first, then those that cost least, so that all others start; nobody is for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from descheduler.contract import RebalanceView, Scenario, StrategyArgs
from descheduler.model.action_kind import ActionKind
from descheduler.model.format import span
from descheduler.model.moves import Finding, Move, Observation, Proposal, Seat
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler_strategies.partial_gangs.args import NAME, PartialGangsArgs
from descheduler_strategies.partial_gangs.stuck import Stuck, stuck_gangs, worth_of
from descheduler_strategies.partial_gangs.untangling import Untangled, untangle

_NAMED = 3


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
        left = args.max_gangs - _granted(view)
        done: set[int] = set()
        for released, started in _knots(gangs, answer, state):
            finding = _finding(view, gangs, [*released, *started])
            done.update((*released, *started))
            proposal = _let_go(view, args, state, gangs, released, {at: answer.started[at] for at in started}, finding)
            if isinstance(proposal, Blocked):
                yield Observation(finding, proposal)
            elif len(released) > left:
                text = f"it takes {len(released)} gangs, and {max(left, 0)} of maxGangs are left"
                yield Observation(finding, Blocked(Reason.NO_CURE, NAME, text))
            else:
                left -= len(released)
                yield proposal
        yield from _others(view, gangs, answer, done)


def _granted(view: RebalanceView) -> int:
    """How many gangs this plan lets go already."""
    mine = (p for p in view.granted if p.finding.strategy == (view.use or NAME))
    return len({view.units.of(move.pod).name for proposal in mine for move in proposal.moves})


def _knots(gangs: Sequence[Stuck], answer: Untangled, state: Scenario) -> list[tuple[list[int], list[int]]]:
    """Who lets go and who starts, those together that share a node or a namespace's quota."""
    places: dict[int, set[object]] = {at: {state.node_of(pod) for pod in gangs[at].holding} for at in answer.released}
    places |= {at: {node for _, node in seats} for at, seats in answer.started.items()}
    groups: list[tuple[set[int], set[object]]] = []
    for at, mine in places.items():
        mine = mine | {gangs[at].namespace}
        touching = [group for group in groups if group[1] & mine]
        members = {at}
        for group in touching:
            groups.remove(group)
            members |= group[0]
            mine = mine | group[1]
        groups.append((members, mine))
    split = ((sorted(members & set(answer.released)), sorted(members & answer.started.keys())) for members, _ in groups)
    return sorted((released, started) for released, started in split if released and started)


def _let_go(
    view: RebalanceView,
    args: PartialGangsArgs,
    state: Scenario,
    gangs: Sequence[Stuck],
    released: Sequence[int],
    started: Mapping[int, Sequence[tuple[int, int]]],
    finding: Finding,
) -> Proposal | Blocked:
    """The proposal, where everybody who is to start fits by all rules of the scheduler; `state` then has it done."""
    first = max(released, key=lambda at: gangs[at].priority)
    if any(gangs[at].priority < gangs[first].priority for at in started):
        return Blocked(
            Reason.NO_CURE, f"gang/{gangs[first].name}", "others of a lower priority would start in its place"
        )
    attempt = state.fork()
    leaving = [pod for at in released for pod in gangs[at].holding]
    for pod in leaving:
        attempt.remove(pod)
    seats: list[Seat] = []
    for wanted in started.values():
        for pod, node in wanted:
            fits = attempt.fits(pod)
            if not fits[node]:
                return Blocked(Reason.NO_CURE, f"pod/{view.snapshot.pods[pod].key}", attempt.explain(pod))
            attempt.place(pod, node)
            seats.append(Seat(pod, node))
    moves = tuple(Move(pod, state.node_of(pod)) for pod in leaving)
    for pod in leaving:
        state.remove(pod)
    for seat in seats:
        state.place(seat.pod, seat.node)
    worth = sum(worth_of(view, gangs[at]) for at in started) * args.worth.total_seconds()
    start = ", ".join(gangs[at].name.partition(":")[2] for at in list(started)[:_NAMED])
    more = f" and {len(started) - _NAMED} more" if len(started) > _NAMED else ""
    gone = ", ".join(gangs[at].name.partition(":")[2] for at in released[:_NAMED])
    return Proposal(
        finding=finding,
        moves=moves,
        benefit=-finding.value,
        worth=worth,
        note=f"{gone} lets go of {len(leaving)} places, so that {start}{more} can start",
        seats=tuple(seats),
        kind=ActionKind.RELEASE,
    )


def _finding(view: RebalanceView, gangs: Sequence[Stuck], members: Sequence[int]) -> Finding:
    named = sorted(members, key=lambda at: gangs[at].name)
    told = "; ".join(f"{gangs[at].text} for {span(view.snapshot.taken_at - gangs[at].since)}" for at in named[:_NAMED])
    more = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    names = [gangs[at].name.partition(":")[2] or gangs[at].name for at in named]
    return Finding(
        strategy=NAME,
        subject=Subject(SubjectKind.GANG, names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"),
        measure="gangs that hold a part of what they need",
        value=float(len(named)),
        threshold=0.0,
        text=f"{told}{more}" + (": they block one another" if len(named) > 1 else ""),
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
        text = "no gang that may let go makes room for it"
        if at in answer.hopeless:
            text = "it would have no room if all stuck gangs that may let go of what they hold"
        held = next((found for pod in gangs[at].holding if (found := view.held(pod)) is not None), None)
        if held is not None:
            text += f"; it may not let go itself: {held}"
        yield Observation(_finding(view, gangs, [at]), Blocked(Reason.NO_CURE, NAME, text), gangs[at].holding)
