"""Cordons: while a node is emptied it takes no new pods, where the strategy asks for that.

The node is cordoned as `kubectl cordon` does it, and an annotation says that it was us: a cordon of others is left as
it is, before and after. No node may keep ours when a move is over, whatever happens meanwhile; it is taken back as the
taint of `steering` is, by the intent that names the node.
"""

from __future__ import annotations

from descheduler.apiwrite.conflicts import until_written
from descheduler.apiwrite.writer import ClusterWriter, read_node
from descheduler.execution.executors.protocol import NotPrepared
from descheduler.kube.client.answers import missing_right
from descheduler.model.errors import ClusterError, NotFound
from descheduler.model.reasons import Blocked, Reason

CORDONED = "rebalance.descheduler.dev/cordoned"
"""On nodes that we cordoned."""


class Cordons:
    """Our cordon on nodes. Its methods raise ClusterError's kinds, and LeadershipLost with nothing written."""

    def __init__(self, writer: ClusterWriter) -> None:
        self._writer = writer

    def cordon(self, node: str) -> None:
        """Cordon the node, which an open intent must name, unless it is cordoned already."""
        until_written(lambda: self._change(node, wanted=True))

    def uncordon(self, node: str) -> None:
        """Undo that, where it was us; no open intent may need it any more."""
        until_written(lambda: self._change(node, wanted=False))

    def _change(self, name: str, *, wanted: bool) -> None:
        node = read_node(self._writer.transport, name)
        if node is None:
            return
        ours = CORDONED in (node.metadata.annotations or {})
        if node.spec.unschedulable if wanted else not ours:
            return
        try:
            self._writer.cordon(node.metadata, CORDONED, cordoned=wanted)
        except NotFound:
            return


def refusal(node: str, error: ClusterError) -> NotPrepared:
    """Why a unit is not moved whose node could not be cordoned: where it lands was foreseen with the cordon."""
    text = f"cordon of node {node}: {error}"
    blocked = missing_right(error, text) or Blocked(Reason.API_REFUSED, "cordon", text)
    return NotPrepared(blocked, certain=error.refused)
