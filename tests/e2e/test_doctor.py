"""`descheduler doctor` on a real API server and a real Prometheus: a sound installation, and what may be wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from controlplane.client import ApiClient, ApiStatusError
from controlplane.cluster import ControlPlane
from controlplane.prometheus import PrometheusServer, Series
from e2e import hot_node
from manifests.kustomize import render

COMMAND = str(Path(sys.executable).with_name("descheduler"))
StartPrometheus = Callable[..., PrometheusServer]
Checks = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True)
class World:
    plane: ControlPlane
    kubeconfig: Path
    prometheus: str
    history: tuple[Series, ...]

    @property
    def client(self) -> ApiClient:
        return self.plane.client


@pytest.fixture(scope="module")
def world(module_control_plane: ControlPlane, prometheus_server: StartPrometheus) -> World:
    """A node that will be hot, its whole history, and the account that the manifests make."""
    plane = module_control_plane
    hot_node.build_cluster(plane.client)
    history = tuple(hot_node.history(plane.client.list("Pod", "default"), hot_node.now()))
    for found in sorted(render("active"), key=lambda o: o["kind"] != "Namespace"):
        if found["kind"] != "Deployment":
            plane.client.apply(found)
    token = plane.service_account_token("descheduler", "descheduler")
    return World(plane, plane.kubeconfig("examined", token=token), prometheus_server(history).url, history)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(hot_node.POLICY)
    return path


def command(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    where = ["--kubeconfig", str(world.kubeconfig), "--prometheus", world.prometheus]
    return subprocess.run([COMMAND, *words, *where], capture_output=True, text=True, timeout=120)


def examined(world: World, policy: Path, *options: str) -> tuple[int, Checks]:
    done = command(world, "doctor", "--policy", str(policy), "-o", "json", *options)
    assert "Traceback" not in done.stderr
    assert done.stdout, done.stderr
    document = json.loads(done.stdout)
    assert document["trusted"] == (done.returncode == 0)
    return done.returncode, {(c["area"], c["subject"]): c for c in document["checks"]}


def failed(checks: Checks) -> dict[tuple[str, str], str]:
    return {at: check["text"] for at, check in checks.items() if check["verdict"] == "failure"}


def test_a_sound_installation_can_be_trusted(world: World, policy: Path) -> None:
    code, checks = examined(world, policy, "--mode", "active")
    assert (code, failed(checks)) == (0, {})
    said = {at: check["text"] for at, check in checks.items()}
    assert said["API server", "clock against ours"] == "they agree"
    assert said["history server", "clock against that of the API server"] == "they agree"
    assert said["permissions", "reading"].startswith("we may list and watch all")
    assert said["permissions", "acting"] == "we may do what the executor evict does"
    assert said["instances", "lease"].startswith("nobody holds the lease descheduler/descheduler")
    assert "served as v1alpha2, 1 object" in said["cluster", "scheduling.k8s.io/PodGroup"]
    assert said["history", "cpu queries"].startswith("1 of 4 queries answers, with up to 9 series")
    assert said["history", "cpu reach"].startswith("reaches back 7 d")
    assert said["history", "memory freshness"].startswith("the newest point is ")
    assert "default 100%" in said["history", "cpu coverage"]
    assert "sum_rate5m" in checks["history", "cpu query"]["details"][0]
    assert said["plan", "made"]


def test_each_missing_right_is_named_by_its_kind_and_the_rest_is_looked_at(world: World, policy: Path) -> None:
    with without_budgets(world):
        code, checks = examined(world, policy)
    assert code == 1
    missing = checks["permissions", "poddisruptionbudgets.policy"]
    assert missing["text"] == "we may not list and watch poddisruptionbudgets.policy"
    assert "descheduler-read" in missing["mend"]
    assert [at for at in failed(checks) if at[0] == "permissions"] == [("permissions", "poddisruptionbudgets.policy")]
    assert checks["history", "cpu queries"]["verdict"] == "ok"
    assert ("plan", "made") in failed(checks)


def test_rights_to_act_are_asked_for_where_it_acts(world: World, policy: Path) -> None:
    steering = policy.read_text().replace("acting: {", "acting: {landing: steered, ")
    policy.write_text(steering)
    code, checks = examined(world, policy, "--mode", "active")
    assert code == 1
    assert ("permissions", "patch nodes") in failed(checks)
    assert examined(world, policy, "--mode", "dry-run")[0] == 0


def test_whoever_may_do_nothing_is_told_every_right(world: World, policy: Path) -> None:
    nobody = replace(world, kubeconfig=world.plane.kubeconfig("nobody"))
    code, checks = examined(nobody, policy)
    assert code == 1
    assert {("permissions", "nodes"), ("permissions", "deployments.apps")} <= failed(checks).keys()
    assert checks["permissions", "own state"]["verdict"] == "warning"


@contextmanager
def without_budgets(world: World) -> Iterator[None]:
    """The account may not read PodDisruptionBudgets."""
    rules = world.client.get("ClusterRole", "descheduler-read")["rules"]
    kept = [rule for rule in rules if rule["apiGroups"] != ["policy"]]
    world.client.patch("ClusterRole", "descheduler-read", {"rules": kept})
    try:
        world.client.wait_for(lambda: not reads_budgets(world), what="the right to be gone")
        yield
    finally:
        world.client.patch("ClusterRole", "descheduler-read", {"rules": rules})
        world.client.wait_for(lambda: reads_budgets(world), what="the right to be back")


def reads_budgets(world: World) -> bool:
    token = json.loads(world.kubeconfig.read_text())["users"][0]["user"]["token"]
    with ApiClient(world.plane.server, world.plane.ca_file, token) as asking:
        try:
            asking.list("PodDisruptionBudget", "default")
        except ApiStatusError:
            return False
        return True


def test_an_api_server_that_does_not_answer_leaves_the_history_to_look_at(
    world: World, policy: Path, tmp_path: Path
) -> None:
    config = json.loads(world.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "config").write_text(json.dumps(config))
    code, checks = examined(replace(world, kubeconfig=tmp_path / "config"), policy)
    assert code == 1
    assert "no answer from https://127.0.0.1:9" in failed(checks)["API server", "connection"]
    assert checks["history", "cpu queries"]["verdict"] == "ok"


def test_a_history_server_that_does_not_answer_leaves_the_cluster_to_look_at(world: World, policy: Path) -> None:
    code, checks = examined(replace(world, prometheus="http://127.0.0.1:9"), policy)
    assert code == 1
    assert "127.0.0.1:9" in failed(checks)["history server", "connection"]
    assert checks["permissions", "reading"]["verdict"] == "ok"
    assert checks["cluster", "read"]["verdict"] == "ok"


def test_an_empty_server_is_told_with_the_settings_that_mend_it(
    world: World, policy: Path, prometheus_server: StartPrometheus
) -> None:
    code, checks = examined(replace(world, prometheus=prometheus_server().url), policy)
    assert code == 1
    told = failed(checks)["history", "cpu queries"]
    for word in ("none of its 4 queries answers", "container_cpu_usage_seconds_total", "history.url"):
        assert word in told
    assert ("plan", "strategy HotNodes") in failed(checks)


def test_series_without_a_label_are_told_alike_by_doctor_plan_and_profiles(
    world: World, policy: Path, prometheus_server: StartPrometheus
) -> None:
    raw = [
        Series(
            "container_cpu_usage_seconds_total" if one.name == hot_node.CPU else one.name,
            {label: value for label, value in one.labels.items() if label != "image"},
            one.timestamps,
            one.values,
        )
        for one in world.history
    ]
    lacking = replace(world, prometheus=prometheus_server(raw).url)
    code, checks = examined(lacking, policy)
    assert code == 1
    told = "container_cpu_usage_seconds_total is there (9 series), but without the label image"
    assert told in failed(checks)["history", "cpu queries"]
    for words in (("plan",), ("profile", "show")):
        done = command(lacking, *words)
        assert done.returncode == 1
        assert told in done.stderr
        assert "history.queries.cpu" in done.stderr


def test_a_plan_that_lacks_data_says_so_first_and_names_the_doctor(
    world: World, policy: Path, prometheus_server: StartPrometheus
) -> None:
    words = ["--kubeconfig", str(world.kubeconfig), "--prometheus", prometheus_server().url, "--policy", str(policy)]
    script = " ".join([COMMAND, "plan", *words, "2>&1"])
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=120).stdout
    first, _, rest = said.partition("\n")
    assert first.startswith("error: history of cpu is absent")
    assert f"descheduler doctor {' '.join(words)}\n" in rest
    assert "HotNodes did not run, no usable history of cpu, memory" in rest


def test_an_optional_signal_that_is_not_there_is_no_failure(world: World, policy: Path) -> None:
    world.client.create_node("gpus", cpu="16", memory="64Gi", gpus=8)
    world.client.wait_for_nodes("gpus")
    policy.write_text(policy.read_text() + "  - IdleGpu: {}\n")
    try:
        code, checks = examined(world, policy)
        done = command(world, "plan", "--policy", str(policy))
    finally:
        world.client.delete("Node", "gpus")
    assert (code, failed(checks)) == (0, {})
    assert checks["history", "gpu queries"]["text"].startswith("optional, and not there")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bad_policy_is_told_and_the_rest_is_looked_at(world: World, policy: Path) -> None:
    policy.write_text(policy.read_text().replace("interval", "intervall"))
    code, checks = examined(world, policy)
    assert code == 2
    assert "did you mean interval" in checks["policy", "policy"]["text"]
    assert checks["history", "cpu coverage"]["verdict"] == "ok"


def test_whoever_leads_is_named(world: World, policy: Path) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "descheduler", "namespace": "descheduler"},
        "spec": {
            "holderIdentity": "replica-1",
            "leaseDurationSeconds": 15,
            "renewTime": "2020-01-01T00:00:00.000000Z",
        },
    }
    world.client.apply(lease)
    try:
        _, checks = examined(world, policy)
    finally:
        world.client.delete("Lease", "descheduler", "descheduler")
    told = checks["instances", "lease"]
    assert told["verdict"] == "warning"
    assert told["text"].startswith("replica-1 holds the lease descheduler/descheduler and renewed it last")
