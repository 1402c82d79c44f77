"""What is learned from moves on a real cluster: its controllers replace the pods, its scheduler places them."""

from __future__ import annotations

from typing import Any

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.execution.outcomes import ActionOutcome
from descheduler.gangs import resolve
from descheduler.learning.ledger import Ledger
from descheduler.learning.reconciliation import reconcile
from descheduler.learning.verification import goals_of
from descheduler.model.plan import Action, PlanDocument
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.policy.protections import Protections
from execution.live import REAL, deployment, runner
from execution.plans import action, move_of, plan
from learning.moves import HOUR, heat, later

REPLICAS = 3
LANDS_ELSEWHERE = Reason.LANDS_ELSEWHERE


def pinned(client: ApiClient, app: str) -> None:
    """A Deployment whose pods run where its label is, which is on n1 for now."""
    client.patch("Node", "n1", {"metadata": {"labels": {app: "here"}}})
    made = deployment(app, REPLICAS, cpu="100m")
    made["spec"]["template"]["spec"]["nodeSelector"] = {app: "here"}
    client.apply(made)
    client.wait_for_pods(REPLICAS, label_selector=f"app={app}")


def leaving(client: ApiClient, app: str) -> Action:
    """One of its pods leaves n1, for n2."""
    pods: list[dict[str, Any]] = client.list("Pod", "default", label_selector=f"app={app}")
    there = [pod for pod in pods if pod["spec"]["nodeName"] == "n1" and "deletionTimestamp" not in pod["metadata"]]
    return action(move_of(there[0], f"default/Deployment/{app}"), name=f"a-{app}")


def carried_out(client: ApiClient, plane: ControlPlane, ledger: Ledger, name: str) -> Ledger:
    """The ledger after a plan that says of both that they go to n2."""
    actions = [leaving(client, app) for app in ("homing", "moving")]
    document: PlanDocument = plan(*actions, findings=[heat()], name=name)
    report = runner(plane).execute(document)
    outcomes: tuple[ActionOutcome, ...] = report.actions
    return ledger.record(outcomes, document.id, goals_of(document))


def test_whose_pods_come_back_is_held_and_whose_do_not_is_not(control_plane: ControlPlane) -> None:
    """Meanwhile a pod comes and one goes for other reasons, and n1 stays as hot as it was: nobody is judged by that."""
    client = control_plane.client
    client.create_node("n1")
    client.create_node("n2")
    client.wait_for_nodes("n1", "n2")
    for app in ("homing", "moving", "churning"):
        pinned(client, app)
    client.patch("Node", "n1", {"metadata": {"labels": {"moving": None}}})
    client.patch("Node", "n2", {"metadata": {"labels": {"moving": "here"}}})

    ledger = carried_out(client, control_plane, Ledger(), "p1")
    client.delete("Pod", leaving(client, "churning").pods[0].pod)
    client.apply(deployment("newcomer", 1, cpu="100m"))
    ledger = carried_out(client, control_plane, ledger, "p2")

    seen: ClusterSnapshot = runner(control_plane).observe()
    now = REAL.wall() + HOUR
    ledger = reconcile(ledger, seen, REAL.wall()).judge(later(heat(value=0.95)), now)
    verdicts = {(e.workload.rpartition("/")[2], e.landed, e.resolved) for e in ledger.entries}
    assert verdicts == {("homing", "n1", False), ("moving", "n2", True)}
    assert LANDS_ELSEWHERE in refusals(seen, ledger, now, "homing")
    assert LANDS_ELSEWHERE not in refusals(seen, ledger, now, "moving") | refusals(seen, ledger, now, "churning")


def refusals(seen: ClusterSnapshot, ledger: Ledger, now: float, app: str) -> set[Reason]:
    """Why pods of the application would not be moved by the next plan."""
    filters = build_filters(seen, resolve(seen), FilterRules.of(Protections()), now=now, ledger=ledger)
    pods = [at for at, pod in enumerate(seen.pods) if pod.labels.get("app") == app]
    return {blocked.reason for at in pods if (blocked := filters.blocked(at)) is not None}
