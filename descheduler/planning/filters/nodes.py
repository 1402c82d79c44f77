"""Filters about the node that a pod would leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from descheduler.model.arrays import Mask
from descheduler.model.nodes import Node
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.context import Filter, FilterContext


def unready_node_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods on nodes that are not ready. Cordoned nodes are none of these."""
    yield _on(context, Reason.NODE_NOT_READY, lambda n: not n.ready, lambda _n: "")


def leaving_node_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods on nodes that are on their way out, and so will end with them."""
    yield _on(context, Reason.NODE_LEAVING, lambda n: n.drained, lambda n: n.leaving)


def virtual_node_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods on virtual nodes."""
    yield _on(context, Reason.NOT_SELECTED, lambda n: n.virtual, lambda _n: "virtual nodes are left alone")


def unselected_node_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods on nodes that the policy does not choose."""
    selector = context.policy.node_selector
    if selector is not None:
        yield _on(context, Reason.NOT_SELECTED, lambda n: not selector.matches(n.labels), lambda _n: "nodeSelector")


def _on(context: FilterContext, reason: Reason, test: Callable[[Node], bool], detail: Callable[[Node], str]) -> Filter:
    nodes, at = context.snapshot.nodes, context.columns.pod_node
    mask: Mask = np.array([*map(test, nodes), False], np.bool_)[at]  # -1, unbound, takes the last
    return Filter(reason, mask, lambda i: Blocked(reason, f"node/{context.pods[i].node}", detail(nodes[at[i]])))
