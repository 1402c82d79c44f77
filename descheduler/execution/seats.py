"""Waiting for the pods for whom an action makes room: until each has a node, or is gone."""

from __future__ import annotations

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


class Seats:
    """Raises nothing: what the server does not say now it may say later."""

    def __init__(self, tools: ActingTools) -> None:
        self._tools = tools

    def wait(self, action: Action, seconds: float) -> bool:
        """Whether all of them have a node within so many seconds; of a move nothing is awaited."""
        if action.kind is not ActionKind.RELEASE:
            return True
        clock, waiting = self._tools.clock, list(action.room_for)
        deadline = clock.steady() + seconds
        while waiting := [seat for seat in waiting if not self._taken(seat)]:
            if clock.steady() >= deadline or self._tools.closed() is not None:
                return False
            clock.sleep(min(1.0, self._tools.limits.observe_every))
        return True

    def _taken(self, seat: SeatRow) -> bool:
        path = f"/api/v1/namespaces/{quote(seat.namespace)}/pods/{quote(seat.pod)}"
        try:
            return bool(decode(self._tools.writer.transport.request("GET", path), _Pod).spec.node_name)
        except NotFound:
            return True  # nobody waits for it any more
        except ClusterError:
            return False
