"""The public contract of strategies: what one is given, what it may answer, and how it is found.

A strategy is a pure function `(view, args) -> proposals and observations`. It sees the cluster, the profiles, the
units and a what-if state; it never evicts, logs a decision, reads the clock or draws a random number.
"""

from descheduler.contract.arguments import PluginArgs
from descheduler.contract.each import each, unanswered
from descheduler.contract.landing import Accept, Landing, land
from descheduler.contract.loads import NodeLoads
from descheduler.contract.needs import Needs, needs_of
from descheduler.contract.node_levels import NodeLevel, node_levels
from descheduler.contract.ranking import REQUIRED, Run, ranked, rate, required
from descheduler.contract.registry import API_VERSION, EXECUTORS, available, load
from descheduler.contract.relocate import MOST_AVOIDED, AcceptIn, Relocation, land_all, relocate
from descheduler.contract.scenario import Scenario
from descheduler.contract.selecting import LabelChoice, Name, NamespaceChoice, Selector
from descheduler.contract.strategy import Strategy, StrategyArgs, order_of
from descheduler.contract.view import GPU_WEIGHT, RebalanceView
from descheduler.scheduler import Clash, Spread, tolerates

__all__ = [
    "API_VERSION",
    "EXECUTORS",
    "GPU_WEIGHT",
    "MOST_AVOIDED",
    "REQUIRED",
    "Accept",
    "AcceptIn",
    "Clash",
    "LabelChoice",
    "Landing",
    "Name",
    "NamespaceChoice",
    "Needs",
    "NodeLevel",
    "NodeLoads",
    "PluginArgs",
    "RebalanceView",
    "Relocation",
    "Run",
    "Scenario",
    "Selector",
    "Spread",
    "Strategy",
    "StrategyArgs",
    "available",
    "each",
    "land",
    "land_all",
    "load",
    "needs_of",
    "node_levels",
    "order_of",
    "ranked",
    "rate",
    "relocate",
    "required",
    "tolerates",
    "unanswered",
]
