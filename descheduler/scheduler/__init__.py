"""Where pods could go: kube-scheduler's predicates and scores, vectorised over nodes, on what-if state."""

from descheduler.scheduler.clashes import Clash
from descheduler.scheduler.gpu_table import GpuNeed
from descheduler.scheduler.node_rules import tolerates
from descheduler.scheduler.outlook import Outlook, sample_size
from descheduler.scheduler.placement import Placement
from descheduler.scheduler.predicates import TEXT, Predicate
from descheduler.scheduler.prepared import Prepared, prepare
from descheduler.scheduler.scoring import Scoring
from descheduler.scheduler.spreads import Spread
from descheduler.scheduler.what_if import WhatIf

__all__ = [
    "TEXT",
    "Clash",
    "GpuNeed",
    "Outlook",
    "Placement",
    "Predicate",
    "Prepared",
    "Scoring",
    "Spread",
    "WhatIf",
    "prepare",
    "sample_size",
    "tolerates",
]
