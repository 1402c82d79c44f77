"""Cordons on a real API server and scheduler: a node takes nobody while it is emptied, and is open again afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.execution.cordons import CORDONED
from descheduler.execution.outcomes import Result
from descheduler.learning.ledger import Ledger
from descheduler.planning import build_document, decide, survey
from descheduler.planning.settings import chosen, input_of, settings_of
from descheduler.policy import load_policy
from descheduler.second_validation import second_validation
from execution.live import Dying, Killed, Racing, client_of, deployment, run_deployment, runner, serial
from execution.plans import action, move_of, plan

POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
limits: {perWorkload: null}
protections: {minPodAge: 0s}
strategies:
  - HighNodeUtilization: {thresholds: {cpu: 30}, cordon: true}
"""


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    control_plane.client.create_node("n1")
    control_plane.client.wait_for_nodes("n1")
    return control_plane.client


def cordoned(client: ApiClient, node: str = "n1") -> tuple[bool, bool]:
    """Whether the node is cordoned, and whether it is said that it was us."""
    found = client.get("Node", node)
    return bool(found["spec"].get("unschedulable")), CORDONED in found["metadata"].get("annotations", {})


def intents(client: ApiClient) -> dict[str, str]:
    return (client.get_or_none("ConfigMap", "descheduler-intents") or {}).get("data") or {}


def emptying(client: ApiClient, name: str = "web") -> Any:
    """The one pod of a deployment leaves n1."""
    pods = run_deployment(client, name, 1)
    return replace(action(*[move_of(p, f"default/Deployment/{name}") for p in pods], name=name), cordon=("n1",))


def test_a_plan_empties_a_node_that_the_scheduler_would_have_filled_again(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    run_deployment(client, "web", 2)
    client.create_node("n2")
    client.wait_for_nodes("n2")
    filler = deployment("filler", 1, cpu="5")
    filler["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "n2"}
    client.apply(filler)
    client.wait_for_pods(1, label_selector="app=filler")
    acting, policy = runner(control_plane), load_policy(POLICY)
    snapshot = acting.observe()
    context = survey(input_of(policy, snapshot, {}, snapshot.taken_at), settings_of(policy, snapshot))
    document = build_document(decide(context, chosen(policy)))
    assert [(one.cordon, len(one.pods)) for one in document.actions] == [(("n1",), 2)]

    at_eviction: list[tuple[bool, bool]] = []
    transport = Racing(client_of(control_plane), 1, lambda: at_eviction.append(cordoned(client)))
    acting = runner(control_plane, transport)
    report = acting.execute(document, revalidate=second_validation(policy, Ledger, document.id))
    assert at_eviction == [(True, True)], report
    assert [(one.result, {pod.landed for pod in one.pods}) for one in report.actions] == [(Result.DONE, {"n2"})]
    assert cordoned(client) == (False, False)
    assert intents(client) == {}


def test_a_cordon_of_others_stays(control_plane: ControlPlane, client: ApiClient) -> None:
    unit = emptying(client)
    client.create_node("n2")
    client.wait_for_nodes("n2")
    client.patch("Node", "n1", {"spec": {"unschedulable": True}})
    assert runner(control_plane).execute(plan(unit)).actions[0].result is Result.DONE
    assert cordoned(client) == (True, False)


def test_whoever_resumes_opens_the_node_again(control_plane: ControlPlane, client: ApiClient) -> None:
    unit = emptying(client)
    dying = runner(control_plane, Dying(client_of(control_plane), 3, after=False), limits=serial())
    with pytest.raises(Killed):  # right before the eviction
        dying.execute(plan(unit))
    assert cordoned(client) == (True, True)
    runner(control_plane).resume()
    assert cordoned(client) == (False, False)
    assert intents(client) == {}
