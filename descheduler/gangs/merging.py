"""From what the dialects say to units: gangs that share a pod, or are bundled, become one.

A bundle counts where both of its gangs name each other. Whoever names a gang that does not name him, which may be
anybody's, stays where he is, and changes nothing for the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from descheduler.gangs.consequences import RESTARTS_ALL, Effect, Effects, worst
from descheduler.gangs.vocabulary import GangKey, Rank, Terms
from descheduler.model.pods import Phase, Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.units import Consequence, DisruptionMode, Unit


@dataclass(frozen=True, slots=True)
class Gang:
    """One gang as one dialect sees it; `members` are positions of pods, `names` the gangs that it is linked to."""

    key: GangKey
    rank: Rank
    members: tuple[int, ...]
    terms: Terms
    names: frozenset[GangKey]


def merge(gangs: Mapping[GangKey, Gang]) -> list[list[Gang]]:
    """Sets of gangs that must be disrupted together, each ordered by precedence."""
    above: dict[GangKey, GangKey] = {key: key for key in gangs}

    def top(key: GangKey) -> GangKey:
        while above[key] != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    seen: dict[int, GangKey] = {}
    for key, gang in gangs.items():
        for pod in gang.members:
            above[top(key)] = top(seen.setdefault(pod, key))
        for linked in gang.terms.linked:
            if linked in gangs and key in gangs[linked].names:
                above[top(key)] = top(linked)
    together: dict[GangKey, list[Gang]] = {}
    for key in gangs:
        together.setdefault(top(key), []).append(gangs[key])
    return [sorted(found, key=lambda g: (g.rank, g.key)) for found in together.values()]


def unite(
    found: Sequence[Gang],
    known: Mapping[GangKey, Gang],
    pods: Sequence[Pod],
    effects: Effects,
    when_unset: DisruptionMode,
) -> Unit:
    """One unit of gangs that belong together, ordered by precedence."""
    first = found[0]
    members = tuple(sorted({pod for gang in found for pod in gang.members}))
    same = all(gang.members == members for gang in found)
    minimum = _minimum(found, members, same)
    mode = _mode(found, same, minimum, len(members), when_unset)
    consequences = [gang.terms.consequence for gang in found]
    if not RESTARTS_ALL.isdisjoint((*consequences, *(effects.alone(pods[m]).consequence for m in members))):
        mode = DisruptionMode.WHOLE  # losing one restarts all, so all move at once and as planned
    effect = _effect(mode, [pods[m] for m in members], effects)
    blocked = next((g.terms.blocked for g in found if g.terms.blocked), None)
    return Unit(
        name=str(first.key),
        members=members,
        amplified=members,
        min_available=minimum,
        alive=sum(_alive(pods[m]) for m in members),
        mode=mode,
        consequence=worst(*consequences, effect.consequence),
        dialects=tuple(dict.fromkeys(gang.key.dialect for gang in found)),
        blocked=blocked or _unlinked(found, known) or effect.blocked,
    )


def _minimum(found: Sequence[Gang], members: tuple[int, ...], same: bool) -> int:
    """The first dialect's word on one set of pods; of several sets the largest need."""
    wanted = [len(g.members) if g.terms.minimum is None else g.terms.minimum for g in found]
    if not same:
        return max(wanted)
    stated = next((g.terms.minimum for g in found if g.terms.minimum is not None), None)
    return len(members) if stated is None else stated


def _mode(found: Sequence[Gang], same: bool, minimum: int, size: int, when_unset: DisruptionMode) -> DisruptionMode:
    """Whole if anybody says so, if the gangs overlap, or of a single pod; else the first dialect's word.

    Where nobody says anything, a minimum of one pod means that each can run alone.
    """
    if size == 1 or not same or any(g.terms.mode is DisruptionMode.WHOLE for g in found):
        return DisruptionMode.WHOLE
    if found[0].terms.mode is not None:
        return found[0].terms.mode
    return DisruptionMode.PER_POD if minimum <= 1 else when_unset


def _effect(mode: DisruptionMode, members: Sequence[Pod], effects: Effects) -> Effect:
    """What controllers do when the whole gang is evicted; of a gang that moves by the pod, each pod's is its own."""
    if mode is DisruptionMode.WHOLE:
        return effects.together(members)
    return Effect(Consequence.RESCHEDULED)


def _alive(pod: Pod) -> bool:
    return pod.phase is Phase.RUNNING and bool(pod.node) and pod.deleting is None


def _unlinked(found: Sequence[Gang], known: Mapping[GangKey, Gang]) -> Blocked | None:
    for gang in found:
        for linked in gang.terms.linked:
            if linked not in known:
                return Blocked(Reason.GANG_UNKNOWN, str(linked), f"bundled with {gang.key}, but it has no pods")
            if gang.key not in known[linked].names:
                one_sided = Blocked(Reason.GANG_ONE_SIDED, str(linked), f"{gang.key} names it, and is not named by it")
                return known[linked].terms.blocked or one_sided  # of one that makes no sense nobody knows whom it names
    return None
