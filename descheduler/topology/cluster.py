"""The topology of a cluster: its network levels and the links inside its nodes, read from a snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.model.snapshot import ClusterSnapshot
from descheduler.topology.levels import Levels
from descheduler.topology.links import TABLE, LinkRow
from descheduler.topology.network_sources import network_of
from descheduler.topology.node_links import NodeLinks, node_links


@dataclass(frozen=True, slots=True)
class TopologyRules:
    """Where topology is read from: `labels` (top to bottom) come before `network`, `links` before `TABLE`."""

    network: str = "auto"
    labels: tuple[str, ...] = ()
    links: tuple[LinkRow, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class ClusterTopology:
    """`levels` of the network as `source` tells them, `links` inside nodes, and lines on what is wrong with them."""

    levels: Levels
    links: NodeLinks
    source: str = "none"
    problems: tuple[str, ...] = ()


def read_topology(snapshot: ClusterSnapshot, rules: TopologyRules | None = None) -> ClusterTopology:
    """The topology of the snapshot's nodes."""
    rules = rules or TopologyRules()
    network = network_of(snapshot, rules.network, rules.labels)
    links = node_links(snapshot.nodes, (*rules.links, *TABLE))
    return ClusterTopology(network.levels, links, network.source, network.problems)
