"""Two jobs that hold half of the cluster each: one lets go, by the controller as a process, and the other runs.

On the real control plane, whose scheduler knows nothing of such gangs, under the rights of an overlay.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from e2e.world import World
from execution.jobs import job
from gang_builders import GROUP_LABEL

POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
interval: 10s
strategies: [{PartialGangs: {timeout: 1s}}]
acting: {executor: %s, waveTimeout: 30s}
"""
MEMBERS = 4
TAINT = {"key": "later", "value": "", "effect": "NoSchedule"}


def training(name: str, priority: str = "", **more: Any) -> dict[str, Any]:
    """A Job that needs all of its members, one core each."""
    made = job(name, MEMBERS)
    template = made["spec"]["template"]
    template["metadata"]["labels"][GROUP_LABEL] = name
    template["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "1"}
    template["spec"].update({"priorityClassName": priority} if priority else {}, **more)
    return made


def group(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    spec = {"minMember": MEMBERS}
    return {"apiVersion": "scheduling.x-k8s.io/v1alpha1", "kind": "PodGroup", "metadata": meta, "spec": spec}


def running(client: ApiClient, name: str) -> int:
    pods = client.list("Pod", "default", label_selector=f"app={name}")
    return sum("deletionTimestamp" not in p["metadata"] and p["status"].get("phase") == "Running" for p in pods)


def half_each(client: ApiClient, priority: str = "") -> None:
    """`a` holds n1, `b`, of that priority class, holds n2, and each lacks half of its members."""
    apply_crds(client)
    for name in ("a", "b"):
        client.apply(group(name))
    client.create_node("n1", cpu=2)
    client.wait_for_nodes("n1")
    client.apply(training("a"))
    client.wait_for(lambda: running(client, "a") == 2, what="a to hold n1")
    client.create_node("n2", cpu=2, taints=[TAINT])
    client.wait_for_nodes("n2")
    client.apply(training("b", priority, tolerations=[{"key": "later", "operator": "Exists"}]))
    client.wait_for(lambda: running(client, "b") == 2, what="b to hold n2")
    client.patch("Node", "n2", {"spec": {"taints": None}})


@pytest.mark.parametrize("executor", ["evict", "requeue"])
def test_one_lets_go_and_the_other_runs(control_plane: ControlPlane, tmp_path: Path, executor: str) -> None:
    client = control_plane.client
    if executor == "evict":  # the scheduler takes who is let in first: by its priority
        high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "urgent"}}
        client.apply({**high, "value": 1000, "preemptionPolicy": "Never"})
    half_each(client, "urgent" if executor == "evict" else "")
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY % executor)
    world = World(control_plane, "", policy, tmp_path)
    account = world.install("active" if executor == "evict" else "active-requeue")
    with world.running("active", account) as pages:
        plan, outcome = client.wait_for(pages.executed, timeout=90, what="a plan to be carried out")
        client.wait_for(
            lambda: sorted([running(client, "a"), running(client, "b")])[-1] == MEMBERS, timeout=60, what="one to run"
        )
    (action,) = plan["actions"]
    assert (action["kind"], action["executor"], len(action["pods"])) == ("Release", executor, 2)
    assert [one["result"] for one in outcome["actions"]] == ["done"], outcome
    assert not outcome["stopped"], outcome
    gone = action["pods"][0]["pod"][0]
    assert running(client, "b" if gone == "a" else "a") == MEMBERS
    assert running(client, gone) == 0
    assert client.get("Job", gone)["spec"].get("suspend", False) is False, "it waits in its turn"
    if executor == "evict":
        assert gone == "a"
