"""Where pods could go: kube-scheduler's predicates and scores, vectorised over nodes, on what-if state."""

from descheduler.scheduler.placement import Placement, prepare
from descheduler.scheduler.predicates import TEXT, Predicate
from descheduler.scheduler.scoring import Scoring
from descheduler.scheduler.what_if import WhatIf

__all__ = ["TEXT", "Placement", "Predicate", "Scoring", "WhatIf", "prepare"]
