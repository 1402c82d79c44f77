"""The way in: a snapshot prepared for questions about places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler.placement import Placement
from descheduler.scheduler.scoring import Scoring
from descheduler.scheduler.what_if import WhatIf


@dataclass(frozen=True, slots=True)
class Prepared:
    """A snapshot as the scheduler sees it."""

    placement: Placement

    def what_if(self) -> WhatIf:
        """The state of the snapshot, to try moves on."""
        return WhatIf.of(self.placement)


def prepare(
    snapshot: ClusterSnapshot, *, scoring: Scoring | Mapping[str, Scoring] = Scoring.LEAST_ALLOCATED
) -> Prepared:
    """Prepare a snapshot; `scoring` is the strategy in NodeResourcesFit, of all schedulers or by scheduler name."""
    return Prepared(Placement(snapshot, scoring))
