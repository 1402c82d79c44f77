"""Directed landing on a real API server and scheduler: replacements run where the plan said, and no direction stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.contract import StrategyArgs
from descheduler.execution.directions import PROBE, unproved
from descheduler.execution.intents import IntentStore
from descheduler.execution.outcomes import Result
from descheduler.execution.runner import PlanRunner
from descheduler.model.directing import DIRECTIONS, installed
from descheduler.model.landing_mode import LandingMode
from descheduler.model.plan import Action
from descheduler.model.reasons import Reason
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from execution.live import Dying, Killed, client_of, deployment, pod_spec, run_deployment, runner, serial, uids
from execution.plans import action, move_of, plan
from manifests.kustomize import render
from planning.cases import gpus, planned
from planning.proposing import Proposing, Wishing

NAMESPACE = "descheduler"
KINDS = ("ConfigMap", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "Namespace")


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    """Three nodes; n1 is the emptiest, then n2, and n3 is the one that the scheduler likes least."""
    client = control_plane.client
    names = ("n1", "n2", "n3")
    for name in names:
        client.create_node(name)
    client.wait_for_nodes(*names)
    for name, cpu in (("n2", "3"), ("n3", "5")):
        filler = deployment(f"filler-{name}", 1, cpu=cpu)
        filler["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": name}
        client.apply(filler)
        client.wait_for_pods(1, label_selector=f"app=filler-{name}")
    return client


def install(client: ApiClient, *without: str) -> None:
    """What overlay `active-directed` adds, but for kinds that are left out."""
    found = [o for o in render("active-directed") if o["kind"] in KINDS and o["kind"] not in without]
    ours = ("descheduler", DIRECTIONS, "descheduler-directed-landing")
    for one in sorted(found, key=lambda o: o["kind"] != "Namespace"):
        if one["metadata"]["name"] in ours:
            client.apply(one)


def acting(plane: ControlPlane, transport: Any = None, **rest: Any) -> PlanRunner:
    found = runner(plane, transport, **rest)
    found.intents = IntentStore(found.writer, NAMESPACE)
    return found


def wrong(plane: ControlPlane) -> str:
    return unproved(ClusterWriter(client_of(plane), Unelected()), NAMESPACE)


def directions(client: ApiClient) -> dict[str, str]:
    data = (client.get_or_none("ConfigMap", DIRECTIONS, NAMESPACE) or {}).get("data") or {}
    return {uid: nodes for uid, nodes in data.items() if uid != PROBE}


def intents(client: ApiClient) -> dict[str, str]:
    return (client.get_or_none("ConfigMap", "descheduler-intents", NAMESPACE) or {}).get("data") or {}


def directed(pods: list[dict[str, Any]], *nodes: str, name: str = "web", gang: bool = False) -> Action:
    """The pods' replacements are directed to the nodes."""
    moves = [
        replace(
            move_of(pod, f"default/Deployment/{name}", nodes[0]),
            towards=nodes,
            direction=pod["metadata"]["ownerReferences"][0]["uid"],
        )
        for pod in pods
    ]
    return action(*moves, name=name, gang=gang)


def hardened(spec: dict[str, Any]) -> dict[str, Any]:
    """What a namespace lets in that enforces Pod Security level `restricted`."""
    no_more = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    (container,) = spec["containers"]
    as_user = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return {**spec, "securityContext": as_user, "containers": [{**container, "securityContext": no_more}]}


def proved(control_plane: ControlPlane, client: ApiClient) -> None:
    """The API server knows the policy, the binding and the ConfigMap by now."""
    client.wait_for(lambda: wrong(control_plane) == "", what="the policy to be in force")


def test_replacements_land_where_they_are_directed_and_nothing_stays_behind(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    install(client)
    proved(control_plane, client)
    pods = run_deployment(client, "web", 1)
    unit = directed(pods, "n3")
    assert pods[0]["spec"]["nodeName"] == "n1"
    report = acting(control_plane).execute(plan(unit))
    assert (report.stopped, report.actions[0].result) == (None, Result.DONE)
    assert report.actions[0].pods[0].landed == "n3"
    assert (directions(client), intents(client)) == ({}, {})
    others = run_deployment(client, "later", 1)
    assert "affinity" not in others[0]["spec"]


def test_a_whole_unit_shares_its_nodes(control_plane: ControlPlane, client: ApiClient) -> None:
    install(client)
    proved(control_plane, client)
    pods = run_deployment(client, "web", 2)
    report = acting(control_plane).execute(plan(directed(pods, "n2", "n3", gang=True)))
    assert {pod.landed for pod in report.actions[0].pods} <= {"n2", "n3"}
    assert (directions(client), intents(client)) == ({}, {})


OWN = {"weight": 7, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
NOT_N9 = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn"}]}]}
NOT_N9["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] = ["n9"]  # type: ignore[assignment]
REQUIRED, PREFERRED = (f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred"))


@pytest.mark.parametrize(
    "affinity",
    [
        {"podAntiAffinity": {PREFERRED: []}},
        {"nodeAffinity": {REQUIRED: NOT_N9}},
        {"nodeAffinity": {REQUIRED: NOT_N9, PREFERRED: [OWN]}},
    ],
    ids=["of pods", "required", "preferred"],
)
def test_what_a_pod_wants_of_nodes_itself_is_kept(
    control_plane: ControlPlane, client: ApiClient, affinity: dict[str, Any]
) -> None:
    install(client)
    proved(control_plane, client)
    web = deployment("web", 1)
    web["spec"]["template"]["spec"]["affinity"] = affinity
    client.apply(web)
    pods = client.wait_for_pods(1, label_selector="app=web")
    before = pods[0]["spec"]["affinity"]
    report = acting(control_plane).execute(plan(directed(pods, "n3")))
    assert report.actions[0].pods[0].landed == "n3"
    (pod,) = client.wait_for_pods(1, label_selector="app=web")
    after = pod["spec"]["affinity"]
    terms = after["nodeAffinity"].pop(PREFERRED)
    wanted = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n3"]}]}
    own = before.get("nodeAffinity", {}).pop(PREFERRED, [])
    assert terms == [*own, {"weight": 100, "preference": wanted}]
    assert {k: v for k, v in after.items() if v} == {k: v for k, v in before.items() if v}


@pytest.mark.parametrize("lacking", ["MutatingAdmissionPolicyBinding", "MutatingAdmissionPolicy"])
def test_a_unit_whose_direction_is_not_followed_stays(
    control_plane: ControlPlane, client: ApiClient, lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(client, lacking)
    monkeypatch.setattr("descheduler.execution.directions._SEEN_WITHIN", 1.0)
    pods = run_deployment(client, "web", 1)
    report = acting(control_plane).execute(plan(directed(pods, "n3")))
    (outcome,) = report.actions
    assert (outcome.result, report.evicted, report.stopped) == (Result.REFUSED, 0, None)
    assert outcome.blocked
    assert (outcome.blocked.reason, outcome.blocked.by) == (Reason.EXECUTOR, "directed landing")
    assert (directions(client), intents(client)) == ({}, {})
    assert uids(client, "web") == {pods[0]["metadata"]["uid"]}
    assert "without its preference" in wrong(control_plane)


@pytest.mark.parametrize("writes", range(1, 5))
@pytest.mark.parametrize("after", [False, True])
def test_whoever_resumes_takes_directions_away(
    control_plane: ControlPlane, client: ApiClient, writes: int, after: bool
) -> None:
    """The writes are: the intent, the directions, the eviction, the directions away, the intent away."""
    install(client)
    proved(control_plane, client)
    pods = run_deployment(client, "web", 1)
    dying = Dying(client_of(control_plane), writes, after=after)
    with pytest.raises(Killed):
        acting(control_plane, dying, limits=serial()).execute(plan(directed(pods, "n3")))
    acting(control_plane).resume()
    assert (directions(client), intents(client)) == ({}, {})
    client.wait_for_pods(1, label_selector="app=web")


def test_another_open_intent_keeps_its_direction(control_plane: ControlPlane, client: ApiClient) -> None:
    install(client)
    proved(control_plane, client)
    pods = run_deployment(client, "web", 2)
    for pod, node in zip(pods, ("n2", "n3"), strict=True):  # each by a process of its own, right after the eviction
        dying = Dying(client_of(control_plane), 3, after=False)
        unit = replace(directed([pod], node), id=node)
        with pytest.raises(Killed):
            acting(control_plane, dying, limits=serial()).execute(plan(unit, name=node))
    (owner,) = directions(client)
    assert directions(client) == {owner: "n2,n3"}
    heir = acting(control_plane)
    first, second = heir.intents.load()
    heir.context().close([first])
    assert directions(client) == {owner: "n3"}
    heir.context().close([second])
    assert directions(client) == {}


def test_a_plan_that_directs_is_carried_out_as_it_foresaw(control_plane: ControlPlane, client: ApiClient) -> None:
    install(client)
    proved(control_plane, client)
    (pod,) = run_deployment(client, "web", 1)
    runs = acting(control_plane)
    snapshot = runs.observe()
    assert installed(snapshot)
    chosen = [ChosenStrategy(Proposing(((pod["metadata"]["name"], ()),)), StrategyArgs())]
    assert planned(snapshot, [], chosen, PlanningSettings(), snapshot.taken_at).actions == ()
    settings = PlanningSettings(landing=LandingMode.DIRECTED)
    document = planned(snapshot, [], chosen, settings, snapshot.taken_at)
    (move,) = document.actions[0].pods
    assert (move.source, move.destination, move.towards) == ("n1", "n2", ("n2",))
    report = runs.execute(document)
    assert (report.actions[0].pods[0].landed, report.stopped) == ("n2", None)


def test_members_of_a_statefulset_go_at_once_to_nodes_of_their_own(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    """A pod of that name in the program's own namespace is in nobody's way."""
    install(client)
    proved(control_plane, client)
    stateful = deployment("db", 2)
    stateful |= {"kind": "StatefulSet", "spec": {**stateful["spec"], "podManagementPolicy": "Parallel"}}
    client.apply(stateful)
    stranger = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db-0", "namespace": NAMESPACE}}
    client.apply({**stranger, "spec": hardened(pod_spec(cpu="1m"))})
    client.wait_for_pods(2, label_selector="app=db")
    runs = acting(control_plane)
    snapshot = runs.observe()
    at = snapshot.node_index
    assert {snapshot.pods[snapshot.pod_index["default", f"db-{i}"]].node for i in (0, 1)} == {"n1", "n2"}
    (first,) = [i for i in (0, 1) if snapshot.pods[snapshot.pod_index["default", f"db-{i}"]].node == "n1"]
    wishes = ((f"db-{first}", (at["n3"],)), (f"db-{1 - first}", (at["n1"],)))
    settings = PlanningSettings(limits=DisruptionLimits(), landing=LandingMode.DIRECTED)
    chosen = [ChosenStrategy(Wishing(wishes), StrategyArgs())]
    document = planned(snapshot, [], chosen, settings, snapshot.taken_at)
    assert [one.wave for one in document.actions] == [0, 0]
    report = runs.execute(document)
    assert {pod.move.pod: pod.landed for done in report.actions for pod in done.pods} == {
        f"db-{first}": "n3",
        f"db-{1 - first}": "n1",
    }
    assert (directions(client), intents(client)) == ({}, {})


def test_a_whole_slot_of_gpus_is_opened_by_naming_the_node(control_plane: ControlPlane, client: ApiClient) -> None:
    """Left to itself the default scheduler puts `web` back on g1, which it has just made the emptiest."""
    install(client)
    proved(control_plane, client)
    for name in ("g1", "g2"):
        client.create_node(name, gpus=4)
    client.wait_for_nodes("g1", "g2")
    for name, count, pinned in (("db", 2, {"kubernetes.io/hostname": "g2"}), ("web", 1, {})):
        made = deployment(name, 1, cpu="1")
        (container,) = made["spec"]["template"]["spec"]["containers"]
        container["resources"]["limits"] = {"nvidia.com/gpu": str(count)}
        made["spec"]["template"]["spec"]["nodeSelector"] = pinned
        client.apply(made)
        client.wait_for_pods(1, label_selector=f"app={name}")
    runs = acting(control_plane)
    snapshot = runs.observe()
    chosen = [gpus(slot={"gpus": 4}, slotWorth="1w")]
    assert not planned(snapshot, [], chosen, PlanningSettings(), snapshot.taken_at).actions
    settings = PlanningSettings(landing=LandingMode.DIRECTED)
    document = planned(snapshot, [], chosen, settings, snapshot.taken_at)
    (move,) = document.actions[0].pods
    assert (move.source, move.towards) == ("g1", ("g2",))
    report = runs.execute(document)
    assert (report.actions[0].pods[0].landed, report.stopped) == ("g2", None)
