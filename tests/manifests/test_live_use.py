"""Every right that an overlay grants is used, and none that is needed is missing.

The controller runs as a process with the rights and arguments of each overlay, on an API server that serves every kind
that is read, and moves pods; the server's audit log says what it asked for.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlplane.audit import Request
from controlplane.client import ApiClient, ApiStatusError, condition
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.identities import write_kubeconfig
from controlplane.prometheus import PrometheusServer
from descheduler.apiwrite.writer import COMPONENT, MANAGED_BY
from descheduler.kube.convert.kinds import MEASURED, OPTIONAL, Kind
from descheduler.publish.recommendations import API_VERSION
from e2e import hot_node
from e2e.leaving import CASES
from e2e.world import World
from execution.job_kinds import of_every_kind
from execution.test_live_directing import wrong
from faults.proxy import ApiProxy, Lost
from manifests.rules import rules

ACTING = {
    "dry-run": "",
    "dry-run+recommend": "",
    "active": "",
    "active-directed": "",
    "active-steering": "landing: steered, ",
}
"""What a policy says of acting that uses all rights of the overlay; of those of executors see `e2e.leaving`."""
EXECUTORS = {
    "active-live-migrate": CASES["live-migrate"],
    "active-requeue": replace(CASES["requeue"], beside=of_every_kind),
    "active-reserve": CASES["reserve, by jobs"],
    "active-surge": CASES["surge"],
}
MEASURING = """\
  - LowNodeUtilization:
      thresholds: {cpu: 20}
      targetThresholds: {cpu: 90}
      metricsUtilization: {source: KubernetesMetrics}
"""
PUBLISHING = """\
publish:
  workloads: [default/Deployment/web]
  recommendations: {enabled: true, minConfidence: 0.1}
"""
NO_LONGER_ADVISED = {
    "apiVersion": API_VERSION,
    "kind": "Recommendation",
    "metadata": {"name": "deployment-gone", "namespace": "default", "labels": {MANAGED_BY: COMPONENT}},
    "spec": {"target": {"type": "workload", "workload": {"kind": "Deployment", "name": "gone"}}},
}


OF_OTHER_OWNERS = ("replicasets", "rollouts")
"""The world here has Deployments; `execution/test_live_surge.py` moves pods of these."""
NOT_SERVED = ("devicetaintrules",)
"""API servers serve these only where an alpha or beta API is switched on."""
_EVICTING = Request("", "pods/eviction", "create", "")
UNUSED = {
    "active-live-migrate": {_EVICTING},
    "active-surge": {_EVICTING},
    "active-requeue": {Request("bus.volcano.sh", "commands", "delete", "")},
}
"""Whoever moves pods by the first two evicts nothing; the right is that of `active`, on which the overlays build. A
Command is deleted that Volcano has not taken up in time (`execution/test_live_requeue_kinds.py`)."""


def granted(overlay: str) -> set[Request]:
    """One request for each right; a rule that names objects is one for each name."""
    return {
        Request(group, resource, verb, name)
        for group, resource, verb, names in rules(overlay)
        for name in names or ("",)
        if resource not in NOT_SERVED
        and (verb in ("list", "watch") or resource.partition("/")[0] not in OF_OTHER_OWNERS)
    }


def as_granted(asked: set[Request], rights: set[Request]) -> set[Request]:
    """The rights by which the requests were let through; a request as it is where there is none."""
    return {one if one in rights else Request(one.group, one.resource, one.verb, "") for one in asked}


BUILT_IN = {"resource.k8s.io/v1"}
"""Versions of which the API server lets nobody add a kind."""


def definition(kind: Kind) -> dict[str, Any]:
    """A CustomResourceDefinition of an optional kind in the version that we like best, with any content."""
    best = next(version for version in kind.versions if f"{kind.group}/{version}" not in BUILT_IN)
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": best, "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},  # some groups are protected
        },
        "spec": {
            "group": kind.group,
            "names": {"kind": kind.name, "plural": kind.plural},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


@pytest.fixture
def every_kind(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """It serves all that is read; what no other test knows is taken away again."""
    client = control_plane.client
    apply_crds(client)
    served = {(kind.group, kind.plural) for kind in client.kinds(refresh=True).preferred()}
    more = [definition(kind) for kind in (*OPTIONAL, *MEASURED) if (kind.group, kind.plural) not in served]
    client.apply_all(more)
    names = {one["metadata"]["name"] for one in more}

    def established() -> bool:
        there = client.list("CustomResourceDefinition")
        return names <= {one["metadata"]["name"] for one in there if condition(one, "Established") == "True"}

    try:
        client.wait_for(established, what="the definitions to be established")
        yield control_plane
    finally:
        for name in names:
            client.delete("CustomResourceDefinition", name)


@contextmanager
def forgetful(plane: ControlPlane) -> Iterator[str]:
    """The API server by an address where the answer to the first eviction is lost: then one looks at the pod."""
    lost = iter([Lost(effective=True)])
    proxy = ApiProxy(plane.server, plane.ca_file, lambda request: next(lost, None) if request.evicting else None)
    try:
        yield proxy.url
    finally:
        proxy.close()


@contextmanager
def acting_world(
    plane: ControlPlane, start_prometheus: Callable[..., PrometheusServer], overlay: str, folder: Path
) -> Iterator[World]:
    """Pods that are to move, and a policy that acts as the overlay is for."""
    policy = folder / "policy.yaml"
    if overlay in EXECUTORS:
        policy.write_text(EXECUTORS[overlay].policy + MEASURING)
        with EXECUTORS[overlay].world(plane):
            yield World(plane, "", policy, folder)
        return
    hot_node.build_cluster(plane.client)
    server = start_prometheus(list(hot_node.history(plane.client.list("Pod", "default"), hot_node.now())))
    text = hot_node.POLICY.replace("acting: {", f"acting: {{{ACTING[overlay]}") + MEASURING
    if overlay.endswith("+recommend"):
        plane.client.create(NO_LONGER_ADVISED)
        text += PUBLISHING
    policy.write_text(text)
    yield World(plane, server.url, policy, folder)


@pytest.fixture
def world(
    control_plane: ControlPlane, prometheus_server: Callable[..., PrometheusServer], tmp_path: Path
) -> Iterator[World]:
    with acting_world(control_plane, prometheus_server, "dry-run", tmp_path) as made:
        yield made


@pytest.mark.parametrize("overlay", [*ACTING, *EXECUTORS])
def test_nothing_is_granted_that_is_not_used_and_nothing_refused(
    every_kind: ControlPlane, prometheus_server: Callable[..., PrometheusServer], tmp_path: Path, overlay: str
) -> None:
    plane, rights = every_kind, granted(overlay) - UNUSED.get(overlay, set())

    def unused() -> list[str]:
        asked, _ = plane.audit.requests(begin)
        return sorted(map(str, rights - as_granted(asked, rights)))

    with acting_world(plane, prometheus_server, overlay, tmp_path) as world, forgetful(plane) as server:
        world.install(overlay)
        token = plane.service_account_token("descheduler", "descheduler")
        config = write_kubeconfig(
            tmp_path / "kubeconfig", server=server, ca_file=plane.ca_file, user="descheduler", token=token
        )
        if overlay == "active-directed":
            plane.client.wait_for(lambda: not wrong(plane), what="the admission policy to be in force")
        begin = plane.audit.now()
        mode = "dry-run" if overlay.startswith("dry-run") else "active"
        with world.running(mode, config, "--policy-config-map", "descheduler-policy") as pages:
            plane.client.wait_for(pages.reports, timeout=60, what="a plan")
            with suppress(TimeoutError):  # told below, by name
                plane.client.wait_for(lambda: not unused(), timeout=120, every=0.2, what="every right to be used")
        assert not unused()
    _, refused = plane.audit.requests(begin)
    assert not sorted(map(str, refused))


@pytest.mark.parametrize("words", [("plan", "-o", "json"), ("doctor",), ("record",)], ids=lambda words: words[0])
def test_commands_need_no_more_than_the_rights_of_a_dry_run(
    world: World, tmp_path: Path, words: tuple[str, ...]
) -> None:
    kubeconfig = world.install("dry-run")
    begin = world.plane.audit.now()
    more = ("-o", str(tmp_path / "recording.json.gz")) if words == ("record",) else ()
    subprocess.run(world.command(*words, *more, kubeconfig=kubeconfig), capture_output=True, timeout=120)
    asked, refused = world.plane.audit.requests(begin)
    assert Request("", "pods", "list", "") in asked
    assert not sorted(map(str, refused))
    assert {one.verb for one in asked} <= {"get", "list", "watch", "create"}
    assert {one.resource for one in asked if one.verb == "create"} <= {"selfsubjectaccessreviews"}


def test_what_is_refused_is_seen(control_plane: ControlPlane, tmp_path: Path) -> None:
    """Else the test above would say nothing."""
    world = World(control_plane, "", tmp_path, tmp_path)
    world.install("dry-run")
    begin = control_plane.audit.now()
    token = control_plane.service_account_token("descheduler", "descheduler")
    with (
        ApiClient(control_plane.server, control_plane.ca_file, token) as account,
        pytest.raises(ApiStatusError, match="403"),
    ):
        account.get("Secret", "any", "descheduler")
    asked, refused = control_plane.audit.requests(begin)
    assert refused == {Request("", "secrets", "get", "any")} <= asked
