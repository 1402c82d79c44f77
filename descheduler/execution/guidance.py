"""Bringing replacements where the plan wants them though the scheduler decides: by taints (`steering`), by cordons
(`cordons`) or by preferences (`directions`), whichever an action asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from descheduler.execution import cordons, directions, steering
from descheduler.execution.cordons import Cordons
from descheduler.execution.directions import Directing, directions_of
from descheduler.execution.executors.protocol import ActingTools, NotPrepared
from descheduler.execution.intents import Intent
from descheduler.execution.steering import Steering
from descheduler.model.errors import ClusterError
from descheduler.model.plan import Action


class Guidance:
    """What executors share that leave the choice of the node to the scheduler."""

    def __init__(self, tools: ActingTools) -> None:
        self._steering = Steering(tools.writer)
        self._cordons = Cordons(tools.writer)
        self._directing = Directing(tools.writer, tools.namespace, tools.clock)

    def asked_by(self, action: Action) -> bool:
        """Whether the action steers, cordons or directs at all."""
        return bool(action.steer or action.cordon or directions_of([action]))

    def give(self, action: Action) -> NotPrepared | None:
        """Taint and cordon its nodes, and give its directions; all must be named by an open intent."""
        for node in action.steer:
            try:
                self._steering.taint(node)
            except ClusterError as error:
                return steering.refusal(node, error)
        for node in action.cordon:
            try:
                self._cordons.cordon(node)
            except ClusterError as error:
                return cordons.refusal(node, error)
        wanted = directions_of([action])
        if not wanted:
            return None
        try:
            self._directing.give(wanted)
            unproved = self._directing.unproved(wanted)
        except ClusterError as error:
            return NotPrepared(directions.refusal(error), certain=error.refused)
        return None if unproved is None else NotPrepared(unproved)

    def take(self, closing: Sequence[Intent], still_open: Sequence[Intent]) -> None:
        """Take away what was given for the first, but nothing that the others need. Raises ClusterError's kinds."""
        for node in _over(closing, still_open, lambda action: action.steer):
            self._steering.untaint(node)
        for node in _over(closing, still_open, lambda action: action.cordon):
            self._cordons.uncordon(node)
        taken = directions_of(intent.action for intent in closing)
        if taken:
            self._directing.take(taken, directions_of(intent.action for intent in still_open))


def _over(
    closing: Sequence[Intent], still_open: Sequence[Intent], nodes: Callable[[Action], Sequence[str]]
) -> list[str]:
    """The nodes of those that close which none that is open needs."""
    needed = {node for intent in still_open for node in nodes(intent.action)}
    return sorted({node for intent in closing for node in nodes(intent.action)} - needed)
