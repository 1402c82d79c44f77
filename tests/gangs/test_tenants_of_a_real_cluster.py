"""What an API server admits of references into other namespaces, and that it changes nothing there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from descheduler.gangs import resolve
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.policy.protections import Protections

Object = dict[str, Any]
GANG = "gang.scheduling.koordinator.sh"
POD = {"containers": [{"name": "main", "image": "test/main"}], "terminationGracePeriodSeconds": 0}


def deployment(name: str, namespace: str, annotations: dict[str, str]) -> Object:
    template = {"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": POD}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(name, namespace), "spec": spec}


def meta(name: str, namespace: str, **rest: Any) -> Object:
    return {"name": name, "namespace": namespace, **rest}


def gang(name: str, *bundle: str) -> dict[str, str]:
    marks = {f"{GANG}/name": name, f"{GANG}/min-available": "2"}
    return marks | ({f"{GANG}/groups": json.dumps(bundle)} if bundle else {})


def verdicts(snapshot: ClusterSnapshot) -> dict[str, tuple[str, tuple[str, ...], str, tuple[Blocked, ...]]]:
    """By pod: its unit, who is in it, its workload, and what stops it."""
    units = resolve(snapshot)
    filters = build_filters(snapshot, units, FilterRules.of(Protections()), now=time.time())
    names = [pod.key for pod in snapshot.pods]
    return {
        name: (
            units.of(i).name,
            tuple(names[m] for m in units.members(i)),
            str(snapshot.root(snapshot.pods[i])),
            filters.every(i),
        )
        for i, name in enumerate(names)
    }


def test_references_into_another_namespace_are_admitted_and_change_nothing_there(control_plane: ControlPlane) -> None:
    client = control_plane.client
    apply_crds(client)
    client.create_node("n1", cpu=8)
    client.wait_for_nodes("n1")
    client.apply_all({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}} for ns in ("evil", "a", "b"))
    both = ("a/both", "b/both")
    client.apply_all(
        [
            deployment("web", "a", gang("web")),
            *(deployment("both", namespace, gang("both", *both)) for namespace in ("a", "b")),
        ]
    )
    pods = [pod for namespace, n in (("a", 4), ("b", 2)) for pod in client.wait_for_pods(n, namespace)]
    owner = next(p for p in pods if p["metadata"]["labels"]["app"] == "web")["metadata"]["ownerReferences"][0]
    reader = connect(control_plane.kubeconfig("admin"))
    read: Callable[[], dict[str, Any]] = lambda: verdicts(read_cluster(reader, clock=time.time))  # noqa: E731
    before = read()
    web = [name for name in before if name.startswith("a/web")]
    assert all(before[name][3] == () and before[name][2] == "a/Deployment/web" for name in web)
    assert {len(found[1]) for name, found in before.items() if "/both-" in name} == {4}

    pod = {"apiVersion": "v1", "kind": "Pod", "spec": POD}
    bundle = gang("g", "evil/g", "a/web", "a/both", "b/both")
    sets = {"podSets": [{"name": "main", "count": 9}]}
    for written in (
        {**pod, "metadata": meta("bundled", "evil", annotations=bundle)},
        {**pod, "metadata": meta("owned", "evil", ownerReferences=[owner])},
        {
            "apiVersion": "kueue.x-k8s.io/v1beta2",
            "kind": "Workload",
            "metadata": meta("w", "evil", ownerReferences=[owner]),
            "spec": sets,
        },
    ):
        client.create(written)
    after = read()
    reader.close()
    assert {name: found for name, found in after.items() if not name.startswith("evil/")} == before
    assert Reason.GANG_ONE_SIDED in {blocked.reason for blocked in after["evil/bundled"][3]}
