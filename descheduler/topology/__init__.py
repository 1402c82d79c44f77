"""Topology: network levels above the nodes, links between the devices inside of them, and what sets are worth."""

from descheduler.topology.cluster import ClusterTopology, TopologyRules, read_topology
from descheduler.topology.gang_spread import Spread, largest_gangs, room_by_domain, spread
from descheduler.topology.levels import Levels
from descheduler.topology.links import LinkRow
from descheduler.topology.node_links import Board, NodeLinks, node_links
from descheduler.topology.partitions import Partition, aligned, fragmentation, potential
from descheduler.topology.rings import Rings, set_of

__all__ = [
    "Board",
    "ClusterTopology",
    "Levels",
    "LinkRow",
    "NodeLinks",
    "Partition",
    "Rings",
    "Spread",
    "TopologyRules",
    "aligned",
    "fragmentation",
    "largest_gangs",
    "node_links",
    "potential",
    "read_topology",
    "room_by_domain",
    "set_of",
    "spread",
]
