"""The rights of the manifests, on a real API server, as the service account that they bind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest

from controlplane.client import ApiClient, ApiStatusError, condition
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.reserving import NAME as SCHEDULER
from controlplane.reserving import ReservingScheduler, reservations
from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.wire import ConfigMap, Lease, LeaseSpec, Meta
from descheduler.apiwrite.writer import ClusterWriter, Happening, LeaseWriter
from descheduler.execution.executors.requeue.switches import WORKLOAD, Switch, Target, switches_named
from descheduler.execution.executors.requeue.target import look, turn
from descheduler.execution.outcomes import Result
from descheduler.kube.client.connection import KubeClient, connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.errors import ClusterError, Forbidden
from descheduler.model.nodes import VACATING
from descheduler.model.rights import MissingRight, Right
from execution.jobs import run_job
from execution.live import Object, client_of, run_deployment, runner, uids
from execution.plans import action, move_of, plan
from manifests.kustomize import render

NAMESPACE = "descheduler"
(PYTORCH,) = switches_named("PyTorchJob")[1:]


def install(plane: ControlPlane, overlay: str) -> KubeClient:
    """Apply the overlay; a connection as its service account."""
    client = plane.client
    objects = sorted(render(overlay), key=lambda o: o["kind"] not in ("Namespace", "PriorityClass"))
    for found in objects:
        client.apply(found)
    token = plane.service_account_token(NAMESPACE, "descheduler")
    return connect(plane.kubeconfig(f"{NAMESPACE}-{overlay}", token=token))


class Only:
    """Requests below `path` go as the account that is tested, all others as somebody who may do everything."""

    def __init__(
        self,
        path: str | tuple[str, ...],
        account: KubeClient,
        admin: KubeClient,
        patched: Callable[[], object] = lambda: None,
    ) -> None:
        self._path = path
        self._account = account
        self._admin = admin
        self._patched = patched

    def request(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> bytes:
        who = self._account if path.startswith(self._path) else self._admin
        answer = who.request(method, path, body, **rest)
        if method == "PATCH":
            self._patched()
        return answer


OF_OTHERS = ({"labels": {"app": "db"}}, {"annotations": {"note": "x"}}, {"finalizers": ["a.example/b"]})


def changes_no(account: KubeClient, path: str, change: Object) -> bool:
    """Whether an admission policy of ours refuses the account that change."""
    try:
        account.request("PATCH", path, json.dumps(change).encode(), content_type="application/merge-patch+json")
    except ClusterError as error:
        return "the descheduler changes no" in str(error)
    return False


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    control_plane.client.create_node("n1")
    control_plane.client.wait_for_nodes("n1")
    return control_plane.client


@pytest.mark.parametrize("overlay", ["dry-run", "active"])
def test_what_is_installed_is_admitted_and_can_read_all_it_needs(
    control_plane: ControlPlane, client: ApiClient, overlay: str
) -> None:
    account = install(control_plane, overlay)
    client.wait_for_pods(1, NAMESPACE, label_selector="app.kubernetes.io/name=descheduler")  # pod security let it in
    snapshot = read_cluster(account, clock=time.time)
    assert [n.name for n in snapshot.nodes] == ["n1"]
    assert condition(client.get("Deployment", "descheduler", NAMESPACE), "Available") == "True"


def test_the_namespace_lets_no_other_pod_in_than_a_restricted_one(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    """Else the test above would say nothing of the Deployment's pods."""
    install(control_plane, "dry-run")
    template = client.get("Deployment", "descheduler", NAMESPACE)["spec"]["template"]
    meta = {"name": "one", "namespace": NAMESPACE}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    client.create(pod)
    client.delete("Pod", "one", NAMESPACE)
    own = {**pod["spec"]["containers"][0], "securityContext": {"allowPrivilegeEscalation": True}}
    with pytest.raises(ApiStatusError, match='violates PodSecurity "restricted'):
        client.create({**pod, "spec": {**pod["spec"], "containers": [own]}})


def test_a_dry_run_really_cannot_evict(control_plane: ControlPlane, client: ApiClient) -> None:
    (pod,) = run_deployment(client, "web", 1)
    writer = ClusterWriter(install(control_plane, "dry-run"), Unelected())
    meta = pod["metadata"]
    for dry_run in (True, False):
        with pytest.raises(Forbidden, match="create pods/eviction"):
            writer.evict("default", meta["name"], meta["uid"], dry_run=dry_run)
    with pytest.raises(Forbidden):
        writer.event(Happening("default", meta["name"], meta["uid"], "Evict", "HotNodes", "x"), now=1e9, suffix=1)
    assert client.get("Pod", meta["name"])["metadata"]["uid"] == meta["uid"]


def test_active_can_evict_and_tell(control_plane: ControlPlane, client: ApiClient) -> None:
    (pod,) = run_deployment(client, "web", 1)
    writer = ClusterWriter(install(control_plane, "active"), Unelected())
    meta = pod["metadata"]
    writer.evict("default", meta["name"], meta["uid"])
    writer.event(Happening("default", meta["name"], meta["uid"], "Evict", "HotNodes", "why"), now=1e9, suffix=1)
    (event,) = [
        e
        for e in client.list("Event", "default", api_version="events.k8s.io/v1")
        if e["reportingController"] == "descheduler"
    ]
    assert (event["reason"], event["action"], event["note"]) == ("HotNodes", "Evict", "why")
    assert event["regarding"]["uid"] == meta["uid"]
    token = control_plane.service_account_token(NAMESPACE, "descheduler")
    as_account = ApiClient(control_plane.server, control_plane.ca_file, token)
    with as_account, pytest.raises(ApiStatusError, match="cannot delete"):
        as_account.delete("Pod", meta["name"])


@pytest.mark.parametrize("overlay", ["dry-run", "active"])
def test_who_may_not_steer_changes_no_node(control_plane: ControlPlane, client: ApiClient, overlay: str) -> None:
    (pod,) = run_deployment(client, "web", 1)
    unit = replace(action(move_of(pod, "default/Deployment/web")), steer=("n1",))
    report = runner(
        control_plane, Only("/api/v1/nodes", install(control_plane, overlay), client_of(control_plane))
    ).execute(plan(unit))
    (stays,) = report.actions
    assert stays.result is Result.REFUSED
    assert isinstance(stays.blocked, MissingRight)
    assert stays.blocked.right == Right("", "nodes", "get")
    assert "get nodes" in stays.blocked.detail
    assert uids(client, "web") == {pod["metadata"]["uid"]}


def test_who_may_steer_taints_and_cleans_up(control_plane: ControlPlane, client: ApiClient) -> None:
    (pod,) = run_deployment(client, "web", 1)
    unit = replace(action(move_of(pod, "default/Deployment/web")), steer=("n1",))
    account = install(control_plane, "active-steering")
    tainted: list[object] = []
    transport = Only(
        "/api/v1/nodes", account, client_of(control_plane), lambda: tainted.append(client.get("Node", "n1")["spec"])
    )
    report = runner(control_plane, transport).execute(plan(unit))
    assert report.actions[0].result is Result.DONE
    assert tainted[0] == {"taints": [{"key": VACATING.key, "effect": VACATING.effect}]}
    assert not client.get("Node", "n1")["spec"].get("taints")


@pytest.mark.parametrize(("overlay", "result"), [("active", Result.REFUSED), ("active-reserve", Result.DONE)])
def test_reserving_needs_its_own_rights_and_no_others(
    control_plane: ControlPlane, client: ApiClient, overlay: str, result: Result
) -> None:
    apply_crds(client)
    account = install(control_plane, overlay)
    with ReservingScheduler(control_plane):
        (pod,) = run_deployment(client, "web", 1, SCHEDULER)
        client.create_node("n2")
        client.wait_for_nodes()
        unit = action(move_of(pod, "default/Deployment/web"), executor="reserve")
        transport = Only("/apis/scheduling.koordinator.sh", account, client_of(control_plane))
        (outcome,) = runner(control_plane, transport).execute(plan(unit)).actions
    assert outcome.result is result
    if result is Result.REFUSED:
        assert isinstance(outcome.blocked, MissingRight)
        assert outcome.blocked.right == Right("scheduling.koordinator.sh", "reservations", "create")
    else:
        assert outcome.pods[0].landed == "n2"
    assert reservations(client) == []


def test_who_surges_marks_pods_and_can_change_nothing_else_of_them(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    account = install(control_plane, "active-surge")
    pods = run_deployment(client, "web", 2)
    client.create_node("n2")
    client.wait_for_nodes()
    refused = partial(changes_no, account, f"/api/v1/namespaces/default/pods/{pods[1]['metadata']['name']}")
    (container,) = pods[1]["spec"]["containers"]
    tries = count()

    def spec_refused() -> bool:
        """Each try asks for another image: where one was let through, the same again would change nothing."""
        return refused({"spec": {"containers": [{**container, "image": f"another-{next(tries)}"}]}})

    client.wait_for(spec_refused, what="the admission policy to be in force")
    for meta in OF_OTHERS:
        assert refused({"metadata": meta})
    unit = replace(action(move_of(pods[0], "default/Deployment/web"), executor="surge"), steer=("n1",))
    transport = Only(("/api/v1/namespaces/default/pods", "/apis/apps"), account, client_of(control_plane))
    (outcome,) = runner(control_plane, transport).execute(plan(unit)).actions
    assert (outcome.result, outcome.pods[0].landed) == (Result.DONE, "n2")


def test_who_requeues_stops_jobs_and_can_change_nothing_else_of_them(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    account = install(control_plane, "active-requeue")
    pods = run_job(client, "train", 2)
    refused = partial(changes_no, account, "/apis/batch/v1/namespaces/default/jobs/train")
    turns = count(10)
    client.wait_for(
        lambda: refused({"spec": {"backoffLimit": next(turns)}}), what="the admission policy to be in force"
    )
    for meta in OF_OTHERS:
        assert refused({"metadata": meta})
    unit = replace(action(*(move_of(p, "default/Job/train") for p in pods), gang=True), executor="requeue")
    transport = Only("/apis/batch", account, client_of(control_plane))
    (outcome,) = runner(control_plane, transport).execute(plan(unit)).actions
    assert outcome.result is Result.DONE


@pytest.mark.parametrize(
    ("switch", "spec", "changes"),
    [
        (WORKLOAD, {"queueName": "team", "priority": 1}, [{"priority": 2}, {"queueName": None}, {"podSets": []}]),
        (
            PYTORCH,
            {"nprocPerNode": "1", "runPolicy": {"cleanPodPolicy": "None"}},
            [{"nprocPerNode": None}, {"runPolicy": {"cleanPodPolicy": "All"}}, {"runPolicy": {"cleanPodPolicy": None}}],
        ),
    ],
    ids=lambda value: value.kind.name if isinstance(value, Switch) else "",
)
def test_who_requeues_changes_of_other_jobs_too_but_whether_they_are_stopped(
    control_plane: ControlPlane, client: ApiClient, switch: Switch, spec: Object, changes: list[Object]
) -> None:
    apply_crds(client)
    account, version = install(control_plane, "active-requeue"), switch.kind.versions[0]
    found = {"apiVersion": f"{switch.kind.group}/{version}", "kind": switch.kind.name, "metadata": {"name": "train"}}
    made = client.create({**found, "spec": spec})
    target = Target(switch, version, "default", "train", made["metadata"]["uid"])
    turns = count()
    client.wait_for(
        lambda: changes_no(account, target.path, {"metadata": {"labels": {"turn": str(next(turns))}}}),
        what="the admission policy to be in force",
    )
    for change in (*({"metadata": meta} for meta in OF_OTHERS), *({"spec": change} for change in changes)):
        assert changes_no(account, target.path, change)
    for off in (True, False):
        seen = look(account, target)
        assert seen is not None
        assert turn(ClusterWriter(account, Unelected()), target, seen, "an-intent", off=off).off is off


@pytest.mark.parametrize("overlay", ["dry-run", "active"])
def test_its_own_state_is_its_own_and_nobody_elses(
    control_plane: ControlPlane, client: ApiClient, overlay: str
) -> None:
    account = install(control_plane, overlay)
    lease = LeaseWriter(account, NAMESPACE, "descheduler")
    written = lease.write(Lease(lease.meta, LeaseSpec(holder_identity="me")))
    lease.write(written)

    writer = ClusterWriter(account, Unelected())
    for name in ("descheduler-intents", "descheduler-ledger"):
        if overlay == "active":
            writer.save(writer.save(ConfigMap(Meta(name, NAMESPACE), {"a": "b"})))
        else:  # it moves nothing, and has nothing to remember
            with pytest.raises(Forbidden, match="create configmaps"):
                writer.save(ConfigMap(Meta(name, NAMESPACE), {"a": "b"}))

    client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": NAMESPACE}})
    theirs = client.get("ConfigMap", "theirs", NAMESPACE)["metadata"]["resourceVersion"]
    with pytest.raises(Forbidden, match="update configmaps"):
        writer.save(ConfigMap(Meta("theirs", NAMESPACE, resource_version=theirs), {"a": "b"}))
    with pytest.raises(Forbidden, match="create configmaps"):
        writer.save(ConfigMap(Meta("any", "default"), {"a": "b"}))
    with pytest.raises(Forbidden, match="get leases"):
        LeaseWriter(account, "kube-system", "kube-scheduler").read()
