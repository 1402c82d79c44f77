"""Policies of the Kubernetes SIG's descheduler by its own command line, with the rights of our installation: real API
server, scheduler and controllers, no Prometheus anywhere."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.writer import read_config_map
from descheduler.kube.client.connection import connect
from descheduler.model.errors import Forbidden
from execution.live import run_deployment, uids
from manifests.kustomize import render
from policy.v1alpha2.policies import CHART, HEAD

COMMAND = str(Path(sys.executable).with_name("descheduler"))
NAMESPACE = "descheduler"

OLD = HEAD + (
    "maxNoOfPodsToEvictPerNode: 1\n"
    "profiles:\n"
    "- name: lifetime\n"
    "  pluginConfig:\n"
    "  - {name: PodLifeTime, args: {maxPodLifeTimeSeconds: 1, labelSelector: {matchLabels: {app: web}}}}\n"
    "  plugins: {deschedule: {enabled: [PodLifeTime]}}\n"
)

Theirs = Callable[..., list[str]]


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    client = control_plane.client
    for name in ("n1", "n2", "n3"):
        client.create_node(name, cpu=16)
    client.wait_for_nodes("n1", "n2", "n3")
    for found in sorted(render("active"), key=lambda o: o["kind"] != "Namespace"):
        if found["kind"] != "Deployment":
            client.apply(found)
    return client


@pytest.fixture
def theirs(control_plane: ControlPlane, client: ApiClient, tmp_path: Path) -> Theirs:
    """The command line as in the arguments of their container, for a policy; as the installed service account."""
    token = control_plane.service_account_token(NAMESPACE, "descheduler")
    kubeconfig = control_plane.kubeconfig("sigs", token=token)
    client.wait_for(lambda: _may_read(kubeconfig), what="the rights of the account to be in force")

    def command(policy: str, *flags: str) -> list[str]:
        file = tmp_path / "policy.yaml"
        file.write_text(policy)
        serving = ("--secure-port", "0") if not any("secure-port" in flag for flag in flags) else ()
        return [COMMAND, f"--policy-config-file={file}", "--kubeconfig", str(kubeconfig), *serving, "--v=3", *flags]

    return command


def _may_read(kubeconfig: Path) -> bool:
    """Whether the ledger would be read: the authorizer learns of new roles a moment after they are written."""
    account = connect(kubeconfig)
    try:
        read_config_map(account, NAMESPACE, "descheduler-ledger")
    except Forbidden:
        return False
    finally:
        account.close()
    return True


def ran(command: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


def taint(client: ApiClient, node: str) -> None:
    client.patch("Node", node, {"spec": {"taints": [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}]}})


def nodes_of(client: ApiClient, app: str) -> dict[str, str]:
    pods: list[dict[str, Any]] = client.list("Pod", "default", label_selector=f"app={app}")
    return {pod["metadata"]["name"]: pod["spec"].get("nodeName", "") for pod in pods}


def test_a_single_run_evicts_and_ends(client: ApiClient, theirs: Theirs) -> None:
    run_deployment(client, "web", 2)
    run_deployment(client, "other", 1)
    web, other = uids(client, "web"), uids(client, "other")
    assert '"event": "in the plan"' in ran(theirs(OLD, "--dry-run")).stderr
    assert uids(client, "web") == web
    ran(theirs(OLD))
    client.wait_for_pods(2, label_selector="app=web")
    assert uids(client, "web") & web != web
    assert uids(client, "other") == other


def test_with_an_interval_it_goes_on_and_serves_health_over_tls(client: ApiClient, theirs: Theirs) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run_deployment(client, "web", 1)
    before = uids(client, "web")
    elected = ("--leader-elect", "--leader-elect-resource-namespace", NAMESPACE, "--leader-elect-retry-period=1s")
    serving = ("--secure-port", str(port), "--bind-address=127.0.0.1", "--enable-http2")
    command = theirs(OLD, "--descheduling-interval", "1s", *serving, *elected)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            client.wait_for(lambda: bool(uids(client, "web") - before), timeout=120, what="an eviction")
            unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
            with urllib.request.urlopen(f"https://127.0.0.1:{port}/healthz", timeout=5, context=unchecked) as answer:
                assert answer.status == 200
        finally:
            process.terminate()
        _, logged = process.communicate(timeout=60)
    assert process.returncode == 0
    assert logged.count("flags without a meaning here") == 1
    assert client.get("Lease", "descheduler", NAMESPACE)["spec"]["leaseTransitions"] >= 0


def test_the_policy_of_the_chart_evicts_what_it_should(client: ApiClient, theirs: Theirs) -> None:
    run_deployment(client, "web", 3)
    was = nodes_of(client, "web")
    assert set(was.values()) == {"n1", "n2", "n3"}
    before = uids(client, "web")
    taint(client, "n1")
    ran(theirs(CHART))
    client.wait_for(lambda: "n1" not in nodes_of(client, "web").values(), what="the tainted node to be left")
    client.wait_for_pods(3, label_selector="app=web")
    assert len(before - uids(client, "web")) == 1  # the others are no duplicates of one another, nor on a bad node


@pytest.mark.parametrize("mode", [(), ("--dry-run", "--descheduling-interval", "5m")])
def test_by_our_own_command_it_acts_only_when_told(client: ApiClient, theirs: Theirs, mode: tuple[str, ...]) -> None:
    run_deployment(client, "web", 1)
    before = uids(client, "web")
    command = theirs(OLD)
    kubeconfig = command[command.index("--kubeconfig") + 1]
    policy = command[1].partition("=")[2]
    planned = ran([COMMAND, "plan", "--policy", policy, "--kubeconfig", kubeconfig, "-o", "json"])
    assert '"Remove"' in planned.stdout
    running = [COMMAND, "run", "--policy-config-file", policy, "--kubeconfig", kubeconfig, "--port", "0", *mode]
    with subprocess.Popen(running, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert any('"event": "planned"' in line for line in process.stderr)
        finally:
            process.terminate()
    assert uids(client, "web") == before
