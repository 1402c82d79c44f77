"""What a way of moving units does, step by step, and what it spares them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """One part of what a move costs (`planning.costs`)."""

    RESTART = "restart"
    """While the replacement starts, there is one less."""
    WARM_UP = "warm-up"
    """The replacement does not work as well as the old one from the first moment."""
    LOST_WORK = "lost work"
    """What the old one had not saved is done again."""


@dataclass(frozen=True, slots=True)
class Manner:
    """`steps` in their order, and what is not lost (`kept`), for people; `spares` is what the cost leaves out.

    `full`: at no moment are there fewer ready pods than before, so that no PodDisruptionBudget has to allow it.
    `whole`: all pods of an owner go together, so that it moves units only that have all of them. `releases`: it can let
    units go that wait in their turn; `holds_back`: these are made again only once those have started for whom it is.
    """

    steps: tuple[str, ...]
    kept: str = ""
    spares: frozenset[Part] = frozenset()
    full: bool = False
    whole: bool = False
    releases: bool = False
    holds_back: bool = False
