"""What is proved of a proposal, by which rules, and what is accepted with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from descheduler.model.moves import ActionKind, Proposal
from descheduler.planning.budgets.charging import Charge
from descheduler.planning.executor_rules import ExecutorTraits
from descheduler.policy.planning import ProofPolicy


@dataclass(frozen=True, slots=True)
class ProofRules:
    """When a destination is good: its forecast quantile within the horizon stays under `max_load` (by resource).

    `max_risk` is the accepted probability that a pod lands on its source or on a node that it would make hot.
    """

    max_load: Mapping[str, float]
    quantile: float
    horizon_seconds: float
    max_risk: float

    @classmethod
    def of(cls, proof: ProofPolicy) -> Self:
        return cls(dict(proof.max_load), proof.quantile, proof.horizon.total_seconds(), proof.max_risk)


NOWHERE = -1
"""The node of a pod that nobody makes again."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Where one pod will go: `candidates` nodes can take it; `share` is the probability mass of acceptable nodes.

    Of a removal, `node` is one that can take the replacement, NOWHERE where there will be none, and nothing else is
    said. `towards` are the nodes that it is directed to, under the key `direction` (`model.directing.direction_of`).
    """

    pod: int
    node: int
    share: float
    candidates: int
    likely: tuple[tuple[int, float], ...]
    towards: tuple[int, ...] = ()
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A proposal that passed, or one of the stages in which it goes (counted from 1), with what it takes.

    `needs` are the positions of those accepted before that must have left before it has its places; `way` is by what
    its pods are moved, None where they are removed.
    """

    proposal: Proposal
    restarting: tuple[int, ...]
    proofs: tuple[Proof, ...]
    charges: tuple[Charge, ...]
    cost: float
    stage: int = 1
    stages: int = 1
    needs: frozenset[int] = frozenset()
    way: ExecutorTraits | None = None

    @property
    def kind(self) -> ActionKind:
        return self.proposal.kind
