"""Surge on the real control plane: never fewer ready pods, the right ones leave, and nothing stays behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.rolling import API_VERSION, RolloutController, rollout
from controlplane.witness import witnessed
from descheduler.apiwrite.transport import Transport
from descheduler.execution.executors.registry import choose
from descheduler.execution.executors.surge.executor import SurgeArgs
from descheduler.execution.executors.surge.pods import COST, LEAST
from descheduler.execution.outcomes import ActionOutcome, Result
from descheduler.execution.runner import PlanRunner
from descheduler.model.plan import Action
from execution.kill_points import tainted
from execution.live import QUICK, budget, client_of, deployment, run_deployment, runner, uids
from execution.plans import action, move_of, plan
from execution.scenes.registry import SCENES

ARGS = SurgeArgs(timeout=timedelta(seconds=20))
Object = dict[str, Any]


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    """n1, where all starts; `second_node` is where pods are to go."""
    client = control_plane.client
    client.create_node("n1")
    client.wait_for_nodes("n1")
    return client


def second_node(client: ApiClient, name: str = "n2", **room: Any) -> None:
    client.create_node(name, **room)
    client.wait_for_nodes(name)


def surging(plane: ControlPlane, transport: Transport | None = None, args: SurgeArgs = ARGS) -> PlanRunner:
    arguments = {"surge": args}
    return runner(plane, transport, limits=QUICK, executors=lambda name: choose(name, arguments.get(name)))


def unit(*pods: Object, name: str = "web", kind: str = "Deployment", gang: bool = False) -> Action:
    """Steered away from n1, so that the empty node is preferred for certain."""
    moves = [move_of(p, f"default/{kind}/{name}") for p in pods]
    return replace(action(*moves, gang=gang, executor="surge"), steer=("n1",))


def one(plane: ControlPlane, unit: Action, transport: Transport | None = None, args: SurgeArgs = ARGS) -> ActionOutcome:
    (outcome,) = surging(plane, transport, args).execute(plan(unit)).actions
    return outcome


def left(client: ApiClient, name: str = "web") -> tuple[int, list[str]]:
    """How many replicas are wanted, and what of ours is left anywhere."""
    intents = (client.get_or_none("ConfigMap", "descheduler-intents") or {}).get("data") or {}
    ours = [*SCENES["surge"].left(client), *intents, *tainted(client)]
    return client.get("Deployment", name)["spec"]["replicas"], ours


def why(outcome: ActionOutcome) -> str:
    assert outcome.result is Result.REFUSED
    return str(outcome.blocked)


class Meddling:
    """A transport that calls `meddle` once, right after the first write whose path ends so."""

    def __init__(self, inner: Transport, ending: str, meddle: Callable[[], object]) -> None:
        self._inner, self._ending, self._meddle = inner, ending, meddle
        self._done = False

    def request(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> bytes:
        answer = self._inner.request(method, path, body, **rest)
        real = method != "GET" and "dryRun" not in (rest.get("query") or {})
        if real and path.endswith(self._ending) and not self._done:
            self._done = True
            self._meddle()
        return answer


class LateMark:
    """A transport that lets the controller take one less before it has heard which pod is marked: another one goes.

    `other` names the pod that it takes instead, which is one of those that were added.
    """

    def __init__(self, inner: Transport, client: ApiClient, marked: str, other: Callable[[], str]) -> None:
        self._inner, self._client, self._marked, self._other = inner, client, marked, other
        self._scaled = 0

    def request(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> bytes:
        real = method == "PATCH" and path.endswith("/scale") and "dryRun" not in (rest.get("query") or {})
        self._scaled += real
        if not real or self._scaled != 2:
            return self._inner.request(method, path, body, **rest)
        other = self._other()
        self._cost(self._marked, None)
        self._cost(other, str(LEAST))
        answer = self._inner.request(method, path, body, **rest)
        self._client.wait_for(lambda: self._client.get_or_none("Pod", other) is None, what="another pod to leave")
        self._cost(self._marked, str(LEAST))
        return answer

    def _cost(self, pod: str, cost: str | None) -> None:
        self._client.patch("Pod", pod, {"metadata": {"annotations": {COST: cost}}})


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_pod_moves_and_there_was_never_one_less(
    control_plane: ControlPlane, client: ApiClient, replicas: int
) -> None:
    pods = run_deployment(client, "web", replicas)
    second_node(client)
    with witnessed(control_plane) as witness:
        outcome = one(control_plane, unit(pods[0]))
        client.wait_for(lambda: pods[0]["metadata"]["uid"] in witness.gone, what="the watch")
    assert (outcome.result, outcome.blocked) == (Result.DONE, None)
    assert outcome.pods[0].landed == "n2"
    (new,) = [p for p in client.list("Pod", "default") if p["metadata"]["uid"] == outcome.pods[0].successor]
    made = datetime.fromisoformat(new["metadata"]["creationTimestamp"]).timestamp()
    assert outcome.pods[0].at <= made + 1.0  # so that whoever looks for the replacement later finds it
    assert witness.least == {"web": replicas}
    assert witness.gone == {pods[0]["metadata"]["uid"]}
    assert left(client) == (replicas, [])


def test_a_budget_that_lets_nothing_be_evicted_is_kept(control_plane: ControlPlane, client: ApiClient) -> None:
    """The Eviction API would refuse it: here no moment has fewer than the budget wants."""
    pods = run_deployment(client, "web", 2)
    client.apply(budget("web", "web", 2))
    second_node(client)
    with witnessed(control_plane) as witness:
        outcome = one(control_plane, unit(pods[0]))
        client.wait_for(lambda: witness.gone, what="the watch")
    assert outcome.result is Result.DONE
    assert witness.least == {"web": 2}


def test_several_pods_of_one_owner_go_in_one_wave_and_no_other(control_plane: ControlPlane, client: ApiClient) -> None:
    pods = run_deployment(client, "web", 6)
    second_node(client)
    going, staying = pods[:3], {p["metadata"]["uid"] for p in pods[3:]}
    with witnessed(control_plane) as witness:
        report = surging(control_plane).execute(plan(unit(going[0]), unit(going[1]), unit(going[2])))
        client.wait_for(lambda: len(witness.gone) == 3, what="the watch")
    assert [outcome.result for outcome in report.actions] == [Result.DONE] * 3
    assert [outcome.pods[0].landed for outcome in report.actions] == ["n2"] * 3
    assert witness.gone == {p["metadata"]["uid"] for p in going}
    assert staying < uids(client, "web")
    assert witness.least["web"] >= 6
    assert left(client) == (6, [])


def test_where_another_pod_left_in_its_place_one_more_comes_and_it_goes_all_the_same(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    pods = run_deployment(client, "web", 3)
    second_node(client)
    name, before = pods[0]["metadata"]["name"], {p["metadata"]["name"] for p in pods}
    late = LateMark(client_of(control_plane), client, name, lambda: added(client, before))
    with witnessed(control_plane) as witness:
        outcome = one(control_plane, unit(pods[0]), late)
        client.wait_for(lambda: pods[0]["metadata"]["uid"] in witness.gone, what="the watch")
    assert (outcome.result, outcome.blocked) == (Result.DONE, None)
    assert witness.least == {"web": 3}
    assert len(witness.gone) == 2
    assert {p["metadata"]["uid"] for p in pods[1:]} < uids(client, "web")
    assert left(client) == (3, [])


def test_where_another_that_was_to_leave_left_first_no_further_one_comes(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    pods = run_deployment(client, "web", 4)
    second_node(client)
    going = [p["metadata"]["name"] for p in pods[:2]]
    late = LateMark(client_of(control_plane), client, going[0], lambda: going[1])
    with witnessed(control_plane) as witness:
        outcome = one(control_plane, unit(*pods[:2], gang=True), late)
        client.wait_for(lambda: len(witness.gone) == 2, what="the watch")
    assert outcome.result is Result.DONE
    assert witness.least == {"web": 4}
    assert witness.gone == {p["metadata"]["uid"] for p in pods[:2]}
    assert left(client) == (4, [])


def added(client: ApiClient, before: set[str]) -> str:
    """The pod that surge added."""
    return next(p["metadata"]["name"] for p in client.list("Pod", "default") if p["metadata"]["name"] not in before)


def test_a_unit_of_several_pods_goes_whole(control_plane: ControlPlane, client: ApiClient) -> None:
    pods = run_deployment(client, "web", 4)
    second_node(client)
    with witnessed(control_plane) as witness:
        outcome = one(control_plane, unit(*pods[:2], gang=True))
        client.wait_for(lambda: len(witness.gone) == 2, what="the watch")
    assert outcome.result is Result.DONE
    assert witness.gone == {p["metadata"]["uid"] for p in pods[:2]}
    assert witness.least["web"] >= 4
    assert left(client) == (4, [])


def test_what_a_pod_costs_its_owner_already_does_not_save_it(control_plane: ControlPlane, client: ApiClient) -> None:
    """The others are cheaper, by what somebody wrote on them; and keep that."""
    pods = run_deployment(client, "web", 3)
    for pod, cost in zip(pods, ("100", "-5", "7"), strict=True):
        client.patch("Pod", pod["metadata"]["name"], {"metadata": {"annotations": {COST: cost}}})
    second_node(client)
    assert one(control_plane, unit(pods[0])).result is Result.DONE
    after = {p["metadata"]["uid"]: p["metadata"].get("annotations", {}) for p in client.list("Pod", "default")}
    assert [after[p["metadata"]["uid"]].get(COST) for p in pods[1:]] == ["-5", "7"]
    assert pods[0]["metadata"]["uid"] not in after


@pytest.mark.parametrize(
    ("case", "told"),
    [("no room", "no new pod is ready"), ("elsewhere", "came up on n1"), ("never ready", "0 of 1 are ready")],
)
def test_a_new_pod_that_is_no_use_is_taken_away_again(
    control_plane: ControlPlane, client: ApiClient, case: str, told: str
) -> None:
    pods = only_these_are_ready(client) if case == "never ready" else run_deployment(client, "web", 2)
    client.patch("Pod", pods[0]["metadata"]["name"], {"metadata": {"annotations": {COST: "42"}}})
    if case == "no room":
        client.patch("Node", "n1", {"spec": {"unschedulable": True}})
        second_node(client, cpu="500m")
    if case == "never ready":
        second_node(client)
    with witnessed(control_plane) as witness:
        outcome = one(control_plane, unit(pods[0]), args=SurgeArgs(timeout=timedelta(seconds=3)))
    assert told in why(outcome)
    assert {p["metadata"]["uid"] for p in pods} == uids(client, "web")
    assert min(witness.least.values(), default=2) >= 2
    cost = client.get("Pod", pods[0]["metadata"]["name"])["metadata"]["annotations"]
    assert cost == {COST: "42"}
    client.patch("Pod", pods[0]["metadata"]["name"], {"metadata": {"annotations": {COST: None}}})
    assert left(client) == (2, [])


def only_these_are_ready(client: ApiClient) -> list[Object]:
    """Pods that came to be ready; what their owner makes from now on only runs."""
    client.apply(deployment("web", 2, {"kubelet.test/pod": "never-ready"}))

    def running() -> list[Object]:
        found = client.list("Pod", "default", label_selector="app=web")
        return found if [p["status"]["phase"] for p in found] == ["Running"] * 2 else []

    for pod in client.wait_for(running, what="two running pods"):
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        client.patch_status("Pod", pod["metadata"]["name"], {"conditions": [ready]})
    return client.wait_for_pods(2, label_selector="app=web")


def test_who_sets_another_number_meanwhile_has_the_last_word(control_plane: ControlPlane, client: ApiClient) -> None:
    pods = run_deployment(client, "web", 2)
    second_node(client)

    def five() -> None:
        client.patch("Deployment", "web", {"spec": {"replicas": 5}})

    outcome = one(control_plane, unit(pods[0]), Meddling(client_of(control_plane), "/scale", five))
    assert "somebody else set its replicas to 5" in why(outcome)
    client.wait_for_pods(5, label_selector="app=web")
    assert pods[0]["metadata"]["uid"] in uids(client, "web")
    assert left(client) == (5, [])


def test_another_pod_that_is_not_ready_would_go_first(control_plane: ControlPlane, client: ApiClient) -> None:
    pods = run_deployment(client, "web", 3)
    second_node(client)
    unready(client, pods[1])
    assert f"{pods[1]['metadata']['name']} would go first" in why(one(control_plane, unit(pods[0])))
    assert one(control_plane, unit(pods[1])).result is Result.DONE  # and so may itself
    assert {pods[0]["metadata"]["uid"], pods[2]["metadata"]["uid"]} < uids(client, "web")
    assert left(client) == (3, [])


def unready(client: ApiClient, pod: Object) -> None:
    condition = {"type": "Ready", "status": "False", "reason": "Test"}
    client.patch_status("Pod", pod["metadata"]["name"], {"conditions": [condition]})


def test_a_pod_that_dies_meanwhile_leaves_no_replica_too_many(control_plane: ControlPlane, client: ApiClient) -> None:
    pods = run_deployment(client, "web", 2)
    second_node(client)
    name = pods[0]["metadata"]["name"]
    outcome = one(
        control_plane, unit(pods[0]), Meddling(client_of(control_plane), "/scale", lambda: client.delete("Pod", name))
    )
    assert outcome.result is not Result.PARTIAL
    client.wait_for_pods(2, label_selector="app=web")
    assert left(client) == (2, [])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"spec": {"paused": True}}, "it is paused"),
        ({"spec": {"template": {"metadata": {"labels": {"kubelet.test/pod": "never-ready"}}}}}, "rollout"),
    ],
    ids=["paused", "rolling out"],
)
def test_an_owner_that_is_busy_is_left_alone(
    control_plane: ControlPlane, client: ApiClient, change: Object, told: str
) -> None:
    pods = run_deployment(client, "web", 3)
    second_node(client)
    client.patch("Deployment", "web", change)
    time.sleep(0.5)
    outcome = one(control_plane, unit(pods[0]))
    assert told in why(outcome) or "pods and wants" in why(outcome)
    assert left(client) == (3, [])


@pytest.mark.parametrize(("manager", "moves"), [("argocd-controller", False), ("kubectl-client-side-apply", True)])
def test_whoever_keeps_the_replicas_as_a_repository_says_is_not_fought(
    control_plane: ControlPlane, client: ApiClient, manager: str, moves: bool
) -> None:
    body = deployment("web", 2)
    path = "/apis/apps/v1/namespaces/default/deployments"
    client.request("POST", path, body, query={"fieldManager": manager})
    pods = client.wait_for_pods(2, label_selector="app=web")
    second_node(client)
    outcome = one(control_plane, unit(pods[0]))
    assert (outcome.result is Result.DONE) is moves
    if not moves:
        assert "argocd-controller sets its replicas" in why(outcome)
    assert left(client) == (2, [])


def test_a_replica_set_of_its_own_moves_too(control_plane: ControlPlane, client: ApiClient) -> None:
    client.apply({**deployment("web", 2), "kind": "ReplicaSet"})
    pods = client.wait_for_pods(2, label_selector="app=web")
    second_node(client)
    assert one(control_plane, unit(pods[0], kind="ReplicaSet")).result is Result.DONE
    assert pods[0]["metadata"]["uid"] not in uids(client, "web")
    assert client.get("ReplicaSet", "web")["spec"]["replicas"] == 2
    assert SCENES["surge"].left(client) == []


def test_a_stateful_set_is_refused_before_anything_is_written(control_plane: ControlPlane, client: ApiClient) -> None:
    client.apply({**deployment("db", 2), "kind": "StatefulSet"})
    pods = client.wait_for_pods(2, label_selector="app=db")
    outcome = one(control_plane, unit(pods[0], name="db", kind="StatefulSet"))
    assert "cannot be scaled" in why(outcome)
    assert client.get("StatefulSet", "db")["spec"]["replicas"] == 2


def test_an_argo_rollout_is_scaled_by_its_own_subresource(control_plane: ControlPlane, client: ApiClient) -> None:
    apply_crds(client)
    with RolloutController(control_plane, "web"):
        client.apply(rollout("web", 2, deployment("web", 2)["spec"]["template"]))
        pods = client.wait_for_pods(2, label_selector="app=web")
        second_node(client)
        with witnessed(control_plane) as witness:
            outcome = one(control_plane, unit(pods[0], kind="Rollout"))
            client.wait_for(lambda: witness.gone, what="the watch")
        found = client.get("Rollout", "web", api_version=API_VERSION)
        client.delete("Rollout", "web", api_version=API_VERSION)
    assert (outcome.result, outcome.blocked) == (Result.DONE, None)
    assert (witness.gone, witness.least) == ({pods[0]["metadata"]["uid"]}, {"web": 2})
    assert found["spec"]["replicas"] == 2
    assert SCENES["surge"].left(client) == []
