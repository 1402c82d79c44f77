"""Waiting for the pods for whom others let go: until each has a node, or is gone."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from descheduler.apiwrite.wire import Wire, decode
from descheduler.execution.executors.protocol import ActingTools
from descheduler.model.action_kind import ActionKind
from descheduler.model.errors import ClusterError, NotFound
from descheduler.model.plan import Action, SeatRow


class _Spec(Wire, frozen=True):
    node_name: str = ""


class _Pod(Wire, frozen=True):
    spec: _Spec = _Spec()


def unseated(tools: ActingTools, action: Action, seconds: float) -> Sequence[SeatRow]:
    """Those who still have no node after so many seconds, or once nothing new may be begun.

    Of a move nobody is awaited. Raises nothing: what the server does not say now it may say later.
    """
    waiting = list(action.room_for) if action.kind is ActionKind.RELEASE else []
    deadline = tools.clock.steady() + seconds
    while waiting := [seat for seat in waiting if not _taken(tools, seat)]:
        if tools.clock.steady() >= deadline or tools.closed() is not None:
            break
        tools.clock.sleep(min(1.0, tools.limits.observe_every))
    return waiting


def _taken(tools: ActingTools, seat: SeatRow) -> bool:
    path = f"/api/v1/namespaces/{quote(seat.namespace)}/pods/{quote(seat.pod)}"
    try:
        return bool(decode(tools.writer.transport.request("GET", path), _Pod).spec.node_name)
    except NotFound:
        return True  # nobody waits for it any more
    except ClusterError:
        return False
