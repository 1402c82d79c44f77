"""The stages in which a proposal is carried out: what leaves in each, where it goes, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.moves import Move, Proposal
from descheduler.planning.proofs import Proof

Moves = tuple[Move, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Stage:
    """Moves of one stage as they were proposed, where their pods will be, and the `state` with it done; all that
    restarts with them; the positions of the accepted actions whose places it `needs`."""

    moves: Moves
    proofs: tuple[Proof, ...]
    state: Scenario
    restarting: tuple[int, ...]
    needs: frozenset[int]

    @property
    def evicted(self) -> tuple[int, ...]:
        return tuple(move.pod for move in self.moves)


def restarting(view: RebalanceView, pods: Sequence[int]) -> tuple[int, ...]:
    """The pods, and all that restarts when they are evicted."""
    every: dict[int, None] = dict.fromkeys(pods)
    for pod in pods:
        every.update(dict.fromkeys(view.units.restarting(pod)))
    return tuple(every)


def split(proposal: Proposal, stages: Sequence[Stage], costs: Sequence[float]) -> list[Proposal]:
    """One proposal for each stage: worth by what the stage costs, the benefit with the last, which ends it.

    Each leaves free what the others leave too.
    """
    if len(stages) == 1:
        return [proposal]
    total, last = sum(costs) or 1.0, len(stages) - 1
    return [
        replace(
            proposal,
            moves=stage.moves,
            avoid=proposal.vacating,
            benefit=proposal.benefit if i == last else 0.0,
            worth=proposal.worth * costs[i] / total,
            note=f"stage {i + 1} of {len(stages)}: {proposal.note}",
        )
        for i, stage in enumerate(stages)
    ]
