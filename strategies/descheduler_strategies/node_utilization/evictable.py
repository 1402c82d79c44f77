"""Whose pods may leave, by their namespace."""

from __future__ import annotations

import numpy as np

from descheduler.contract import NamespaceChoice, RebalanceView
from descheduler.model.arrays import Mask
from descheduler_strategies.node_utilization.args import EvictableNamespaces
from descheduler_strategies.selection import in_namespaces


def may_leave(view: RebalanceView, namespaces: EvictableNamespaces | None) -> Mask:
    """[P] pods of namespaces that are not excluded."""
    if namespaces is None or not namespaces.exclude:
        return np.ones(len(view.snapshot.pods), np.bool_)
    return in_namespaces(view, NamespaceChoice(exclude=namespaces.exclude))
