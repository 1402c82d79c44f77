"""The examples of docs/profiles.md do what they say."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import pytest

from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.model.workloads import WorkloadKey
from descheduler.policy import load_policy
from descheduler.publish.advice import Advice
from descheduler.publish.recommendations import served
from execution.live import client_of, run_deployment
from manifests.kustomize import named

TEXT = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text()
HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_the_library_example_runs() -> None:
    session = "\n".join(blocks("pycon"))
    test = doctest.DocTestParser().get_doctest(session, {}, "profiles.md", "docs/profiles.md", 0)
    assert len(test.examples) > 10
    reported: list[str] = []
    done = doctest.DocTestRunner(verbose=False).run(test, out=reported.append)
    assert done.failed == 0, "".join(reported)


def test_the_policies_are_valid() -> None:
    policies = [text for text in blocks("yaml") if text.startswith(("history:", "publish:"))]
    assert len(policies) == 2
    for text in policies:
        load_policy(HEAD + text)


@pytest.fixture
def role() -> dict[str, Any]:
    return named("active+recommend", "ClusterRole", "descheduler-recommend")


def test_the_rights_are_enough_to_publish(control_plane: ControlPlane, role: dict[str, Any]) -> None:
    admin = control_plane.client
    apply_crds(admin)
    admin.create_node("n1")
    admin.wait_for_nodes("n1")
    admin.apply(role)
    name = role["metadata"]["name"]
    admin.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "descheduler"}],
        }
    )
    (pod,) = run_deployment(admin, "web", 1)
    uid = admin.get("Deployment", "web")["metadata"]["uid"]
    key = WorkloadKey("default", "Deployment", "web")
    kube = client_of(control_plane, "descheduler")
    writer = served(kube, ClusterWriter(kube, Unelected()))()
    assert writer is not None
    admin.wait_for(lambda: _allowed(admin), what="the role to be in force")
    for cpu, written in ((0.5, 1), (0.9, 1)):
        done = writer.publish([Advice(key, "apps/v1", uid, pod["metadata"]["name"], {"cpu": cpu})], 1.0)
        assert (done.written, done.problems) == (written, ())
    assert writer.publish([], 1.0).deleted == 1


def _allowed(admin: Any) -> bool:
    review = admin.request(
        "POST",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": "descheduler",
                "resourceAttributes": {
                    "group": "analysis.koordinator.sh",
                    "resource": "recommendations",
                    "verb": "list",
                },
            },
        },
    )
    return bool(review["status"]["allowed"])
