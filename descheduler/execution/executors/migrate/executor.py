"""The executor `live-migrate`: KubeVirt moves a virtual machine to its destination while it runs.

| step                                  | a crash after it leaves                                                   |
|---------------------------------------|---------------------------------------------------------------------------|
| the intent                            | nothing but the intent                                                    |
| a VirtualMachineInstanceMigration     | a migration named by the pod: whoever resumes waits for its end           |
| KubeVirt starts a pod on the          | the same                                                                  |
| destination, copies, ends the old one |                                                                           |
| the migration deleted                 | an open intent; there is nothing to delete any more                       |

The destination is named by `addedNodeSelector`: the machine goes there or stays. One that failed, or found no node,
runs on where it was. KubeVirt's own PodDisruptionBudget of each machine forbids evictions so that machines migrate; a
migration is asked by nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from descheduler.apiwrite.wire import Meta, Wire, decode
from descheduler.contract.types import Duration
from descheduler.execution.executors.migrate import migration
from descheduler.execution.executors.migrate.lanes import Lanes
from descheduler.execution.executors.migrate.migration import MIGRATING, Migration
from descheduler.execution.executors.migrate.rules import BY, migration_filter
from descheduler.execution.executors.our_objects import INTENT
from descheduler.execution.executors.protocol import (
    ActingTools,
    DisruptionAnswer,
    DisruptionVerdict,
    ExecutorArgs,
    NotPrepared,
    PodFilter,
    UnitMover,
)
from descheduler.execution.intents import Intent
from descheduler.kube.client.answers import missing_right
from descheduler.model.errors import ClusterError, Conflict, NotFound
from descheduler.model.landing_mode import LandingMode
from descheduler.model.manners import Manner, Part
from descheduler.model.owners import OwnerRef
from descheduler.model.plan import Action, PodMove
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.rights import Right
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.virtual_machines import HOSTNAME, MACHINES, MIGRATIONS, machine_of

_LOOK = 1.0  # seconds between two looks at a migration, at most
_MOVED = DisruptionAnswer(DisruptionVerdict.DISRUPTED)


class LiveMigrateArgs(ExecutorArgs):
    """Moving virtual machines while they run."""

    patience: Duration = Field(default=timedelta(minutes=3), ge=timedelta(seconds=1), le=timedelta(minutes=30))
    """How long a migration may wait for its pod on the destination; then it is cancelled, and the machine stays."""
    timeout: Duration = Field(default=timedelta(minutes=30), ge=timedelta(seconds=1), le=timedelta(hours=6))
    """How long one that is begun is waited for. KubeVirt ends it when it takes too long (`completionTimeoutPerGiB`)."""


class LiveMigrate:
    """Moves virt-launcher pods of virtual machines that KubeVirt can migrate, to the node that the plan names."""

    name: ClassVar[str] = "live-migrate"
    landing: ClassVar[LandingMode] = LandingMode.RESERVED
    kinds: ClassVar[tuple[str, ...]] = (MACHINES, MIGRATIONS)
    rights: ClassVar[tuple[Right, ...]] = MIGRATING
    manner: ClassVar[Manner] = Manner(
        steps=(
            "ask KubeVirt to migrate the virtual machine to the destination",
            "wait until it runs there",
            "the old pod ends",
        ),
        kept="the virtual machine runs on, with all it has in memory",
        spares=frozenset(Part),
        full=True,
    )
    Args: ClassVar[type[ExecutorArgs]] = LiveMigrateArgs

    def filter(self, _: LiveMigrateArgs, snapshot: ClusterSnapshot) -> PodFilter:
        return migration_filter(snapshot)

    def mover(self, tools: ActingTools, args: LiveMigrateArgs) -> UnitMover:
        return _Migrating(tools, args)


class _Owner(Wire, frozen=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class _PodMeta(Wire, frozen=True):
    uid: str = ""
    deletion_timestamp: str | None = None
    owner_references: tuple[_Owner, ...] | None = None


class _PodStatus(Wire, frozen=True):
    phase: str = ""


class _Pod(Wire, frozen=True):
    metadata: _PodMeta = _PodMeta()
    status: _PodStatus = _PodStatus()


class _Node(Wire, frozen=True):
    metadata: Meta = Meta()


class _Migrating:
    def __init__(self, tools: ActingTools, args: LiveMigrateArgs) -> None:
        self._tools = tools
        self._patience, self._timeout = args.patience.total_seconds(), args.timeout.total_seconds()
        self._lanes = Lanes(tools.writer.transport)
        self._intents: dict[str, str] = {}  # uid of a pod -> the key of its intent

    def holds(self, _: Action) -> bool:
        return True

    def prepare(self, intent: Intent) -> NotPrepared | None:
        """Nothing is written: a migration that is asked for begins at once."""
        self._intents.update({move.uid: intent.key for move in intent.action.pods})
        return None

    def disrupt(self, move: PodMove, *, dry_run: bool = False) -> DisruptionAnswer:
        try:
            if dry_run:
                return self._try(move)
            with self._lanes.leaving(move.source):
                return self._migrate(move)
        except ClusterError as error:
            return _answer(error)

    def disrupted(self, move: PodMove) -> bool:
        """One that is under way is waited for: it ends by itself, one way or the other."""
        found = migration.read(self._tools.writer.transport, move)
        if found is not None and not found.ended:
            self._follow(move)
        return self._pod(move) is None

    def release(self, closing: Sequence[Intent], _: Sequence[Intent]) -> None:
        for move in (move for intent in closing for move in intent.action.pods):
            found = migration.read(self._tools.writer.transport, move)
            if found is not None:
                self._remove(found)

    def sweep(self, still_open: Collection[str]) -> None:
        for found in migration.ours(self._tools.writer.transport):
            if (found.metadata.labels or {}).get(INTENT) not in still_open:
                self._remove(found)

    def _remove(self, found: Migration) -> None:
        """What copies a machine's memory at this moment is not cancelled; it is swept away once it has ended."""
        if found.ended or not found.begun:
            migration.remove(self._tools.writer, found)

    def _try(self, move: PodMove) -> DisruptionAnswer:
        """Let admission look at the migration, and whether the server knows what names the destination."""
        asked = self._asked(move)
        if isinstance(asked, DisruptionAnswer):
            return asked
        there = migration.read(self._tools.writer.transport, move)
        if there is not None and not there.ended:
            return _refused(f"a migration of {move.namespace}/{move.pod} is under way")
        if there is not None:  # an earlier attempt's, whose name is taken
            return _MOVED
        answer = self._tools.writer.try_to_create(migration.folder(move.namespace), asked)
        if not decode(answer, Migration).spec.added_node_selector:
            return _refused("this KubeVirt cannot be told a destination (addedNodeSelector)")
        return _MOVED

    def _migrate(self, move: PodMove) -> DisruptionAnswer:
        closed = self._tools.closed()
        if closed is not None:  # it waited for its turn
            return DisruptionAnswer(DisruptionVerdict.REFUSED, closed)
        there = migration.read(self._tools.writer.transport, move)
        if there is not None and there.ended:
            migration.remove(self._tools.writer, there)
            there = None
        if there is None:
            asked = self._asked(move)
            if isinstance(asked, DisruptionAnswer):
                return asked
            made = decode(self._tools.writer.create(migration.folder(move.namespace), asked), Migration)
            if not made.spec.added_node_selector:
                migration.remove(self._tools.writer, made)
                return _refused("this KubeVirt cannot be told a destination (addedNodeSelector)")
        return self._follow(move)

    def _asked(self, move: PodMove) -> bytes | DisruptionAnswer:
        """The migration to ask for; or the answer, where there is nothing to ask for."""
        pod = self._pod(move)
        if pod is None:
            return DisruptionAnswer(DisruptionVerdict.GONE)
        owner = next((one for one in pod.metadata.owner_references or () if one.controller), None)
        machine = machine_of(OwnerRef(owner.api_version, owner.kind, owner.name, owner.uid)) if owner else ""
        if not machine:
            return _refused(f"{move.namespace}/{move.pod} runs no virtual machine of KubeVirt")
        try:
            node = decode(self._tools.writer.transport.request("GET", f"/api/v1/nodes/{move.destination}"), _Node)
        except NotFound:
            return _refused(f"node {move.destination} is gone")
        hostname = (node.metadata.labels or {}).get(HOSTNAME)
        if not hostname:
            return _refused(f"node {move.destination} has no label {HOSTNAME}, by which it could be named")
        return migration.body(move, machine, hostname, self._intents.get(move.uid, ""))

    def _follow(self, move: PodMove) -> DisruptionAnswer:
        """Until the migration has ended; what does not begin in time, or must not any more, is cancelled."""
        clock, transport = self._tools.clock, self._tools.writer.transport
        name, since = f"{move.namespace}/{move.pod}", clock.steady()
        while True:
            found = migration.read(transport, move)
            if found is None or found.ended:
                if self._pod(move) is None or (found is not None and found.status.phase == "Succeeded"):
                    return _MOVED
                why = f"failed: {found.failure}" if found is not None else "was cancelled"
                return _refused(f"the migration of {name} to {move.destination} {why}")
            passed, closed = clock.steady() - since, self._tools.closed()
            if not found.begun and (closed is not None or passed >= self._patience):
                migration.remove(self._tools.writer, found)
                late = f"{name} found no place on {move.destination} within {passed:.0f} s: {found.status.phase}"
                return DisruptionAnswer(DisruptionVerdict.REFUSED, closed or Blocked(Reason.EXECUTOR, BY, late))
            if passed >= self._timeout:
                late = f"the migration of {name} has not ended within {passed:.0f} s: {found.status.phase}"
                return DisruptionAnswer(DisruptionVerdict.UNKNOWN, Blocked(Reason.EXECUTOR, BY, late))
            clock.sleep(min(_LOOK, self._tools.limits.observe_every))

    def _pod(self, move: PodMove) -> _Pod | None:
        """Exactly this pod, unless it is gone, has ended, or is on its way out. Raises ClusterError's kinds."""
        path = f"/api/v1/namespaces/{move.namespace}/pods/{move.pod}"
        try:
            found = decode(self._tools.writer.transport.request("GET", path), _Pod)
        except NotFound:
            return None
        over = found.metadata.deletion_timestamp is not None or found.status.phase in ("Succeeded", "Failed")
        return None if over or found.metadata.uid != move.uid else found


def _refused(text: str) -> DisruptionAnswer:
    return DisruptionAnswer(DisruptionVerdict.REFUSED, Blocked(Reason.EXECUTOR, BY, text))


def _answer(error: ClusterError) -> DisruptionAnswer:
    """What an error of the server means: every step can be done again, and finds what the one before it left."""
    blocked = missing_right(error) or Blocked(Reason.API_REFUSED, BY, str(error))
    verdict = DisruptionVerdict.REFUSED if error.refused else DisruptionVerdict.UNKNOWN
    return DisruptionAnswer(verdict, blocked, retryable=isinstance(error, Conflict) or not error.refused)
