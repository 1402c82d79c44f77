"""The waves of accepted actions, and which of them may not share one: those who need the place of others, and those
who steer away from where others are expected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import ActionKind
from descheduler.model.reasons import Reason
from descheduler.planning.budgets.charging import Budgets
from descheduler.planning.budgets.needs import Need
from descheduler.planning.proofs import Accepted


def waves_of(
    budgets: Budgets, accepted: Sequence[Accepted], landing: LandingMode, evicting: Budgets | None = None
) -> list[int]:
    """The wave of each action: later than those whose places it needs. Removals and releases go by the budgets
    `evicting`, where moves are spared some.

    Moves to places that are held wait for these alone, and stages for one another; all others keep the order in which
    they were accepted, because nobody knows for certain who takes which place.
    """
    restarting = [one.restarting for one in accepted]
    removing = evicting or budgets
    counted = [(budgets if one.kind is ActionKind.MOVE else removing, at_once(one)) for one in accepted]
    needs = [one.needs.union(met) for one, met in zip(accepted, cordoned(accepted), strict=True)]
    if landing is LandingMode.RESERVED:
        after = [{*one.needs, *([at - 1] if one.stage > 1 else [])} for at, one in enumerate(accepted)]
        return budgets.waves(restarting, after=after, apart=needs, counted=counted)
    met: Iterable[Iterable[int]] = ()
    if landing is LandingMode.DIRECTED:
        met = under_one_key(accepted)
    elif landing is LandingMode.STEERED:
        met = apart(accepted)
    together = zip_longest(needs, of_another_kind(accepted), met, fillvalue=())
    separate = [frozenset().union(*several) for several in together]
    return budgets.waves(restarting, apart=separate, counted=counted)


def at_once(accepted: Accepted) -> tuple[Need, ...]:
    """What an action takes of the units that its executor moves at the same moment."""
    most = None if accepted.way is None else accepted.way.limits.at_once
    if accepted.way is None or most is None:
        return ()
    name = accepted.way.name
    return (Need(("executor", name), f"executor/{name}", Reason.EXECUTOR_LIMIT, 1, most),)


def of_another_kind(accepted: Sequence[Accepted]) -> list[frozenset[int]]:
    """For each action the last one before it that has pods made again, if one of the two moves and the other removes.

    Where a removed pod is made again nobody knows, and it might be in a place that a move counts on. As waves follow
    one another in the order of the actions, it is enough to keep neighbours apart.
    """
    out: list[frozenset[int]] = []
    last: int | None = None
    for at, one in enumerate(accepted):
        alike = last is None or accepted[last].kind is one.kind
        out.append(frozenset() if alike or last is None or not one.restarting else frozenset({last}))
        last = at if one.restarting else last
    return out


def cordoned(accepted: Sequence[Accepted]) -> list[frozenset[int]]:
    """For each action the positions of earlier ones of another set of cordons, of which one cordons a node on which the
    other's pods are expected. In one wave all cordons are there at once."""
    if not any(one.proposal.cordon for one in accepted):
        return [frozenset()] * len(accepted)
    closed: dict[int, list[int]] = {}  # node -> earlier actions that cordon it
    awaited: dict[int, list[int]] = {}  # node -> earlier actions whose pods may land on it
    out: list[frozenset[int]] = []
    for at, one in enumerate(accepted):
        mine = set(one.proposal.cordon)
        nodes = {node for proof in one.proofs for node, _ in proof.likely} - mine
        out.append(
            frozenset(other for met, by in ((nodes, closed), (mine, awaited)) for n in met for other in by.get(n, ()))
        )
        for met, by in ((mine, closed), (nodes, awaited)):
            for node in met:
                by.setdefault(node, []).append(at)
    return out


def under_one_key(accepted: Sequence[Accepted]) -> list[frozenset[int]]:
    """For each action the positions of earlier ones whose pods are directed under the same key, but to other nodes.

    In one wave the two would be mistaken for each other.
    """
    given: dict[str, list[tuple[int, frozenset[int]]]] = {}  # by the key
    out: list[frozenset[int]] = []
    for at, one in enumerate(accepted):
        mine: dict[str, set[int]] = {}
        for proof in one.proofs:
            if proof.towards:
                mine.setdefault(proof.direction, set()).update(proof.towards)
        out.append(frozenset(j for key, nodes in mine.items() for j, other in given.get(key, ()) if other != nodes))
        for key, nodes in mine.items():
            given.setdefault(key, []).append((at, frozenset(nodes)))
    return out


def apart(accepted: Sequence[Accepted]) -> list[tuple[int, ...]]:
    """For each action the positions of earlier ones that it must not share a wave with, because one steers away from
    where the other's pods are expected.

    Landings are foreseen with the taints of one action, and in a wave all its actions' taints are there at once. A
    further taint on a node where a pod is not expected anyway changes nothing: TaintToleration lowers that node alone
    (kubernetes pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go). On a node where it is expected it
    would send the pod elsewhere, back to its source perhaps.
    """
    vacated: dict[int, list[int]] = {}  # node -> earlier actions that steer away from it
    awaited: dict[int, list[int]] = {}  # node -> earlier actions whose pods may land on it, steered by others only
    out: list[tuple[int, ...]] = []
    for i, one in enumerate(accepted):
        steered = set(one.proposal.vacating)
        strange = {node for proof in one.proofs for node, _ in proof.likely} - steered
        met = {j for node in strange for j in vacated.get(node, ())}
        met.update(j for node in steered for j in awaited.get(node, ()))
        out.append(tuple(sorted(met)))
        for nodes, by_node in ((steered, vacated), (strange, awaited)):
            for node in nodes:
                by_node.setdefault(node, []).append(i)
    return out
