"""Planning: filters, budgets, proofs, costs, selection and waves. Reads no cluster, writes nothing, knows no clock."""

from descheduler.planning.context import PlanningContext, PlanningInput, PlanningSettings, PoolRule, survey
from descheduler.planning.document.build import build_document
from descheduler.planning.planner import ChosenStrategy, Outcome, decide

__all__ = [
    "ChosenStrategy",
    "Outcome",
    "PlanningContext",
    "PlanningInput",
    "PlanningSettings",
    "PoolRule",
    "build_document",
    "decide",
    "survey",
]
