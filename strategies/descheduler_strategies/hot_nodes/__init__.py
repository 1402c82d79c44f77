"""HotNodes: nodes that are, or will be, too busy are cooled. Begin with `strategy`."""

from descheduler_strategies.hot_nodes.args import HotNodesArgs
from descheduler_strategies.hot_nodes.strategy import HotNodes

__all__ = ["HotNodes", "HotNodesArgs"]
