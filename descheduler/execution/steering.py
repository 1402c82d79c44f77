"""Steering: while pods are moved from a node, it carries a taint of ours, so that their replacements go elsewhere.

The taint (`VACATING`) only makes the node less welcome (PreferNoSchedule): a replacement that fits nowhere else still
comes back, and nothing that runs there is touched. No node may keep it when a move is over, whatever happens meanwhile:

| step                                  | a crash after it leaves                                            |
|---------------------------------------|--------------------------------------------------------------------|
| the intent, which names the nodes     | nothing but the intent                                             |
| the taints                            | taints that an open intent names: whoever resumes takes them away  |
| evictions, replacements get a node    | the same                                                           |
| taints away                           | an open intent; there is nothing to take away any more             |
| the intent is closed                  | nothing                                                            |

A node that several open intents name keeps its taint until the last of them is closed. Taints of others are kept as
they are: a node's taints are replaced at exactly the version that was read, and read again after a conflict.
"""

from __future__ import annotations

from descheduler.apiwrite.conflicts import until_written
from descheduler.apiwrite.wire import NodeTaint, encode_taint, read_taint
from descheduler.apiwrite.writer import ClusterWriter, read_node
from descheduler.execution.executors.protocol import NotPrepared
from descheduler.kube.client.answers import missing_right
from descheduler.model.errors import ClusterError, NotFound
from descheduler.model.nodes import VACATING
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.rights import Right

STEERING = tuple(Right("", "nodes", verb) for verb in ("get", "patch"))
"""What steering needs beyond what `evict` does."""
_OURS = NodeTaint(VACATING.key, VACATING.effect)


class Steering:
    """Our taint on nodes. Its methods raise ClusterError's kinds, and LeadershipLost with nothing written."""

    def __init__(self, writer: ClusterWriter) -> None:
        self._writer = writer

    def taint(self, node: str) -> None:
        """Put the taint on the node, which an open intent must name; a node that is gone needs none."""
        until_written(lambda: self._change(node, wanted=True))

    def untaint(self, node: str) -> None:
        """Take the taint away, which no open intent may need any more."""
        until_written(lambda: self._change(node, wanted=False))

    def _change(self, name: str, *, wanted: bool) -> None:
        node = read_node(self._writer.transport, name)
        if node is None:
            return
        taints = node.spec.taints or ()
        others = tuple(taint for taint in taints if read_taint(taint) != _OURS)
        if (len(others) < len(taints)) is wanted:
            return
        try:
            self._writer.taint(node.metadata, (*others, encode_taint(_OURS)) if wanted else others)
        except NotFound:
            return


def refusal(node: str, error: ClusterError) -> NotPrepared:
    """Why a unit is not moved whose node could not be tainted: where it lands was foreseen with the taint."""
    text = f"taint of node {node}: {error}"
    blocked = missing_right(error, text) or Blocked(Reason.API_REFUSED, "steering", text)
    return NotPrepared(blocked, certain=error.refused)
