"""The public contract of strategies: what one is given, what it may answer, and how it is found.

A strategy is a pure function `(view, args) -> proposals and observations`. It sees the cluster, the profiles, the
units and a what-if state; it never evicts, logs a decision, reads the clock or draws a random number.
"""

from descheduler.contract.arguments import PluginArgs
from descheduler.contract.landing import Accept, Landing, land
from descheduler.contract.loads import NodeLoads
from descheduler.contract.registry import API_VERSION, EXECUTORS, available, load
from descheduler.contract.strategy import Strategy, StrategyArgs
from descheduler.contract.view import GPU_WEIGHT, RebalanceView, Scenario

__all__ = [
    "API_VERSION",
    "EXECUTORS",
    "GPU_WEIGHT",
    "Accept",
    "Landing",
    "NodeLoads",
    "PluginArgs",
    "RebalanceView",
    "Scenario",
    "Strategy",
    "StrategyArgs",
    "available",
    "land",
    "load",
]
