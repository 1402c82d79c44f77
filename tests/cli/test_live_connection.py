"""The flags of the connection, as kubectl has them, against a real API server: another user, another address."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.test_commands import run
from controlplane.cluster import ControlPlane
from controlplane.identities import write_kubeconfig
from descheduler.kube.convert.kinds import KINDS

POLICY = """apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
strategies: [{RemoveFailedPods: {}}]
"""
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture
def reading(control_plane: ControlPlane, tmp_path: Path) -> tuple[str, ...]:
    """The options of a plan; a user `jane`, whom nobody gave a token, may read what it reads."""
    groups = sorted({kind.group for kind in KINDS.values()})
    rules = [{"apiGroups": groups, "resources": ["*"], "verbs": ["get", "list"]}]
    kind = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": "jane-reads"}}
    control_plane.client.apply({**kind, "kind": "ClusterRole", "rules": rules})
    subject = {"kind": "User", "apiGroup": RBAC, "name": "jane"}
    role = {"kind": "ClusterRole", "apiGroup": RBAC, "name": "jane-reads"}
    control_plane.client.apply({**kind, "kind": "ClusterRoleBinding", "subjects": [subject], "roleRef": role})
    (tmp_path / "policy.yaml").write_text(POLICY)
    return ("plan", "--policy", str(tmp_path / "policy.yaml"))


def test_a_cluster_is_read_with_the_rights_of_the_user_who_is_named(
    control_plane: ControlPlane, reading: tuple[str, ...]
) -> None:
    admin, nobody = (str(control_plane.kubeconfig(user)) for user in ("admin", "nobody"))
    allowed = run(*reading, "--kubeconfig", admin, "--as", "jane", "--request-timeout", "20s")
    assert allowed.returncode == 0, allowed.stderr
    without = run(*reading, "--kubeconfig", admin, "--as", "joe")
    assert (without.returncode, "missing permissions" in without.stderr) == (1, True), without.stderr
    refused = run(*reading, "--kubeconfig", nobody, "--as", "jane")
    assert (refused.returncode, "may not act as another user" in refused.stderr) == (1, True), refused.stderr


def test_the_server_that_is_named_is_asked_in_place_of_the_kubeconfigs(
    control_plane: ControlPlane, reading: tuple[str, ...], tmp_path: Path
) -> None:
    elsewhere = write_kubeconfig(
        tmp_path / "kubeconfig",
        server="https://127.0.0.1:1",
        ca_file=control_plane.ca_file,
        user="admin",
        token=control_plane.token(),
    )
    named = run(*reading, "--kubeconfig", str(elsewhere), "--server", control_plane.server)
    assert named.returncode == 0, named.stderr
