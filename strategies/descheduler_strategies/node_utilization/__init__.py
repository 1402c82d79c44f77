"""LowNodeUtilization and HighNodeUtilization: loads evened out over nodes, or packed onto few."""

from descheduler_strategies.node_utilization.high import HighNodeUtilization
from descheduler_strategies.node_utilization.low import LowNodeUtilization

__all__ = ["HighNodeUtilization", "LowNodeUtilization"]
