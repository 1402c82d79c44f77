"""Planning: filters, budgets, proofs, costs, selection and waves. Reads no cluster, writes nothing, knows no clock."""

from descheduler.planning.document.build import build_document
from descheduler.planning.planner import ChosenStrategy, Outcome, PlanningInput, PlanningSettings, PoolRule, decide

__all__ = ["ChosenStrategy", "Outcome", "PlanningInput", "PlanningSettings", "PoolRule", "build_document", "decide"]
