"""Planning: gates, budgets, proofs, costs, selection and waves. Reads no cluster, writes nothing, knows no clock."""

from descheduler.planning.document.build import write
from descheduler.planning.planner import Chosen, Input, Outcome, Pool, Settings, decide

__all__ = ["Chosen", "Input", "Outcome", "Pool", "Settings", "decide", "write"]
