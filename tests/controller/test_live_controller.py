"""The controller as it runs in a cluster: real API server and scheduler, real lease, real rights, real HTTP."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from controller.stages import POLICY
from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.controller.loop import Seams
from descheduler.controller.run import RunOptions, run_controller
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.plan import PlanDocument
from descheduler.observe import Observed
from descheduler.pipeline import Decision, Memory
from descheduler.policy import Policy
from execution.live import run_deployment, uids, with_budget
from execution.plans import action, move_of, plan
from manifests.kustomize import render

NAMESPACE = "descheduler"


@dataclass
class Running:
    """One replica in a thread of its own, acting as the installed service account."""

    plane: ControlPlane
    policy: Path
    mode: str | None
    token: str
    plan: Callable[[], PlanDocument]
    planned: list[Memory] = field(default_factory=list)
    port: int = 0
    code: int | None = None

    def start(self) -> Running:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replica")
        self._thread.start()
        return self

    def stop(self) -> int | None:
        self._stop.set()
        self._thread.join(30)
        return self.code

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def ready(self) -> bool:
        return self.port > 0 and self.get("/readyz")[0] == 200

    def _run(self) -> None:
        kubeconfig = self.plane.kubeconfig(f"replica-{id(self)}", token=self.token)
        reader = connect(kubeconfig)
        options = RunOptions(
            policy=self.policy,
            kubeconfig=kubeconfig,
            mode=self.mode,
            config_map="descheduler-policy",
            namespace=NAMESPACE,
            host="127.0.0.1",
            port=0,
        )

        def observe(_: Policy) -> Observed:
            snapshot = read_cluster(reader, clock=time.time)
            return Observed(snapshot, {}, snapshot.taken_at)

        def decide(_: Observed, __: Policy, memory: Memory) -> Decision:
            self.planned.append(memory)
            return Decision(self.plan())

        def seams(real: Seams) -> Seams:
            return replace(real, observe=observe, decide=decide)

        self.code = run_controller(options, stop=self._stop, started=self._listens, render=lambda d: d.id, seams=seams)
        reader.close()

    def _listens(self, port: int) -> None:
        self.port = port


Start = Callable[..., Running]


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    client = control_plane.client
    client.create_node("n1", cpu=64)
    client.wait_for_nodes("n1")
    return client


@pytest.fixture
def start(control_plane: ControlPlane, client: ApiClient, tmp_path: Path) -> Iterator[Start]:
    """Installs an overlay without its Deployment, whose place these replicas take."""
    running: list[Running] = []
    (tmp_path / "policy.yaml").write_text(POLICY.replace("interval: 1m", "interval: 10s"))

    def begin(decided: Callable[[], PlanDocument], overlay: str = "active", policy: str = "") -> Running:
        if policy:
            (tmp_path / "policy.yaml").write_text(policy.replace("interval: 1m", "interval: 10s"))
        for found in sorted(render(overlay), key=lambda o: o["kind"] != "Namespace"):
            if found["kind"] != "Deployment":
                client.apply(found)
        token = control_plane.service_account_token(NAMESPACE, "descheduler")
        running.append(Running(control_plane, tmp_path / "policy.yaml", overlay, token, decided).start())
        return running[-1]

    yield begin
    for replica in running:
        replica.stop()


def switch(client: ApiClient, policy: str, annotations: dict[str, str] | None = None) -> None:
    """Change the policy's ConfigMap, as an operator would; the mounted file lags behind, here for ever."""
    change = {"metadata": {"annotations": annotations or {}}, "data": {"policy.yaml": policy}}
    client.patch("ConfigMap", "descheduler-policy", change, NAMESPACE)


def holder(client: ApiClient) -> str:
    lease = client.get_or_none("Lease", "descheduler", NAMESPACE)
    return str((lease or {}).get("spec", {}).get("holderIdentity", ""))


def test_it_moves_what_the_plan_says_and_stops_cleanly(client: ApiClient, start: Start) -> None:
    pods = run_deployment(client, "web", 3)
    with_budget(client, "web", "web", 2, allowed=1)
    client.create_node("n2", cpu=64)
    client.wait_for_nodes("n2")
    client.patch("Node", "n1", {"spec": {"unschedulable": True}})
    moves = [move_of(p, "default/Deployment/web") for p in pods]
    decided = plan(*(action(m, wave=i) for i, m in enumerate(moves)))

    replica = start(lambda: decided)
    client.wait_for(
        lambda: uids(client, "web").isdisjoint(m.uid for m in moves) and len(uids(client, "web")) == 3,
        timeout=60,
        what="every pod to be moved, one wave after the other",
    )
    client.wait_for(lambda: '"evicted":true' in replica.get("/reports/plan-1/execution.json")[1], what="the outcome")
    assert {p["spec"]["nodeName"] for p in client.wait_for_pods(3, label_selector="app=web")} == {"n2"}
    client.wait_for(replica.ready, what="the end of the cycle, which comes a moment after the outcome")
    assert replica.get("/")[1] == "plan-1"
    assert 'descheduler_moves_total{result="evicted",strategy="HotNodes"} 3.0' in replica.get("/metrics")[1]
    events = [
        e
        for e in client.list("Event", "default", api_version="events.k8s.io/v1")
        if e["reportingController"] == "descheduler"
    ]
    assert {(e["reason"], e["regarding"]["uid"]) for e in events} == {("HotNodes", m.uid) for m in moves}
    assert holder(client) != ""

    assert replica.stop() == 0
    assert holder(client) == ""  # so that the next one need not wait
    assert client.get("ConfigMap", "descheduler-ledger", NAMESPACE)["binaryData"]
    assert not client.get("ConfigMap", "descheduler-intents", NAMESPACE).get("data")


def test_what_was_moved_is_remembered_by_the_next_process(client: ApiClient, start: Start) -> None:
    (pod,) = run_deployment(client, "web", 1)
    client.create_node("n2", cpu=64)
    client.wait_for_nodes("n2")
    client.patch("Node", "n1", {"spec": {"unschedulable": True}})
    moved = move_of(pod, "default/Deployment/web")
    first = start(lambda: plan(action(moved)))
    client.wait_for(lambda: moved.uid not in uids(client, "web"), timeout=30, what="the move")
    first.stop()

    second = start(plan)
    client.wait_for(lambda: second.planned, timeout=30, what="a plan")
    memory = second.planned[0]
    assert memory.moved_last_hour == 1
    assert memory.ledger is not None
    assert memory.ledger.any_entries


@pytest.mark.parametrize(
    ("mode", "annotations"), [("dry-run", {}), ("active", {"rebalance.descheduler.dev/paused": "true"})]
)
def test_switched_off_in_the_middle_of_a_wave_only_the_unit_that_is_begun_is_finished(
    client: ApiClient, start: Start, tmp_path: Path, mode: str, annotations: dict[str, str]
) -> None:
    pods = run_deployment(client, "web", 4)
    client.create_node("n2", cpu=64)
    client.wait_for_nodes("n2")
    client.patch("Node", "n1", {"spec": {"unschedulable": True}})
    moves = [move_of(p, "default/Deployment/web") for p in pods]
    pair, single, other = action(*moves[:2]), action(moves[2]), action(moves[3])
    slow = POLICY + "mode: active\nacting: {qps: 1, burst: 1, maxParallel: 1}\nlimits: {perWorkload: 4}\n"
    replica = start(lambda: plan(pair, single, other), policy=slow)
    client.wait_for(lambda: moves[0].uid not in uids(client, "web"), timeout=60, what="the first eviction")
    switch(client, slow.replace("mode: active", f"mode: {mode}"), annotations)
    client.wait_for(lambda: "dry-run" in replica.get("/readyz")[1], timeout=30, what="readiness to say so")
    client.wait_for(lambda: replica.get("/reports/plan-1/execution.json")[0] == 200, timeout=60, what="the outcome")
    assert {m.uid for m in moves} & uids(client, "web") == {moves[2].uid, moves[3].uid}
    outcome = replica.get("/reports/plan-1/execution.json")[1]
    assert outcome.count('"SwitchedOff"') >= 2
    assert "descheduler_active 0.0" in replica.get("/metrics")[1]
    assert not client.get("ConfigMap", "descheduler-intents", NAMESPACE).get("data")

    switch(client, slow, {"rebalance.descheduler.dev/paused": "false"})
    client.wait_for(lambda: not {moves[2].uid, moves[3].uid} & uids(client, "web"), timeout=90, what="acting again")


def test_a_dry_run_decides_and_touches_nothing(client: ApiClient, start: Start) -> None:
    (pod,) = run_deployment(client, "web", 1)
    decided = plan(action(move_of(pod, "default/Deployment/web")))
    replica = start(lambda: decided, "dry-run")
    client.wait_for(replica.ready, what="readiness")
    client.wait_for(lambda: replica.get("/reports/plan-1.json")[0] == 200, what="the report")
    assert replica.get("/reports/plan-1/execution.json")[0] == 404
    assert uids(client, "web") == {pod["metadata"]["uid"]}
    assert client.get_or_none("ConfigMap", "descheduler-ledger", NAMESPACE) is None


def test_of_two_replicas_one_acts_and_the_other_takes_over(client: ApiClient, start: Start) -> None:
    one = start(plan)
    client.wait_for(lambda: one.planned, timeout=30, what="the first plan")
    two = start(plan)
    client.wait_for(two.ready, timeout=30, what="the second to stand by")
    assert "standing by" in two.get("/readyz")[1]
    assert two.planned == []
    one.stop()
    client.wait_for(lambda: two.planned, timeout=30, what="the second to take over")


def test_missing_rights_are_named_and_nothing_is_planned(client: ApiClient, start: Start) -> None:
    replica = start(plan)
    role = client.get("ClusterRole", "descheduler-read")
    rules = [r for r in role["rules"] if r["apiGroups"] != ["policy"]]
    client.wait_for(replica.ready, timeout=30, what="readiness")
    replica.stop()
    client.patch("ClusterRole", "descheduler-read", {"rules": rules})

    again = Running(replica.plane, replica.policy, "active", replica.token, plan).start()
    try:
        client.wait_for(
            lambda: again.port and "poddisruptionbudgets.policy" in again.get("/readyz")[1],
            timeout=30,
            what="the missing right to be named",
        )
        assert again.get("/readyz")[0] == 503
        assert again.get("/healthz")[0] == 200
        assert again.planned == []
    finally:
        again.stop()
