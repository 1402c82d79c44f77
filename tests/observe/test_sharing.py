"""Histories of workloads whose replicas come and go, by the objects that say how many there will be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from builders import NOW
from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.wire_objects import cluster_objects
from descheduler.model.snapshot import ClusterSnapshot, Freshness
from descheduler.model.workloads import WorkloadKey
from descheduler.observe import Observed
from descheduler.observe.autoscalers import AUTOSCALERS, autoscalers
from descheduler.observe.sharing import with_shares
from descheduler.pipeline import profile
from descheduler_profiling.series import History
from histories import grid, history

WEB = WorkloadKey("shop", "Deployment", "web")
TIMES = grid()
TOTAL = 6.0 + 5.0 * np.sin(2 * np.pi * TIMES / 86400.0)  # cores
FOLLOWING = np.clip(np.ceil(TOTAL / 0.6), 2, 30)  # as an autoscaler with 60 % of a core does
Json = dict[str, Any]


def meta(name: str, **more: Any) -> Json:
    return {"name": name, "namespace": "shop", "uid": f"uid-{name}", **more}


def owned(kind: str, name: str) -> list[Json]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}]


def scaler(least: int = 2, most: int = 30, share: int = 60, **spec: Any) -> Json:
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}
    metric["resource"]["target"]["averageUtilization"] = share  # type: ignore[index]
    return {
        "metadata": meta("web"),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [metric],
            **spec,
        },
        "status": {"conditions": [{"type": "ScalingActive", "status": "True"}]},
    }


def objects(replicas: int = 4, scalers: list[Json] | None = None, kind: str = "Deployment") -> dict[str, list[Json]]:
    """A Deployment of so many pods that request a core each, on one large node."""
    pod: Json = {"containers": [{"name": "main", "image": "web:1", "resources": {"requests": {"cpu": "1"}}}]}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    started = "2025-10-08T08:53:20Z"  # a day before
    made: dict[str, list[Json]] = {
        "nodes": [
            {
                "metadata": {"name": "n1", "uid": "uid-n1"},
                "status": {"allocatable": {"cpu": "64", "memory": "256Gi", "pods": "110"}, "conditions": []},
            }
        ],
        "deployments": [
            {
                "metadata": meta("web"),
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
            }
        ],
        "replicasets": [
            {
                "metadata": meta("web-5d4", ownerReferences=owned("Deployment", "web"), labels=labels),
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
            }
        ],
        "pods": [
            {
                "metadata": meta(
                    f"web-5d4-{i}",
                    labels=labels,
                    ownerReferences=owned("ReplicaSet", "web-5d4"),
                    creationTimestamp=started,
                ),
                "spec": {"nodeName": "n1", **pod},
                "status": {"phase": "Running", "startTime": started},
            }
            for i in range(replicas)
        ],
    }
    return made if scalers is None else {**made, AUTOSCALERS: scalers}


def cluster(replicas: int = 4, scalers: list[Json] | None = None) -> ClusterSnapshot:
    return cluster_objects(objects(replicas, scalers), taken_at=NOW).snapshot()


def seen(counts: np.ndarray, now: int = 4) -> dict[str, History]:
    """CPU as it was measured of a replica, and how many there were."""
    cpu = history("cpu", {WEB: (TOTAL / counts).astype(np.float32)})
    levels = {("shop", f"web-5d4-{i}"): float(cpu.values[0, -12:].mean()) for i in range(now)}
    cpu = replace(cpu, replicas=np.full(1, now, np.float32), pod_level=levels)
    return {"cpu": cpu, "replicas": history("replicas", {WEB: counts.astype(np.float32)})}


def each(made: ClusterSnapshot, histories: dict[str, History]) -> np.ndarray:
    return with_shares(histories, made)["cpu"].values[0]


def test_an_autoscaler_that_acts_leaves_history_as_it_is() -> None:
    histories = seen(FOLLOWING)
    made = with_shares(histories, cluster(scalers=[scaler()]))["cpu"]
    np.testing.assert_allclose(made.values[0], histories["cpu"].values[0], rtol=0.25)
    assert made.values.max() < 0.75


@pytest.mark.parametrize(
    "paused",
    [
        [],
        [scaler(4, 4)],
        [{**scaler(), "status": {"conditions": [{"type": "ScalingActive", "status": "False"}]}}],
        [scaler(behavior={"scaleUp": {"selectPolicy": "Disabled"}, "scaleDown": {"selectPolicy": "Disabled"}})],
    ],
    ids=["deleted", "one number", "not active", "both ways disabled"],
)
def test_where_nobody_scales_any_more_the_replicas_of_now_have_all_of_it(paused: list[Json]) -> None:
    made = cluster(scalers=paused)
    histories = seen(FOLLOWING)
    np.testing.assert_allclose(each(made, histories), TOTAL / 4, rtol=0.15)
    profiles = profile(Observed(made, histories, NOW))["cpu"]
    told = profiles.profile(profiles.row(WEB))
    assert told.why == "its total, divided among 4 replicas"
    peak = float(profiles.curve(profiles.vectors[0] * 4, 0.5).max())
    assert peak == pytest.approx(TOTAL.max(), rel=0.1)


def test_no_more_than_the_most_replicas_share_the_load() -> None:
    made = each(cluster(scalers=[scaler(most=10)]), seen(FOLLOWING))
    assert made.max() == pytest.approx(TOTAL.max() / 10, rel=0.05)
    only_up = scaler(behavior={"scaleDown": {"selectPolicy": "Disabled"}})
    assert each(cluster(scalers=[only_up]), seen(FOLLOWING)).max() < 0.75
    only_down = scaler(behavior={"scaleUp": {"selectPolicy": "Disabled"}})
    assert each(cluster(scalers=[only_down]), seen(FOLLOWING)).max() == pytest.approx(TOTAL.max() / 4, rel=0.05)


def test_after_a_change_of_scale_each_has_its_part_and_pods_keep_their_weights() -> None:
    counts = np.where(TIMES[-1] - 1800 > TIMES, 8.0, 4.0)
    histories = seen(counts)
    made = with_shares(histories, cluster(scalers=[]))["cpu"]
    settled = np.abs(TIMES - (TIMES[-1] - 1800)) > 1800
    np.testing.assert_allclose((made.values[0] * 4)[settled], TOTAL[settled], rtol=0.02)
    before, after = histories["cpu"], made
    ratio = after.pod_level["shop", "web-5d4-0"] / before.pod_level["shop", "web-5d4-0"]
    assert ratio == pytest.approx(after.values[0, -12:].mean() / before.values[0, -12:].mean(), rel=0.01)


def test_where_autoscalers_cannot_be_read_nothing_is_divided() -> None:
    histories = seen(FOLLOWING)
    assert with_shares(histories, cluster()) is histories
    refused = cluster(scalers=[])
    refused = replace(refused, freshness={AUTOSCALERS: Freshness(AUTOSCALERS, NOW, error="forbidden")})
    assert with_shares(histories, refused) is histories


@pytest.mark.parametrize(
    "odd",
    [
        {"scaleTargetRef": "web"},
        {"maxReplicas": 0},
        {"maxReplicas": 2**40},
        {"minReplicas": 9, "maxReplicas": 3},
        {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageValue": "much"}}}]},
    ],
)
def test_an_autoscaler_that_makes_no_sense_is_none_that_is_foreseen(odd: Json) -> None:
    made = scaler()
    made["spec"].update(odd)
    found = autoscalers(cluster(scalers=[made]))
    assert found is not None
    assert found.get(WEB) is None
    histories = seen(FOLLOWING)
    if "scaleTargetRef" not in odd:
        np.testing.assert_array_equal(each(cluster(scalers=[made]), histories), histories["cpu"].values[0])


def test_two_autoscalers_of_one_workload_say_nothing() -> None:
    twice = [scaler(), {**scaler(most=3), "metadata": meta("other")}]
    assert autoscalers(cluster(scalers=twice)) == {WEB: None}


def test_a_recording_without_names_scales_as_the_cluster_does() -> None:
    spec = scaler(3, 9, behavior={"scaleDown": {"stabilizationWindowSeconds": 600, "selectPolicy": "Disabled"}})
    value = scaler(3, 9)
    value["spec"]["metrics"][0]["resource"]["target"] = {"type": "AverageValue", "averageValue": "500m"}
    for made in (spec, value):
        plain = cluster_objects(objects(scalers=[made]), taken_at=NOW)
        hidden = Anonymizer(b"k" * 32)
        known, unnamed = autoscalers(plain.snapshot()), autoscalers(hidden.objects(plain).snapshot())
        assert known is not None
        assert unnamed is not None
        (one,), (other,) = known.values(), unnamed.values()
        assert one is not None
        assert other is not None
        assert replace(other, name=one.name) == one


def test_a_fit_does_not_last_beyond_another_division() -> None:
    first = Observed(cluster(scalers=[]), seen(FOLLOWING), NOW)
    before = profile(first)
    again = profile(first, before)["cpu"]
    np.testing.assert_allclose(again.vectors, before["cpu"].vectors, rtol=1e-3, atol=1e-3)
    fewer = profile(Observed(cluster(2, scalers=[]), seen(FOLLOWING, now=2), NOW), before)["cpu"]
    fresh = profile(Observed(cluster(2, scalers=[]), seen(FOLLOWING, now=2), NOW))["cpu"]
    np.testing.assert_allclose(fewer.vectors, fresh.vectors, rtol=1e-3, atol=1e-3)
