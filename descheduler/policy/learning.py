"""What follows from whether moves did what they were to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from descheduler.contract.types import Duration, Fraction
from descheduler.policy.section import Section


class LearningPolicy(Section):
    """Every move is looked at again: a workload whose pods land elsewhere is left alone, and a strategy whose moves
    miss goes on with the surest of them."""

    settle: Duration = Field(default=timedelta(minutes=10), ge=timedelta(minutes=1), le=timedelta(days=1))
    """How long after a move it is looked at again."""
    eased_share: Fraction = Field(default=0.5, gt=0)
    """Share of the promised change that must be there. Where the change is one of a node's load, it is there when the
    moved pods are not back, and have made no other node hot."""
    owner_misses: int = Field(default=2, ge=0, le=1000)
    """A workload of which so many plans in a row moved pods that landed back, or elsewhere than they were directed, is
    left alone for `pause`; 0 leaves none alone for that."""
    min_hit_rate: Fraction = 0.7
    """A strategy of whose last actions fewer reached their goal is paused, if that holds of several namespaces or of
    the only one in which it moved anything; in one pool alone where that explains it; 0 pauses none."""
    window: int = Field(default=20, ge=1, le=1000)
    """How many of its last actions count; what misses in a row of one workload counts once."""
    min_judged: int = Field(default=5, ge=1, le=1000)
    """With fewer of them nothing is concluded."""
    pause: Duration = Field(default=timedelta(hours=6), ge=timedelta(minutes=1), le=timedelta(days=30))
    """How long a pause lasts at most; what was done before does not count afterwards."""
    trial: int = Field(default=2, ge=0, le=100)
    """Paused, a strategy goes on with so many of its surest actions at a time, and the pause ends when `minJudged` of
    these show that it hits again. One that misses, or is not judged yet, is counted for an hour. 0: with none."""
    remember: int = Field(default=2000, ge=100, le=20_000)
    """How many moved pods are remembered, over restarts; fewer when they would not fit into a ConfigMap."""

    @model_validator(mode="after")
    def _can_conclude(self) -> Self:
        if self.min_judged > self.window:
            raise ValueError("minJudged must not be more than window")
        return self
