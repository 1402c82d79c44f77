"""What users may say of QuotaReclaim."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from descheduler.contract import StrategyArgs
from descheduler.contract.types import Duration

NAME = "QuotaReclaim"


class QuotaReclaimArgs(StrategyArgs):
    """Have whole jobs give back what they borrowed by ElasticQuotas, where somebody waits whom it is guaranteed."""

    older_than: Duration = timedelta(minutes=5)
    """How long a job waits before others give back for it."""
    max_jobs: int = Field(default=4, ge=1, le=100)
    """Let at most so many jobs give back in one plan."""
    worth: Duration = timedelta(hours=4)
    """How long a job that starts is expected to run: its worth is what it asks for over this time."""
