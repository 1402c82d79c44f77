"""Whole processes that die at a chosen write, and heirs that find only what the cluster holds.

A process is the real controller around a hand-made decision: it takes the lease, loads the ledger, resumes intents,
executes, tells events, keeps the ledger, renews and gives up the lease.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from controller.stages import POLICY, nothing_more
from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.lease import Elector
from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.writer import ClusterWriter, LeaseWriter
from descheduler.controller.events import Events
from descheduler.controller.loop import Controller, Seams
from descheduler.controller.metrics import Metrics
from descheduler.controller.reload import PolicyWatch
from descheduler.controller.reports import Reports
from descheduler.controller.status import Status
from descheduler.controller.switch import Switch
from descheduler.execution.intents import IntentStore
from descheduler.execution.runner import PlanRunner
from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.learning.ledger import LedgerRules
from descheduler.learning.store import LedgerStore
from descheduler.model.nodes import VACATING
from descheduler.model.plan import Action, PlanDocument
from descheduler.observe import Observed
from descheduler.pipeline import Decision
from descheduler.policy import Policy
from execution.live import Dying, Killed, client_of, uids
from execution.plans import action, plan
from execution.scenes.registry import SCENES
from execution.scenes.scene import Scene

_SERIAL = POLICY + "acting: {maxParallel: 1, waveTimeout: 30s}\n"  # so that the n-th write is the same in every run
_NEVER = 10**9
_DEAD = 60.0  # seconds after which a heir holds a lease for dead; it only waits them on its own clock


class Process:
    """One replica. `start`, then `cycle` with a plan, then `end`; Killed comes out of whichever sends the last write.

    Time for the lease stands still but when a heir lets it pass; waits are short.
    """

    def __init__(self, plane: ControlPlane, identity: str, transport: Transport | None = None) -> None:
        self.reader: KubeClient = client_of(plane)
        transport = transport or self.reader
        self._waited = 0.0
        self._plan = plan()
        quick = Clock(time.time, time.monotonic, lambda seconds: time.sleep(min(seconds, 0.05)))
        lease_time = Clock(time.time, lambda: self._waited, quick.sleep)
        self.elector = Elector(LeaseWriter(transport, "default", "descheduler"), identity, lease_time, Random(1))
        writer = ClusterWriter(transport, self.elector, identity)
        metrics = Metrics()
        self._folder = tempfile.TemporaryDirectory()
        policy = Path(self._folder.name) / "policy.yaml"
        policy.write_text(_SERIAL)
        self.controller = Controller(
            watch=PolicyWatch(policy, time.time),
            seams=Seams(lambda: None, lambda _: self._observed(), lambda *_: Decision(self._plan), nothing_more),
            runner=PlanRunner(
                writer,
                IntentStore(writer, "default"),
                lambda: read_cluster(self.reader, clock=time.time),
                quick,
                Random(1),
            ),
            ledgers=LedgerStore(writer, "default"),
            elector=self.elector,
            reports=Reports(),
            metrics=metrics,
            status=Status(time.monotonic),
            events=Events(writer, metrics, quick, Random()),
            clock=quick,
            switch=Switch("active", policy),
        )

    def start(self) -> None:
        """Lead, outliving the lease of whoever died if need be."""
        if not self.elector.step():
            self._waited += _DEAD
            self.elector.step()

    def cycle(self, decided: PlanDocument) -> str:
        """One cycle of the controller; how it ended."""
        self._plan = decided
        return self.controller.cycle()

    def end(self) -> None:
        """Renew once more, as the thread of the lease does meanwhile, and give up the lease."""
        self.elector.step()
        self.elector.release()

    def close(self) -> None:
        """Free what a dead process would have lost anyway."""
        self.reader.close()
        self._folder.cleanup()

    def _observed(self) -> Observed:
        snapshot = read_cluster(self.reader, clock=time.time)
        return Observed(snapshot, {}, snapshot.taken_at)


@dataclass(frozen=True)
class Point:
    """The process dies before write `write` (counted from 0) is sent, or after it took effect."""

    write: int
    after: bool


@dataclass(frozen=True)
class Stuck:
    """What stayed half done."""

    protocol: str
    point: Point
    what: str

    def __str__(self) -> str:
        when = "after" if self.point.after else "before"
        return f"{self.protocol}, {when} write {self.point.write}: {self.what}"


@dataclass(frozen=True)
class Protocol:
    """What one process does. `apps` are how many pods apps have; `actions` makes units of their pods.

    `interrupted`: after how many writes an earlier process has died in the middle of it, so that this one resumes.
    `fresh`: nothing of ours is in the cluster when it starts. `dropped`: nothing is to be evicted. `steer`: nodes that
    every unit steers away from. `executor`: what moves the units, in the world of its scene.
    """

    name: str
    apps: dict[str, int]
    actions: Callable[[dict[str, list[Action]]], Sequence[Action]]
    interrupted: int | None = None
    fresh: bool = False
    dropped: bool = False
    steer: tuple[str, ...] = ()
    executor: str = "evict"

    def run(self, plane: ControlPlane, point: Point | None) -> tuple[Sequence[Action], int]:
        """Do it, dying at the point if there is one; the units, and how many writes were sent."""
        with self.scene.world(plane):
            return self._run(plane, point)

    def die_at(self, plane: ControlPlane, point: Point) -> list[Stuck]:
        """Die there, let a heir start, and see what is stuck."""
        with self.scene.world(plane):
            units, _ = self._run(plane, point)
            return [Stuck(self.name, point, what) for what in _inherit(plane, units, self)]

    @property
    def scene(self) -> Scene:
        """The world of its executor."""
        return SCENES[self.executor]

    def _run(self, plane: ControlPlane, point: Point | None) -> tuple[Sequence[Action], int]:
        client = plane.client
        units = self._stage(client)
        document = plan(*units, name=f"plan-{time.time_ns()}")
        if self.interrupted is not None:
            _die(plane, document, Dying(client_of(plane), self.interrupted, after=False), "first")
            document = plan()
        dying = Dying(
            client_of(plane), _NEVER if point is None else point.write, after=point is not None and point.after
        )
        _die(plane, document, dying, "second")
        return units, dying.sent

    def _stage(self, client: ApiClient) -> Sequence[Action]:
        for name in dict.fromkeys((*self.scene.nodes, *self.steer)):
            _node(client, name)
        if self.fresh:
            for kind, name in (
                ("ConfigMap", "descheduler-intents"),
                ("ConfigMap", "descheduler-ledger"),
                ("Lease", "descheduler"),
            ):
                client.delete(kind, name)
        found: dict[str, list[Action]] = {}
        for app, replicas in self.apps.items():
            moves = self.scene.app(client, app, replicas)
            found[app] = [action(*moves, gang=True)] if app.startswith("gang") else [action(m) for m in moves]
        return [replace(unit, steer=self.steer, executor=self.executor) for unit in self.actions(found)]


def _node(client: ApiClient, name: str) -> None:
    if client.get_or_none("Node", name) is None:
        client.create_node(name, cpu=64)
        client.wait_for_nodes(name)


def _die(plane: ControlPlane, document: PlanDocument, dying: Dying, identity: str) -> None:
    process = Process(plane, identity, dying)
    with suppress(Killed):
        process.start()
        process.cycle(document)
        process.end()
    process.close()


def _inherit(plane: ControlPlane, units: Sequence[Action], protocol: Protocol) -> list[str]:
    """Start anew; what is not as it must be."""
    client = plane.client
    heir = Process(plane, "heir")
    heir.start()
    result = heir.cycle(plan())
    found = [] if heir.elector.leading else ["the heir does not lead"]
    if result != "planned":
        found.append(f"the heir's cycle ended as {result}: {heir.controller.status.paused}")
    intents = (client.get_or_none("ConfigMap", "descheduler-intents") or {}).get("data")
    if intents:
        found.append(f"{len(intents)} intents stay open")
    found += leaked(client)
    there = {uid for app in protocol.apps for uid in uids(client, app)}
    remembered = {e.uid for e in heir.controller.ledgers.load(LedgerRules.of(Policy())).entries}
    for unit in units:
        members = {m.uid for m in unit.pods}
        if there & members not in (set(), members):
            found.append(f"{unit.id} is half evicted")
        if remembered & members != members - there:
            found.append(f"the ledger has {len(remembered & members)} of the {len(members - there)} pods evicted")
    heir.end()
    if heir.elector.holder:
        found.append("the lease is not given up")
    heir.close()
    for app, replicas in protocol.apps.items():
        found += protocol.scene.wrong(client, app, replicas)
    return found


def leaked(client: ApiClient) -> list[str]:
    """What we prepared and did not take away again, whichever executor did."""
    taints = [f"{node} keeps our taint" for node in tainted(client)]
    return [*taints, *(what for scene in SCENES.values() for what in scene.left(client))]


def tainted(client: ApiClient) -> list[str]:
    """Nodes that carry our taint."""
    nodes = {n["metadata"]["name"]: n["spec"].get("taints") or () for n in client.list("Node")}
    return [name for name, taints in nodes.items() if any(t["key"] == VACATING.key for t in taints)]


def points_of(plane: ControlPlane, protocol: Protocol) -> list[Point]:
    """Before and after every write of it, as one undisturbed run shows how many there are."""
    units, writes = protocol.run(plane, None)
    members = {m.uid for unit in units for m in unit.pods}
    left = {uid for app in protocol.apps for uid in uids(plane.client, app)} & members
    if left != (members if protocol.dropped else set()):
        raise AssertionError(f"{protocol.name}: an undisturbed run left {len(left)} pods where they were")
    if leaks := leaked(plane.client):
        raise AssertionError(f"{protocol.name}: an undisturbed run left something: {', '.join(leaks)}")
    return [Point(write, after) for write in range(writes) for after in (False, True)]


def _waves(found: dict[str, list[Action]]) -> Sequence[Action]:
    first, second = found["web"][:2]
    (gang,) = found["gang"]
    return [_in_wave(first, 1), _in_wave(gang, 2), _in_wave(second, 3)]


def _in_wave(unit: Action, wave: int) -> Action:
    return action(*unit.pods, wave=wave, gang=unit.gang)


def _requeued(name: str, app: str, interrupted: int | None = None) -> Protocol:
    return Protocol(name, {app: 2}, lambda found: found[app], interrupted=interrupted, executor="requeue")


PROTOCOLS = (
    Protocol("the very first move", {"web": 2}, lambda found: found["web"][:1], fresh=True),
    Protocol("one pod", {"web": 2}, lambda found: found["web"][:1]),
    Protocol("several units in a wave", {"web": 3}, lambda found: found["web"][:3]),
    Protocol("a whole gang", {"gang": 3}, lambda found: found["gang"]),
    Protocol("several waves", {"web": 2, "gang": 2}, _waves),
    # The lease, the intent, and the first eviction of three.
    Protocol("resuming a gang", {"gang": 3}, lambda found: found["gang"], interrupted=3),
    # The lease, and the intent.
    Protocol(
        "dropping what was not begun", {"gang": 2, "web": 2}, lambda found: found["gang"], interrupted=2, dropped=True
    ),
    Protocol("steering one pod", {"web": 2}, lambda found: found["web"][:1], steer=("n1", "n2")),
    Protocol("steering several units from one node", {"web": 3}, lambda found: found["web"][:3], steer=("n1",)),
    Protocol("steering several waves", {"web": 2, "gang": 2}, _waves, steer=("n1", "n2")),
    # The lease, the intent, two taints, and the first eviction of three.
    Protocol("resuming a steered gang", {"gang": 3}, lambda found: found["gang"], interrupted=5, steer=("n1", "n2")),
    # The lease, the intent, and one of two taints.
    Protocol(
        "dropping a steered gang",
        {"gang": 2, "web": 2},
        lambda found: found["gang"],
        interrupted=3,
        dropped=True,
        steer=("n1", "n2"),
    ),
    Protocol("reserving for one pod", {"web": 2}, lambda found: found["web"][:1], executor="reserve"),
    Protocol("reserving for a whole gang", {"gang": 3}, lambda found: found["gang"], executor="reserve"),
    Protocol("reserving in several waves", {"web": 2, "gang": 2}, _waves, executor="reserve"),
    # The lease, the intent, three Reservations, and the first eviction of three.
    Protocol(
        "resuming a gang with Reservations", {"gang": 3}, lambda found: found["gang"], interrupted=6, executor="reserve"
    ),
    # The lease, the intent, and two of three Reservations.
    Protocol(
        "dropping a gang with Reservations",
        {"gang": 3},
        lambda found: found["gang"],
        interrupted=4,
        dropped=True,
        executor="reserve",
    ),
    Protocol("one replica more first", {"web": 2}, lambda found: found["web"][:1], steer=("n1",), executor="surge"),
    Protocol(
        "several units of one owner, each a replica more",
        {"web": 3},
        lambda found: found["web"][:2],
        steer=("n1",),
        executor="surge",
    ),
    Protocol(
        "a whole gang, all replicas more first",
        {"gang": 3},
        lambda found: found["gang"],
        steer=("n1",),
        executor="surge",
    ),
    # The lease, the intent, a taint, the entry, three replicas more, and one less: marked, counted, scaled.
    Protocol(
        "resuming a gang with replicas more",
        {"gang": 3},
        lambda found: found["gang"],
        interrupted=8,
        steer=("n1",),
        executor="surge",
    ),
    # The lease, the intent, a taint, the entry, three replicas more, and a mark.
    Protocol(
        "dropping a gang with replicas more",
        {"gang": 3},
        lambda found: found["gang"],
        interrupted=6,
        dropped=True,
        steer=("n1",),
        executor="surge",
    ),
    Protocol("a Job of one pod, stopped and started", {"lone": 1}, lambda found: found["lone"], executor="requeue"),
    Protocol("a Job of several pods", {"gang": 3}, lambda found: found["gang"], executor="requeue"),
    # The lease, the intent, and the stop.
    Protocol(
        "resuming a Job that is stopped", {"gang": 2}, lambda found: found["gang"], interrupted=3, executor="requeue"
    ),
    # The lease, and the intent.
    Protocol(
        "dropping a Job that is not stopped",
        {"gang": 2},
        lambda found: found["gang"],
        interrupted=2,
        dropped=True,
        executor="requeue",
    ),
    _requeued("a Job of kube-queue", "gang-queued"),
    # The lease, the intent, the stop, and the QueueUnit.
    _requeued("resuming a Job that waits in kube-queue", "gang-queued", interrupted=4),
    _requeued("a Job of Volcano", "gang-volcano"),
    # The lease, the intent, and the Command.
    _requeued("resuming a Job that Volcano restarts", "gang-volcano", interrupted=3),
    Protocol("migrating one machine", {"web": 2}, lambda found: found["web"][:1], executor="live-migrate"),
    Protocol("migrating several machines", {"web": 3}, lambda found: found["web"][:2], executor="live-migrate"),
    # The lease, the intent, and the first migration.
    Protocol(
        "resuming a migration", {"web": 2}, lambda found: found["web"][:1], interrupted=3, executor="live-migrate"
    ),
)
