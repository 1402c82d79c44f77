"""Where pods could go: kube-scheduler's predicates and scores, vectorised over nodes, on what-if state."""

from descheduler.placement.placement import Placement, prepare
from descheduler.placement.predicates import TEXT, Predicate
from descheduler.placement.scoring import Scoring
from descheduler.placement.what_if import WhatIf

__all__ = ["TEXT", "Placement", "Predicate", "Scoring", "WhatIf", "prepare"]
