"""Who decides where a pod that is moved comes up again."""

from __future__ import annotations

from enum import StrEnum


class LandingMode(StrEnum):
    """How a moved pod finds its node."""

    DIRECTED = "directed"
    """The executor names the node: what fits there and is wished is what happens."""
    STEERED = "steered"
    """The scheduler decides, and nodes that had better stay free carry a taint meanwhile."""
    PREDICTED = "predicted"
    """The scheduler decides; where that undoes a move, the move is refused."""
