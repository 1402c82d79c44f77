"""What a plan decided about some pods, or about a node: every action and every refusal, not the first alone."""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.model.plan import ActionKind
from descheduler.planning.explanation import REMEDY, Check
from descheduler.planning.planner import Outcome
from descheduler.planning.proofs import Accepted

_MOST = 5  # refusals that are named


def decisions(outcome: Outcome, pods: set[int], node: int = -1) -> Iterator[Check]:
    """The actions that move or restart any of the pods or land on the node; without any, what was tried in vain."""
    found = list(_accepted(outcome, pods, node))
    yield from found or list(dict.fromkeys(_refused(outcome, pods)))[:_MOST]
    if not found and not any(_refused(outcome, pods)):
        yield Check("plan", None, "no strategy asks for it to move")


def _accepted(outcome: Outcome, pods: set[int], node: int) -> Iterator[Check]:
    for i, accepted in enumerate(outcome.accepted):
        mine = pods & {move.pod for move in accepted.proposal.moves}
        lands = [proof.pod for proof in accepted.proofs if proof.node == node >= 0]
        if mine:
            done = {ActionKind.MOVE: "moved", ActionKind.REMOVE: "removed", ActionKind.RELEASE: "let go"}[accepted.kind]
        elif pods & set(accepted.restarting):
            done = "restarted"
        elif lands:
            names = ", ".join(outcome.view.snapshot.pods[pod].key for pod in lands)
            done = f"expected to take {names}"
        else:
            continue
        who = f"{len(mine)} of its pods " if len(pods) > 1 and mine else ""
        at = f"by action a{i + 1} in wave {outcome.waves[i] + 1}{_way(outcome, accepted)}"
        yield Check("plan", True, f"{who}{done} {at}: {accepted.proposal.finding.text}")


def _refused(outcome: Outcome, pods: set[int]) -> Iterator[Check]:
    for one in outcome.refused:
        if pods & set(one.pods):
            text = f"proposed for {one.finding.subject} and refused: {one.blocked}"
            yield Check("plan", False, text, REMEDY.get(one.blocked.reason, ""))
    for seen in outcome.observed.values():
        mine = next((unit for unit in seen.tried if pods & set(unit.pods)), None)
        if mine is not None:
            text = f"tried for {seen.finding.subject} and refused: {mine.blocked}"
            yield Check("plan", False, text, REMEDY.get(mine.blocked.reason, ""))


def _way(outcome: Outcome, accepted: Accepted) -> str:
    """By which executor, what is not lost by it, and why no gentler one does it; empty where there is but eviction."""
    way = accepted.way
    if way is None:
        return ""
    refused = outcome.context.ways.gentler(move.pod for move in accepted.proposal.moves)
    told = "; ".join(filter(None, (way.manner.kept, *(f"not {why}" for why in refused))))
    return f" by {way.name} ({told})" if told else ""
