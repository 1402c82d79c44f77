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

from collections.abc import Iterable

from descheduler.apiwrite.wire import NodeTaint, encode_taint, read_taint
from descheduler.apiwrite.writer import ClusterWriter, read_node
from descheduler.execution.executors.eviction import PERMISSIONS
from descheduler.execution.intents import Intent, IntentStore
from descheduler.kube.client.answers import parse_status
from descheduler.model.errors import ClusterError, Conflict, Forbidden, NotFound
from descheduler.model.nodes import VACATING
from descheduler.model.reasons import Blocked, Reason

_OURS = NodeTaint(VACATING.key, VACATING.effect)
_ATTEMPTS = 5
_NO_RIGHT = " cannot patch resource "  # kubernetes apiserver pkg/endpoints/handlers/responsewriters/errors.go


class Steering:
    """Our taint on nodes. Every method raises ClusterError's kinds, and LeadershipLost with nothing written."""

    def __init__(self, writer: ClusterWriter, intents: IntentStore) -> None:
        self._writer = writer
        self._intents = intents

    def taint(self, node: str) -> None:
        """Put the taint on the node, which an open intent must name; a node that is gone needs none."""
        self._change(node, wanted=True)

    def close(self, intents: Iterable[Intent]) -> None:
        """Take away the taints that no other open intent names, then close these intents."""
        closing = {intent.key: intent for intent in intents}
        nodes = {node for intent in closing.values() for node in intent.action.steer}
        if nodes:
            still_open = (intent for intent in self._intents.load() if intent.key not in closing)
            nodes.difference_update(node for intent in still_open for node in intent.action.steer)
        for node in sorted(nodes):
            self._change(node, wanted=False)
        self._intents.close(closing.values())

    def _change(self, name: str, *, wanted: bool) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
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
            except Conflict:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return


def refusal(node: str, error: ClusterError) -> Blocked:
    """Why a unit is not moved whose node could not be tainted: where it lands was foreseen with the taint."""
    lacking = isinstance(error, Forbidden) and _NO_RIGHT in parse_status(error.body).message
    return Blocked(Reason.API_REFUSED, PERMISSIONS if lacking else "steering", f"taint of node {node}: {error}")


def is_certain(error: ClusterError) -> bool:
    """Whether the write was refused for certain; otherwise it may yet take effect."""
    return 400 <= error.status < 500
