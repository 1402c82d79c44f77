"""The controller as it runs in a cluster: real API server and scheduler, real lease, real rights, real HTTP."""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from controller.stages import POLICY
from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from descheduler.controller.loop import Seams
from descheduler.controller.run import RunOptions, run_controller
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason
from descheduler.model.workloads import WorkloadKey
from descheduler.observe import Observed
from descheduler.pipeline import Decision, Memory, decide_on
from descheduler.policy import Policy
from execution.live import deployment, run_deployment, uids, with_budget
from execution.plans import action, move_of, plan
from manifests.kustomize import render

NAMESPACE = "descheduler"


@dataclass
class Running:
    """One replica in a thread of its own, acting as the installed service account; `plan` None: it decides itself."""

    plane: ControlPlane
    policy: Path
    mode: str | None
    token: str
    plan: Callable[[], PlanDocument] | None
    archive: str | None = None
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
            archive=self.archive,
        )

        def observe(_: Policy) -> Observed:
            snapshot = read_cluster(reader, clock=time.time)
            return Observed(snapshot, {}, snapshot.taken_at)

        def decide(observed: Observed, policy: Policy, memory: Memory) -> Decision:
            self.planned.append(memory)
            return decide_on(observed, policy, {}, memory) if self.plan is None else Decision(self.plan())

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

    def begin(
        decided: Callable[[], PlanDocument] | None, overlay: str = "active", policy: str = "", archive: str = ""
    ) -> Running:
        if policy:
            (tmp_path / "policy.yaml").write_text(policy.replace("interval: 1m", "interval: 10s"))
        for found in sorted(render(overlay), key=lambda o: o["kind"] != "Namespace"):
            if found["kind"] != "Deployment":
                client.apply(found)
        token = control_plane.service_account_token(NAMESPACE, "descheduler")
        place = archive or str(tmp_path / "history")
        running.append(Running(control_plane, tmp_path / "policy.yaml", overlay, token, decided, place).start())
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


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_was_planned_and_done_is_shown_by_the_next_process(
    request: pytest.FixtureRequest, client: ApiClient, start: Start, database: str
) -> None:
    server = request.getfixturevalue("postgresql_server") if database == "postgresql" else None
    archive = server.schema("cluster_a") if server else ""
    (pod,) = run_deployment(client, "web", 1)
    client.create_node("n2", cpu=64)
    client.wait_for_nodes("n2")
    client.patch("Node", "n1", {"spec": {"unschedulable": True}})
    moved = move_of(pod, "default/Deployment/web")
    first = start(
        lambda: plan(action(moved)), policy=POLICY + "report: {url: 'https://moves.example/'}\n", archive=archive
    )
    client.wait_for(lambda: moved.uid not in uids(client, "web"), timeout=30, what="the move")
    client.wait_for(first.ready, timeout=60, what="the end of the cycle")
    assert first.stop() == 0
    (event,) = [
        e
        for e in client.list("Event", "default", api_version="events.k8s.io/v1")
        if e["reportingController"] == "descheduler"
    ]
    page = "https://moves.example/history/plans/plan-1"
    assert event["metadata"]["annotations"] == {"rebalance.descheduler.dev/page": page}

    second = start(lambda: plan(name="plan-2"), archive=archive)
    client.wait_for(second.ready, what="a plan of the next process")
    code, text = second.get("/api/v1/plans/plan-1")
    (kept,) = json.loads(text)["moves"]
    assert (code, kept["result"], kept["landed"]) == (200, "evicted", "n2")
    assert moved.pod in second.get("/history/plans/plan-1")[1]
    assert second.get("/reports/plan-1") == (200, "plan-1"), "the whole report, drawn anew"


def test_one_tenants_pods_that_never_become_ready_leave_the_others_their_moves(client: ApiClient, start: Start) -> None:
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mallory"}})
    for name in ("odd", "worse"):
        made = deployment(name, 3, {"kubelet.test/pod": "never-ready"})
        client.create(made | {"metadata": {"name": name, "namespace": "mallory"}})
    web = run_deployment(client, "web", 2)

    def running() -> list[Any]:
        found = client.list("Pod", "mallory")
        return [p for p in found if p["status"].get("phase") == "Running"]

    mallorys = client.wait_for(lambda: running() if len(running()) == 6 else [], what="the tenant's pods")
    client.create_node("n2", cpu=64)
    client.wait_for_nodes("n2")
    client.patch("Node", "n1", {"spec": {"unschedulable": True}})
    late = [action(move_of(p, f"mallory/Deployment/{p['metadata']['labels']['app']}")) for p in mallorys]
    first, second = (action(move_of(p, "default/Deployment/web")) for p in web)
    plans = iter((plan(*late, first), plan(second, name="plan-2")))
    last = plan(name="plan-3")
    policy = POLICY + (
        "mode: active\nlimits: {perWorkload: 9, perNamespace: 9}\ncooldown: {workload: 0s}\n"
        "acting: {pendingAfter: 10s, waveTimeout: 10s}\n"
    )
    replica = start(lambda: next(plans, last), policy=policy)
    client.wait_for(lambda: second.pods[0].uid not in uids(client, "web"), timeout=90, what="the others' next move")
    client.wait_for(lambda: 'scope="namespace",whom="mallory"' in replica.get("/metrics")[1], what="the metric")
    assert "descheduler_circuit_open 0.0" in replica.get("/metrics")[1]
    client.wait_for(lambda: replica.get("/readyz")[0] == 200, timeout=30, what="readiness")
    assert "namespace/mallory" in replica.get("/readyz")[1]
    events = client.list("Event", "mallory", api_version="events.k8s.io/v1")
    told = [e["note"] for e in events if e["reason"] == "CircuitOpen"]
    assert any("moves of namespace mallory pause until" in note for note in told)

    replica.stop()  # and the next process knows it
    again = start(plan, policy=policy)
    client.wait_for(lambda: again.planned, timeout=30, what="a plan")
    ledger = again.planned[0].ledger
    assert ledger is not None
    blocked = ledger.blocked(WorkloadKey("mallory", "Deployment", "untouched"), "uid", time.time())
    assert blocked
    assert blocked.reason is Reason.CIRCUIT_OPEN


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


@pytest.fixture
def nested_group(client: ApiClient) -> Iterator[None]:
    """A PodGroup with JSON that is nested 1,500 deep, which the test itself can only write with a larger stack."""
    apply_crds(client)
    nested: Any = 1
    for _ in range(1500):
        nested = {"a": nested}
    version = "scheduling.x-k8s.io/v1alpha1"
    group = {"apiVersion": version, "kind": "PodGroup", "metadata": {"name": "nested"}, "spec": {"minMember": 1}}
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    client.apply(group | {"status": {"more": nested}})
    sys.setrecursionlimit(before)
    yield
    sys.setrecursionlimit(20_000)
    client.delete("PodGroup", "nested", api_version=version)
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("nested_group")
def test_objects_that_end_a_cycle_elsewhere_are_named_and_the_cycle_goes_on(client: ApiClient, start: Start) -> None:
    marks = {"gang.scheduling.koordinator.sh/name": "many", "gang.scheduling.koordinator.sh/min-available": "9" * 5000}
    container = {"name": "main", "image": "test/main"}
    many = {"name": "many", "annotations": marks}
    client.apply({"apiVersion": "v1", "kind": "Pod", "metadata": many, "spec": {"containers": [container]}})
    hungry = container | {"resources": {"requests": {"memory": "1e18"}}}
    client.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hungry"}, "spec": {"containers": [hungry]}})
    client.create_node("huge", gpus=10**9)
    client.wait_for_nodes("huge")

    replica = start(None, "dry-run")
    client.wait_for(lambda: replica.port and "huge" in replica.get("/readyz")[1], what="the first cycle")
    status, text = replica.get("/readyz")
    assert status == 200, text
    for name in ("PodGroup default/nested: ", "Gang koordinator:default/many: ", "Pod default/hungry: ", "Node huge: "):
        assert name in text
    for kind in ("PodGroup", "Gang", "Pod", "Node"):
        assert f'descheduler_unreadable_objects{{kind="{kind}"}} 1.0' in replica.get("/metrics")[1]


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
