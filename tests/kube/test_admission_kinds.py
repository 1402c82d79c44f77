"""Objects that new pods are held to: read, recorded, and recorded without names."""

from __future__ import annotations

import json

from admitting import NOW, SHOP, WORLD, filters_of, judged, named, pod, replica_set
from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.wire_objects import cluster_objects, snapshot_from_objects
from descheduler.model.admission import ServiceAccount
from descheduler.model.quantity import amount
from descheduler.planning.filters.build import REASONS, Filters
from kube.wire_objects import Json, meta

GPU = "acme.com/gpu"
QUOTA: Json = {
    "metadata": meta("team-quota", SHOP),
    "spec": {
        "hard": {
            "requests.cpu": "1500m",
            f"requests.{GPU}": "4",
            "gold.storageclass.storage.k8s.io/requests.storage": "1Ti",
        },
        "scopes": ["NotTerminating"],
        "scopeSelector": {
            "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["acme-gold"]}]
        },
    },
    "status": {"hard": {"requests.cpu": "1500m"}, "used": {"requests.cpu": "1"}},
}
BOUNDS: Json = {
    "metadata": meta("team-bounds", SHOP),
    "spec": {
        "limits": [
            {"type": "Container", "default": {"cpu": "2"}, "max": {GPU: "1"}, "maxLimitRequestRatio": {"cpu": "2.5"}}
        ]
    },
}
SANDBOX: Json = {
    **named("acme-sandbox"),
    "handler": "runsc",
    "overhead": {"podFixed": {"cpu": "250m"}},
    "scheduling": {"nodeSelector": {"acme.com/pool": "b"}, "tolerations": [{"key": "acme.com/sandbox"}]},
}


def test_they_are_read() -> None:
    found = snapshot_from_objects(
        {"resourcequotas": [QUOTA], "limitranges": [BOUNDS], "runtimeclasses": [SANDBOX]}, NOW
    )
    (quota,), (bounds,) = found.quotas, found.limit_ranges
    (item,), sandbox = bounds.items, found.runtime_classes["acme-sandbox"]

    assert dict(quota.hard)["requests.cpu"] == 1500
    assert dict(quota.hard)["gold.storageclass.storage.k8s.io/requests.storage"] == amount("memory", "1Ti")
    assert (quota.used, [one.scope for one in quota.scopes]) == (
        (("requests.cpu", 1000),),
        ["NotTerminating", "PriorityClass"],
    )
    assert (item.most, item.ratio) == (((GPU, 1),), (("cpu", 2.5),))
    assert sandbox.node_selector == {"acme.com/pool": "b"}
    assert [float(value) for _, value in sandbox.overhead] == [0.25]


def test_of_accounts_nothing_but_names_is_recorded() -> None:
    account = {
        "metadata": meta("builder", SHOP, annotations={"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/builder"}),
        "secrets": [{"name": "builder-token"}],
        "imagePullSecrets": [{"name": "registry"}],
    }
    objects = cluster_objects({"serviceaccounts": [account]}, taken_at=NOW)
    (line,) = objects.lines["serviceaccounts"]

    assert list(json.loads(line)) == ["metadata"]
    assert b"arn:aws" not in line
    assert objects.snapshot().service_accounts == {ServiceAccount(SHOP, "builder")}


def test_verdicts_are_the_same_without_names() -> None:
    names: Json = {
        "priorityClassName": "acme-gold",
        "runtimeClassName": "acme-sandbox",
        "serviceAccountName": "acme-robot",
    }
    devices = {"cpu": "1", GPU: "2"}

    def of(name: str, asks: Json, **more: str) -> tuple[Json, Json]:
        return pod(f"{name}-1", requests=asks, limits=asks, **more), replica_set(
            name, requests=asks, limits=asks, **more
        )

    made = [
        of("over", {"cpu": "1"}, **names),
        of("large", devices),
        of("lost", {"cpu": "1"}, serviceAccountName="acme-gone"),
    ]
    world = {
        **WORLD,
        "pods": [one for one, _ in made],
        "replicasets": [owner for _, owner in made],
        "priorityclasses": [{**named("acme-gold"), "value": 7}],
        "runtimeclasses": [{**named("acme-sandbox"), "handler": "runsc"}],
        "serviceaccounts": [named("default", SHOP), named("acme-robot", SHOP)],
        "resourcequotas": [{**QUOTA, "status": {"hard": {"requests.cpu": "500m"}, "used": {"requests.cpu": "1"}}}],
        "limitranges": [BOUNDS],
    }
    _, filters = judged(world)
    hidden = Anonymizer(b"secret").objects(cluster_objects(world, taken_at=NOW)).snapshot()

    assert _reasons(filters) == ["NotAdmitted", "NotAdmitted", "QuotaWouldRefuse"]
    assert _reasons(filters_of(hidden)) == _reasons(filters)
    assert not any(word in str(hidden.quotas) for word in ("acme", "gold", "team"))


def _reasons(filters: Filters) -> list[str]:
    return sorted(str(REASONS[code]) for code in filters.reason_code.tolist())
