"""Pods that take seconds to end, on a real control plane: who needs the place of one waits for it, and lands there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.contract import StrategyArgs
from descheduler.execution.outcomes import Result
from descheduler.learning.ledger import Ledger
from descheduler.model.plan import PlanDocument
from descheduler.planning import ChosenStrategy
from descheduler.policy import default_policy
from descheduler.second_validation import second_validation
from execution.live import REAL, runner
from planning.cases import planned
from planning.test_turns import Routes

ENDS_AFTER = 3.0


def full_node_apps(client: ApiClient) -> None:
    """`first` fills n0 and may by now run on n1 alone; `second` fills n2 and may by now run on n0 alone."""
    for name in ("n0", "n1", "n2"):
        client.create_node(name, cpu="4")
    client.wait_for_nodes("n0", "n1", "n2")
    for app, now, later in (("first", "n0", "n1"), ("second", "n2", "n0")):
        client.patch("Node", now, {"metadata": {"labels": {app: "here"}}})
        client.apply(slow_to_end(app))
        client.wait_for_pods(1, label_selector=f"app={app}")
        client.patch("Node", now, {"metadata": {"labels": {app: None}}})
        client.patch("Node", later, {"metadata": {"labels": {app: "here"}}})


def slow_to_end(app: str) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": app}, "annotations": {"kubelet.test/stop-after": f"{ENDS_AFTER:.0f}s"}},
        "spec": {
            "terminationGracePeriodSeconds": 30,
            "nodeSelector": {app: "here"},
            "containers": [{"name": "main", "image": "none", "resources": {"requests": {"cpu": "4"}}}],
        },
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": app}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app}, "spec": spec}


def test_two_moves_of_which_one_needs_the_place_of_the_other(control_plane: ControlPlane) -> None:
    client = control_plane.client
    full_node_apps(client)
    acting = runner(control_plane)
    seen = acting.observe()
    names = {pod.labels["app"]: pod.name for pod in seen.pods}
    routes = Routes([[(names["first"], 0, 1)], [(names["second"], 2, 0)]], staged=False)
    document = planned(seen, chosen=[ChosenStrategy(routes, StrategyArgs())], now=REAL.wall())
    assert ways(document) == {"first": (0, "n1"), "second": (1, "n0")}

    report = acting.execute(document, revalidate=second_validation(default_policy(), Ledger, document.id))

    assert report.stopped is None
    assert [(one.result, [pod.landed for pod in one.pods]) for one in report.actions] == [
        (Result.DONE, ["n1"]),
        (Result.DONE, ["n0"]),
    ]
    first, second = (one.pods[0].at for one in report.actions)
    assert second - first >= ENDS_AFTER - 1.0
    for app, (_, node) in ways(document).items():
        (pod,) = client.wait_for_pods(1, label_selector=f"app={app}")
        assert pod["spec"]["nodeName"] == node
        assert unschedulable_for(pod) <= 1.0, "its place was free when it came"


def ways(document: PlanDocument) -> dict[str, tuple[int, str]]:
    """By application, its wave and where it goes."""
    return {pod.pod.partition("-")[0]: (a.wave, pod.destination) for a in document.actions for pod in a.pods}


def unschedulable_for(pod: dict[str, Any]) -> float:
    """Seconds from when it was made until it had a node, in the whole ones that the API server counts in."""
    placed = next(c for c in pod["status"]["conditions"] if c["type"] == "PodScheduled" and c["status"] == "True")
    when = (datetime.fromisoformat(at) for at in (placed["lastTransitionTime"], pod["metadata"]["creationTimestamp"]))
    return (next(when) - next(when)).total_seconds()
