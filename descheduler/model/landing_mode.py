"""Who decides where a pod that is moved comes up again."""

from __future__ import annotations

from enum import StrEnum


class LandingMode(StrEnum):
    """How a moved pod finds its node, the surest way first."""

    RESERVED = "reserved"
    """The executor holds a place for it: what fits there and is wished is what happens."""
    DIRECTED = "directed"
    """Replacements are made with a preference for the nodes that the plan names. The scheduler decides, and where that
    preference does not decide it, the move is refused."""
    STEERED = "steered"
    """The scheduler decides, and nodes that had better stay free carry a taint meanwhile."""
    PREDICTED = "predicted"
    """The scheduler decides; where that undoes a move, the move is refused."""

    @property
    def chosen(self) -> bool:
        """Whether the plan chooses the nodes."""
        return self in (LandingMode.RESERVED, LandingMode.DIRECTED)


class LandingWish(StrEnum):
    """How moved pods should find their nodes."""

    AUTO = "auto"
    DIRECTED = "directed"
    STEERED = "steered"
    PREDICTED = "predicted"
