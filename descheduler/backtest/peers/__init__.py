"""Reference policies: what other deschedulers' rules would have done, written from their published behaviour.

They act on what is used (or asked for) at the moment of their pass, remember next to nothing, and leave the landing to
the scheduler. `sight` is what all of them see and may do.
"""

from descheduler.backtest.peers.low_node_load import LowNodeLoad
from descheduler.backtest.peers.node_utilization import HighNodeUtilization, LowNodeUtilization

__all__ = ["HighNodeUtilization", "LowNodeLoad", "LowNodeUtilization"]
