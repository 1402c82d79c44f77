"""What users may say of PartialGangs."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from descheduler.contract import StrategyArgs
from descheduler.contract.types import Duration

NAME = "PartialGangs"


class PartialGangsArgs(StrategyArgs):
    """Let gangs go that hold a part of what they need, so that others start that they block."""

    timeout: Duration = timedelta(minutes=10)
    """How long the missing members of a gang wait before it counts as stuck."""
    max_gangs: int = Field(default=4, ge=1, le=100)
    """Let at most so many gangs go in one plan."""
    worth: Duration = timedelta(hours=4)
    """How long a gang that starts is expected to run: its worth is what its members ask for over this time."""
