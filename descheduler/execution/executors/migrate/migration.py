"""A VirtualMachineInstanceMigration of ours: one for each pod that moves, named by the pod's uid.

So whoever looks for what was begun for a pod finds it, and nothing is begun twice.

Phases (kubevirt api/core/v1/types.go): Pending, Scheduling, Scheduled while the target pod is sought a node, then
PreparingTarget, TargetReady, Running, at last Succeeded or Failed. Deleting an object that has not ended cancels it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote

import msgspec

from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.wire import Meta, Wire, decode
from descheduler.apiwrite.writer import COMPONENT, MANAGED_BY, ClusterWriter
from descheduler.execution.executors.our_objects import INTENT
from descheduler.model.errors import Conflict, NotFound
from descheduler.model.plan import PodMove
from descheduler.model.rights import Right
from descheduler.model.virtual_machines import ENDED, GROUP, HOSTNAME

PLURAL = "virtualmachineinstancemigrations"
MIGRATING: tuple[Right, ...] = (
    *(Right(GROUP, PLURAL, verb) for verb in ("get", "list", "create", "delete")),
    Right(GROUP, "kubevirts", "list"),
    Right("", "pods", "get"),
    Right("", "nodes", "get"),
)
_WAITING = frozenset({"", "Pending", "Scheduling", "Scheduled"})


class _Condition(Wire, frozen=True):
    message: str = ""


class _State(Wire, frozen=True):
    failure_reason: str = ""


class _Status(Wire, frozen=True):
    phase: str = ""
    migration_state: _State | None = None
    conditions: tuple[_Condition, ...] | None = None


class _Spec(Wire, frozen=True):
    added_node_selector: dict[str, str] | None = None


class Migration(Wire, frozen=True):
    """One, as far as it matters here."""

    metadata: Meta = Meta()
    spec: _Spec = _Spec()
    status: _Status = _Status()

    @property
    def ended(self) -> bool:
        return self.status.phase in ENDED

    @property
    def begun(self) -> bool:
        """Whether the machine is about to move, or did."""
        return self.status.phase not in _WAITING

    @property
    def failure(self) -> str:
        """Why it failed, as far as KubeVirt says so."""
        state = self.status.migration_state
        texts = [state.failure_reason if state else "", *(c.message for c in self.status.conditions or ())]
        return "; ".join(dict.fromkeys(text for text in texts if text)) or "no reason given"


class _List(Wire, frozen=True):
    items: tuple[Migration, ...] | None = None


def folder(namespace: str) -> str:
    """The path of the migrations of a namespace."""
    return f"/apis/{GROUP}/v1/namespaces/{namespace}/{PLURAL}"


def path_of(move: PodMove) -> str:
    """The path of the migration that is made for a pod."""
    return f"{folder(move.namespace)}/{quote(_name(move))}"


def read(transport: Transport, move: PodMove) -> Migration | None:
    """The migration that was made for a pod; None when there is none. Raises ClusterError's kinds."""
    try:
        return decode(transport.request("GET", path_of(move)), Migration)
    except NotFound:
        return None


def ours(transport: Transport) -> tuple[Migration, ...]:
    """All that we made, in any namespace. Raises ClusterError's kinds."""
    query = {"labelSelector": f"{MANAGED_BY}={COMPONENT}"}
    try:
        return decode(transport.request("GET", f"/apis/{GROUP}/v1/{PLURAL}", query=query), _List).items or ()
    except NotFound:
        return ()  # the cluster does not serve them any more


def remove(writer: ClusterWriter, found: Migration) -> None:
    """Delete exactly this one. Raises ClusterError's kinds and LeadershipLost."""
    with suppress(NotFound, Conflict):  # gone, or another object by now
        writer.delete(f"{folder(found.metadata.namespace)}/{quote(found.metadata.name)}", found.metadata.uid)


def body(move: PodMove, machine: str, hostname: str, intent: str) -> bytes:
    """The migration of a pod's machine to the node with that hostname label."""
    labels: Mapping[str, str] = {MANAGED_BY: COMPONENT, INTENT: intent}
    return msgspec.json.encode(
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "VirtualMachineInstanceMigration",
            "metadata": {"name": _name(move), "namespace": move.namespace, "labels": labels},
            "spec": {"vmiName": machine, "addedNodeSelector": {HOSTNAME: hostname}},
        }
    )


def _name(move: PodMove) -> str:
    return f"{COMPONENT}-{move.uid}"
