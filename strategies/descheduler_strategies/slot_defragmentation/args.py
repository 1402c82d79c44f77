"""What users may say of SlotDefragmentation."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, field_validator

from descheduler.contract import StrategyArgs
from descheduler.contract.naming import PoolName
from descheduler.contract.types import Duration
from descheduler.model.quantity import amount

NAME = "SlotDefragmentation"


class Slot(StrategyArgs):
    """The shape of a slot."""

    cpu: str = "16"
    """CPU that must be free together on one node."""
    memory: str = "0"
    """Memory that must be free beside it."""

    @field_validator("cpu")
    @classmethod
    def _some(cls, value: str) -> str:
        if amount("cpu", value) <= 0:
            raise ValueError("a slot needs CPU")
        return value


class SlotDefragmentationArgs(StrategyArgs):
    """Make free CPU and memory that is scattered over nodes whole again. Only where the plan chooses the nodes."""

    slot: Slot = Slot()
    """The shape."""
    wanted: int = Field(default=1, ge=0)
    """Open slots until so many are free."""
    pools: list[PoolName] = Field(default_factory=list)
    """Only nodes of these pools; all when empty."""
    max_moves: int = Field(default=35, ge=1, le=1000)
    """Move at most so many pods in one plan."""
    slot_worth: Duration = timedelta(hours=1)
    """How long a slot is expected to serve a pod: its worth is its CPU over this time."""
    effort: float = Field(default=1.0, gt=0, le=100)
    """How much work the search may do; counted, not timed, so that the same input gives the same plan."""
