"""Whose evicted pods keep a plan waiting longer than it waits: one namespace of several holds up nobody but itself."""

from __future__ import annotations

from collections.abc import Iterable

from descheduler.model.plan import Action
from descheduler.model.reasons import Blocked, Reason


class Laggards:
    """What one execution learns of namespaces: where replacements came up, and where pods are late. Pods are keys
    ("namespace/name")."""

    def __init__(self) -> None:
        self._well: set[str] = set()
        self._late: dict[str, str] = {}  # namespace -> why

    def came_up(self, pods: Iterable[str]) -> None:
        """Replacements of these are ready."""
        self._well.update(map(_namespace, pods))

    def confined(self, pods: Iterable[str]) -> bool:
        """Whether all that is late, these and those before, is of one namespace, and another one fares well."""
        late = {*map(_namespace, pods), *self._late}
        return len(late) == 1 and bool(self._well - late)

    def late(self, pods: Iterable[str], why: str) -> Blocked | None:
        """These are waited for no longer. Why the plan ends by it; None when only their namespace is left alone."""
        pods = tuple(pods)
        confined = self.confined(pods)
        self._late |= dict.fromkeys(map(_namespace, pods), why)
        return None if confined else Blocked(Reason.CIRCUIT_OPEN, "execution", why)

    def blocked(self, action: Action) -> Blocked | None:
        """Set for an action that moves pods of a namespace which is late."""
        found = next((move.namespace for move in action.pods if move.namespace in self._late), None)
        return None if found is None else Blocked(Reason.CIRCUIT_OPEN, f"namespace/{found}", self._late[found])


def _namespace(pod: str) -> str:
    return pod.partition("/")[0]
