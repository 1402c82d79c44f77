"""Does what a strategy answered make sense at all? Foreign code is held to the contract before anybody relies on it."""

from __future__ import annotations

import math
from collections.abc import Collection

from descheduler.model.moves import ActionKind, Observation, Proposal
from descheduler.model.snapshot import ClusterSnapshot


def fault(answer: object, snapshot: ClusterSnapshot) -> str:
    """What is wrong with one answer, to follow "the strategy …"; empty when nothing is."""
    if not isinstance(answer, (Proposal, Observation)):
        return f"answered {type(answer).__name__}, not a Proposal or an Observation"
    pods, nodes = len(snapshot.pods), len(snapshot.nodes)
    if not _within(answer.finding.nodes, nodes):
        return f"names a node that there is not, in {answer.finding.subject}"
    if isinstance(answer, Observation):
        named = (*answer.pods, *(pod for one in answer.tried for pod in one.pods))
        return "" if _within(named, pods) else f"names a pod that there is not, in {answer.finding.subject}"
    moved = [move.pod for move in answer.moves]
    if not moved:
        return "proposes to move nothing"
    if not _within(moved, pods):
        return "proposes to move a pod that there is not"
    if len(set(moved)) < len(moved):
        twice = next(p for p in moved if moved.count(p) > 1)
        return f"proposes to move {snapshot.pods[twice].key} twice in one proposal"
    if not all(_within((move.source, *move.destinations), nodes) for move in answer.moves):
        return "proposes a move from or to a node that there is not"
    if answer.kind is ActionKind.REMOVE and (answer.seats or any(move.destinations for move in answer.moves)):
        return "removes pods, and says where they are to go, or who is to have their room"
    if answer.kind is ActionKind.RELEASE and (not answer.seats or any(move.destinations for move in answer.moves)):
        return "releases pods, and does not say who is to have their room, or says where they are to go"
    if not _within([seat.pod for seat in answer.seats], pods) or not _within([s.node for s in answer.seats], nodes):
        return "makes room for a pod, or on a node, that there is not"
    if not _within(answer.avoid, nodes):
        return "avoids a node that there is not"
    if not math.isfinite(answer.worth) or not math.isfinite(answer.benefit):
        return f"proposes a benefit of {answer.benefit}, worth {answer.worth}"
    return ""


def _within(positions: Collection[int], size: int) -> bool:
    return all(0 <= p < size for p in positions)
