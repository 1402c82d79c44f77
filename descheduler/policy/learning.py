"""What follows from whether moves did what they were to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from descheduler.contract.types import Duration, Fraction
from descheduler.policy.section import Section


class LearningPolicy(Section):
    """Every move is looked at again; a strategy whose moves miss is paused."""

    settle: Duration = Field(default=timedelta(minutes=10), ge=timedelta(minutes=1), le=timedelta(days=1))
    """How long after a move its finding is looked at again."""
    eased_share: Fraction = Field(default=0.5, gt=0)
    """Share of the promised change that must be there where a finding was to be eased; a cured one must be gone."""
    min_hit_rate: Fraction = 0.7
    """A strategy of whose last actions fewer reached their goal is paused, if that holds of several namespaces or of
    the only one in which it moved anything; 0 pauses none."""
    window: int = Field(default=20, ge=1, le=1000)
    """How many of its last actions count."""
    min_judged: int = Field(default=5, ge=1, le=1000)
    """With fewer of them nothing is concluded."""
    pause: Duration = Field(default=timedelta(hours=6), ge=timedelta(minutes=1), le=timedelta(days=30))
    """How long it then proposes nothing; what it did before does not count afterwards."""
    remember: int = Field(default=2000, ge=100, le=20_000)
    """How many moved pods are remembered, over restarts; fewer when they would not fit into a ConfigMap."""

    @model_validator(mode="after")
    def _can_conclude(self) -> Self:
        if self.min_judged > self.window:
            raise ValueError("minJudged must not be more than window")
        return self
