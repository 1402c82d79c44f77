"""What dialects may look at beyond the pod: objects of optional APIs, Jobs, and the chain of controllers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from descheduler.model.distinct import shared
from descheduler.model.objects import CustomObject
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import OwnerRef, Workload


class Lookup:
    """Look-ups in one snapshot. Answers "cannot be found" with the refusal that follows from it."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self.snapshot = snapshot
        self._chains: dict[tuple[str, int], tuple[OwnerRef, ...]] = {}

    def find(self, group: str, kind: str, namespace: str, name: str) -> CustomObject | Blocked:
        """An object, or GANG_UNKNOWN: it does not exist, or its kind could not be read."""
        unread = self.unread(group, kind)
        if unread is not None:
            return unread
        found = self.snapshot.custom(group, kind, namespace, name)
        if found is not None and not found.problem:
            return found
        why = "no such object" if found is None else found.problem
        return Blocked(Reason.GANG_UNKNOWN, f"{kind}.{group}/{namespace}/{name}", why)

    def unread(self, group: str, kind: str) -> Blocked | None:
        """Why nothing may be concluded from the objects of a kind."""
        fresh = self.snapshot.freshness.get(f"{group}/{kind}")
        if fresh is None or fresh.synced or not fresh.served:
            return None
        return Blocked(Reason.GANG_UNKNOWN, f"{kind}.{group}", fresh.error or "not synced")

    def chain(self, namespace: str, owners: tuple[OwnerRef, ...]) -> tuple[OwnerRef, ...]:
        """The controllers above a pod, nearest first, as far as they are known."""
        if not owners:
            return ()
        key = (namespace, id(shared(owners)))  # the snapshot keeps it alive
        found = self._chains.get(key)
        if found is None:
            found = self._chains[key] = self.snapshot.controllers(namespace, owners)
        return found

    def workload(self, namespace: str, owner: OwnerRef) -> Workload | None:
        """The built-in controller that a reference names; one of another API group is not it."""
        return self.snapshot.workload(namespace, owner)

    @cached_property
    def queued(self) -> Mapping[tuple[str, str], Sequence[CustomObject]]:
        """Kueue Workloads that have not finished, by their namespace and the uid of each of their owners."""
        out: dict[tuple[str, str], list[CustomObject]] = {}
        for found in self.snapshot.objects.get("kueue.x-k8s.io/Workload", ()):
            if not _finished(found):
                for owner in found.owners:
                    out.setdefault((found.namespace, owner.uid), []).append(found)
        return out


def group_of(owner: OwnerRef) -> str:
    """The API group that a reference names, empty for core."""
    return owner.group


def _finished(workload: CustomObject) -> bool:
    conditions = workload.status.get("conditions")
    if not isinstance(conditions, list):
        return False
    return any(isinstance(c, dict) and c.get("type") == "Finished" and c.get("status") == "True" for c in conditions)
