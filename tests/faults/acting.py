"""A controller that moves what stands on a closed node, seeing and acting through a proxy."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from controller.stages import POLICY, nothing_more
from controlplane.client import ApiClient, pod_ready
from controlplane.cluster import ControlPlane
from controlplane.identities import write_kubeconfig
from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.lease import Elector, Timing
from descheduler.apiwrite.writer import ClusterWriter, LeaseWriter
from descheduler.controller.events import Events
from descheduler.controller.loop import Controller, Seams
from descheduler.controller.metrics import Metrics
from descheduler.controller.pauses import unsynced
from descheduler.controller.reload import PolicyWatch
from descheduler.controller.reports import Reports
from descheduler.controller.status import Status
from descheduler.controller.switch import Switch
from descheduler.execution.intents import IntentStore
from descheduler.execution.runner import PlanRunner
from descheduler.kube.client.cache import ClusterCache
from descheduler.kube.client.connection import connect
from descheduler.learning.store import LedgerStore
from descheduler.model.plan import Action, PodMove
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Observed
from descheduler.observe.live import FreshSnapshots
from descheduler.pipeline import Decision
from execution.live import deployment, with_budget
from execution.plans import action, move, plan
from faults.proxy import ApiProxy

WEB, GANG = 2, 2
NODES = ("east", "west")
_POLICY = POLICY + "acting: {waveTimeout: 10s}\n"
_LONGEST_SLEEP = 0.2  # seconds: what waits longer is asked to look again sooner


class Jumping:
    """A wall clock that can be set; what measures durations goes on."""

    def __init__(self) -> None:
        self.offset = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(
            lambda: time.time() + self.offset, time.monotonic, lambda seconds: time.sleep(min(seconds, _LONGEST_SLEEP))
        )


class Acting:
    """The real controller, cache, election and executor; only the decision is ours: away from `source`."""

    def __init__(self, plane: ControlPlane, proxy: ApiProxy, folder: Path, text: str = _POLICY) -> None:
        config = folder / "through-proxy.kubeconfig"
        write_kubeconfig(config, server=proxy.url, ca_file=plane.ca_file, user="admin", token=plane.token())
        policy = folder / "policy.yaml"
        policy.write_text(text)
        self.time = Jumping()
        self.source = ""
        self._plans = 0
        clock, rng = self.time.clock, Random(1)
        self._client = connect(config)
        self.cache = ClusterCache(self._client, clock=clock.wall, rng=rng)
        self.elector = Elector(LeaseWriter(self._client, "default", "descheduler"), "me", clock, rng, Timing(retry=0.5))
        writer = ClusterWriter(self._client, self.elector)
        metrics, status = Metrics(), Status(clock.steady)
        watch = PolicyWatch(policy, clock.wall)
        snapshots = FreshSnapshots(self.cache, lambda: watch.policy, status.beat)
        self.controller = Controller(
            watch=watch,
            seams=Seams(
                lambda: unsynced(self.cache.freshness()), lambda _: self._observe(), self._decide, nothing_more
            ),
            runner=PlanRunner(writer, IntentStore(writer, "default"), snapshots.take, clock, rng),
            ledgers=LedgerStore(writer, "default"),
            elector=self.elector,
            reports=Reports(),
            metrics=metrics,
            status=status,
            events=Events(writer, metrics, clock, rng),
            clock=clock,
            switch=Switch("active", policy),
        )
        self._over = threading.Event()
        self._election = threading.Thread(target=self.elector.run, args=(self._over,), name="lease", daemon=True)
        self.elector.step()
        self._election.start()
        self.cache.start()

    def cycle(self) -> str:
        """One cycle; how it ended."""
        return self.controller.cycle()

    def close(self) -> None:
        self._over.set()
        self._election.join(10)
        self.cache.stop()
        self._client.close()

    def _observe(self) -> Observed:
        snapshot = self.cache.snapshot()
        return Observed(snapshot, {}, snapshot.taken_at)

    def _decide(self, observed: Observed, *_: object) -> Decision:
        self._plans += 1
        return Decision(plan(*_away(observed.snapshot, self.source), name=f"plan-{self._plans}-{time.time_ns()}"))


def _away(snapshot: ClusterSnapshot, source: str) -> Sequence[Action]:
    """Web pods one wave after the other, for their budget has room for one; the gang whole."""
    there = [p for p in snapshot.pods if p.node == source and p.ready and p.deleting is None]
    moves: dict[str, list[PodMove]] = {"web": [], "gang": []}
    for pod in there:
        app = pod.labels.get("app", "")
        if app in moves:
            moves[app].append(move(pod.name, pod.uid, pod.node or "", "", f"default/Deployment/{app}", pod.namespace))
    units = [action(one, wave=2 + i) for i, one in enumerate(moves["web"])]
    return [*([action(*moves["gang"], wave=1, gang=True)] if len(moves["gang"]) == GANG else []), *units]


def build(client: ApiClient) -> None:
    """`web` under a budget of one and a gang, all on the first of two nodes."""
    client.create_node(NODES[0])
    client.wait_for_nodes(NODES[0])
    client.apply(deployment("web", WEB, cpu="100m"))
    client.apply(deployment("gang", GANG, cpu="100m"))
    client.wait_for_pods(WEB + GANG)
    with_budget(client, "web", "web", WEB - 1, allowed=1)
    client.create_node(NODES[1])
    client.wait_for_nodes(NODES[1])


def standing(client: ApiClient) -> dict[str, str]:
    """Uid to node of every pod that stays."""
    pods = client.list("Pod", "default")
    return {p["metadata"]["uid"]: p["spec"].get("nodeName", "") for p in pods if pod_ready(p)}


def close_the_node_in_use(client: ApiClient) -> str:
    """Make the scheduler use the other node; the name of the one that is to be left."""
    client.wait_for_pods(WEB + GANG)
    (source,) = set(standing(client).values())
    for name in NODES:
        client.patch("Node", name, {"spec": {"unschedulable": name == source}})
    client.wait_for(
        lambda: client.get("PodDisruptionBudget", "web")["status"]["disruptionsAllowed"] == 1, what="room in the budget"
    )
    return source
