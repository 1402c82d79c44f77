"""What is wrong with the data or with a strategy: part of the plan, never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from descheduler.model.bounds import REFERENCE
from descheduler.model.fence import shortened


class ProblemKind(StrEnum):
    """What a problem is about."""

    OBJECT = "object"
    """An object of the cluster that cannot be read."""
    SIGNAL = "signal"
    """A signal of history that may not be relied on."""
    TOPOLOGY = "topology"
    """What the policy or the cluster says about links and levels."""
    STRATEGY = "strategy"
    """A strategy that failed or broke the contract."""


@dataclass(frozen=True, slots=True)
class Problem:
    """`text` for people; `name` is the signal or the strategy that it is about."""

    kind: ProblemKind
    text: str
    name: str = ""

    def __post_init__(self) -> None:
        if len(self.text) > 2 * REFERENCE:  # it names an object and quotes it
            object.__setattr__(self, "text", shortened(self.text, 2 * REFERENCE))
