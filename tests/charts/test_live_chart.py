"""The chart on a real API server: installed, upgraded, rolled back and uninstalled by Helm, under its own rights."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from charts.helm_program import CHART, helm
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.identities import write_kubeconfig
from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.wire import Lease, LeaseSpec
from descheduler.apiwrite.writer import MANAGED_BY, ClusterWriter, LeaseWriter
from descheduler.execution.cordons import CORDONED
from descheduler.execution.executors.our_objects import INTENT
from descheduler.execution.intents import Intent, IntentStore
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.errors import Forbidden
from descheduler.model.nodes import VACATING
from e2e.world import COMMAND
from execution.live import client_of, run_deployment
from execution.plans import action, move_of

NAMESPACE = "rebalancing"
ACTIVE = ("mode=active", "acting.surge=true", "acting.steered=true", "replicas=2")
OF_CLUSTERS = ("ClusterRole", "ClusterRoleBinding", "PriorityClass", "ValidatingAdmissionPolicy", "Node")


class Release:
    """The chart, by the real Helm, as somebody who may do everything."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.client = plane.client
        self._folder = folder
        self._kubeconfig = plane.kubeconfig()

    def helm(self, *words: str, sets: tuple[str, ...] = ()) -> None:
        more = [word for one in sets for word in ("--set", one)]
        who = ("--kubeconfig", str(self._kubeconfig), "--namespace", NAMESPACE)
        done = helm(*words, *who, *more, folder=self._folder)
        assert done.returncode == 0, done.stderr

    def install(self, *sets: str) -> None:
        self.helm("install", "moves", str(CHART), "--create-namespace", "--wait", sets=sets)

    def account(self, name: str = "descheduler") -> Path:
        """A kubeconfig of a service account of the chart."""
        path = self._folder / f"{name}.kubeconfig"
        token = self.plane.service_account_token(NAMESPACE, name)
        return write_kubeconfig(path, server=self.plane.server, ca_file=self.plane.ca_file, user=name, token=token)

    def may_evict(self) -> bool:
        """By a trial of the Eviction API with the controller's account."""
        pod = self.client.list("Pod", "default")[0]["metadata"]
        try:
            ClusterWriter(connect(self.account()), Unelected()).evict("default", pod["name"], pod["uid"], dry_run=True)
        except Forbidden:
            return False
        return True

    def ours(self) -> set[tuple[str, str]]:
        """What is there under a name of ours, but for pods on their way out."""
        kinds = (*OF_CLUSTERS, "Role", "RoleBinding", "ConfigMap", "Lease", "ServiceAccount", "Deployment", "Job")
        found = {(kind, one["metadata"]["name"]) for kind in kinds for one in self.client.list(kind)}
        return {(kind, name) for kind, name in found if "descheduler" in name}


@pytest.fixture
def release(control_plane: ControlPlane, tmp_path: Path) -> Release:
    control_plane.client.create_node("n1")
    control_plane.client.wait_for_nodes("n1")
    run_deployment(control_plane.client, "web", 1)
    return Release(control_plane, tmp_path)


def test_from_installing_to_uninstalling_rights_come_and_go_with_the_values(release: Release) -> None:
    release.install()
    installed = release.ours()
    assert [node.name for node in read_cluster(connect(release.account()), clock=time.time).nodes] == ["n1"]
    assert not release.may_evict()

    release.helm("upgrade", "moves", str(CHART), "--wait", sets=ACTIVE)
    assert release.may_evict()
    assert ("ValidatingAdmissionPolicy", "descheduler-surge") in release.ours()
    assert len(release.client.wait_for_pods(2, NAMESPACE, label_selector="app.kubernetes.io/name=descheduler")) == 2

    release.helm("rollback", "moves", "1", "--wait")
    assert release.ours() == installed
    release.client.wait_for(lambda: not release.may_evict(), what="the right to evict to be gone")

    with ThreadPoolExecutor(1) as beside:
        uninstalled = beside.submit(release.helm, "uninstall", "moves", "--wait")
        as_a_kubelet_runs_the_hook(release)
        uninstalled.result()
    assert not release.ours()


def as_a_kubelet_runs_the_hook(release: Release) -> None:
    """The program that its pod names, under its account; then the pod is over."""
    client = release.client
    (pod,) = client.wait_for_pods(1, NAMESPACE, label_selector="job-name=descheduler-clean-up")
    spec = pod["spec"]
    assert (spec["serviceAccountName"], spec["containers"][0]["args"]) == ("descheduler-clean-up", ["clean-up"])
    done = clean_up(release)
    assert done.returncode == 0, done.stderr
    assert f"taken away: replicas of Deployment {NAMESPACE}/descheduler" in done.stdout
    client.patch_status("Pod", pod["metadata"]["name"], {"phase": "Succeeded"}, NAMESPACE)


def clean_up(release: Release, *words: str) -> subprocess.CompletedProcess[str]:
    """The command of the hook, with the rights of the hook."""
    account = ("--kubeconfig", str(release.account("descheduler-clean-up")), "--namespace", NAMESPACE)
    return subprocess.run([*COMMAND, "clean-up", *account, *words], capture_output=True, text=True, timeout=120)


def hook(release: Release) -> None:
    """The account of the hook and its rights, as they are while it runs."""
    done = helm("template", "moves", str(CHART), "--namespace", NAMESPACE, "--show-only", "templates/clean-up.yaml")
    for one in yaml.safe_load_all(done.stdout):
        if one["kind"] != "Job":
            release.client.apply(one)


def leave_things(release: Release) -> None:
    """As of a controller that was killed while it moved pods, and of others beside it."""
    client = release.client
    apply_crds(client)
    ours = {"key": VACATING.key, "effect": VACATING.effect}
    theirs = {"key": "a.example/b", "effect": "NoSchedule"}
    client.patch("Node", "n1", {"spec": {"taints": [ours, theirs]}})
    for node, marks in (("n2", {CORDONED: "true"}), ("n3", {})):
        client.create_node(node)
        client.patch("Node", node, {"metadata": {"annotations": marks}, "spec": {"unschedulable": True}})
    for name, labels in (("ours", {MANAGED_BY: "descheduler", INTENT: "x"}), ("theirs", {})):
        template = {"spec": {"containers": [{"name": "main", "image": "test/main"}]}}
        spec = {"template": template, "owners": [{"object": {"name": "web-1"}}], "ttl": "1h"}
        meta = {"name": name, "labels": labels}
        api = "scheduling.koordinator.sh/v1alpha1"
        client.create({"apiVersion": api, "kind": "Reservation", "metadata": meta, "spec": spec})
    writer = LeaseWriter(client_of(release.plane), NAMESPACE, "descheduler")
    writer.write(Lease(writer.meta, LeaseSpec(holder_identity="killed", lease_duration_seconds=1)))
    for name in ("descheduler-ledger", "descheduler-intents", "theirs"):
        client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}})


def test_what_a_controller_left_is_taken_away_and_nothing_of_others(release: Release) -> None:
    release.install(*ACTIVE)
    hook(release)
    leave_things(release)
    client = release.client
    done = clean_up(release)
    assert done.returncode == 0, done.stderr
    assert [taint["key"] for taint in client.get("Node", "n1")["spec"]["taints"]] == ["a.example/b"]
    assert [bool(client.get("Node", name)["spec"].get("unschedulable")) for name in ("n2", "n3")] == [False, True]
    assert [one["metadata"]["name"] for one in client.list("Reservation")] == ["theirs"]
    assert client.get("Deployment", "descheduler", NAMESPACE)["spec"]["replicas"] == 0
    kept = {one["metadata"]["name"] for one in client.list("ConfigMap", NAMESPACE)}
    assert kept == {"descheduler-policy", "kube-root-ca.crt", "theirs"}
    assert client.get_or_none("Lease", "descheduler", NAMESPACE) is None
    again = clean_up(release)
    assert (again.returncode, again.stdout.splitlines()) == (0, [f"taken away: Lease {NAMESPACE}/descheduler"])


def test_an_interrupted_unit_is_not_given_up_on_by_chance(release: Release) -> None:
    release.install(*ACTIVE)
    hook(release)
    (pod,) = release.client.list("Pod", "default")
    unit = action(move_of(pod, "default/Deployment/web"))
    store = IntentStore(ClusterWriter(client_of(release.plane), Unelected()), NAMESPACE)
    store.open([Intent.of("plan", unit, time.time())])
    done = clean_up(release)
    assert done.returncode == 1
    assert "1 units are not finished" in done.stderr
    assert len(store.load()) == 1
    done = clean_up(release, "--force")
    assert done.returncode == 0, done.stderr
    assert store.load() == ()
