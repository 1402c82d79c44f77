"""From nodes as GPU feature discovery labels them and series as exporters write them to what a plan calls idle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from controlplane.prometheus import PrometheusServer, Series
from descheduler.gangs import resolve
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.history import owners
from descheduler.planning import ChosenStrategy, PlanningInput, PlanningSettings, build_document, decide, survey
from descheduler_profiling.build import build
from descheduler_profiling.history.collect import collect
from descheduler_profiling.history.signals import builtin_signals
from descheduler_strategies.idle_gpu.args import IdleGpuArgs
from descheduler_strategies.idle_gpu.strategy import IdleGpu
from history.world import NOW, client, gauge, times
from kube.wire_objects import container, node, pod

Json = dict[str, Any]
Start = Callable[..., PrometheusServer]
AT = times(2 * 3600)
GPU = "nvidia.com/gpu"
ENGINE, UTIL, USED = "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED"
A100 = "NVIDIA-A100-SXM4-40GB"


def gpu_node(name: str, product: str, count: int, replicas: int, strategy: str = "none", **allocatable: int) -> Json:
    told = {"product": product, "count": count, "replicas": replicas, "memory": 40960, "sharing-strategy": strategy}
    labels = {f"{GPU}.{key}": str(value) for key, value in told.items()}
    return node(name, metadata={"labels": labels}, **{key: str(value) for key, value in allocatable.items()})


def user(name: str, at: str, resource: str = GPU) -> Json:
    """A pod alone in its StatefulSet, up since long before."""
    meta = {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "controller": True}]}
    meta["ownerReferences"][0]["uid"] = f"uid-{name}"
    return pod(
        f"{name}-0",
        container(requests={resource: "1"}, limits={resource: "1"}),
        node=at,
        metadata={**meta, "creationTimestamp": "2025-06-01T08:00:00Z"},
        status={"startTime": "2025-06-01T08:00:00Z"},
    )


def told(metric: str, name: str, at: str, gpu: int, value: float, **more: str) -> Series:
    labels = {"Hostname": at, "gpu": str(gpu), "UUID": f"GPU-{at}-{gpu}", "device": f"nvidia{gpu}", "modelName": "A100"}
    holder = {"namespace": "shop", "pod": f"{name}-0", "container": "main"} if name else {}
    return gauge(metric, AT, np.full(AT.shape, value), **labels, **holder, **more)


def cluster() -> ClusterSnapshot:
    nodes = [
        gpu_node("new", A100, 4, 1, **{GPU: 4}),
        gpu_node("old", A100, 2, 1, **{GPU: 2}),
        gpu_node("mig", f"{A100}-MIG-1g.5gb", 28, 1, **{GPU: 28}),
        gpu_node("turns", f"{A100}-SHARED", 1, 4, "time-slicing", **{GPU: 4}),
        gpu_node("mixed", A100, 1, 0, **{"nvidia.com/mig-2g.10gb": 3}),
    ]
    pods = [
        *(user(name, "new") for name in ("no-licence", "at-rest", "ratio")),
        *(user(name, "old") for name in ("percent-busy", "percent-idle")),
        *(user(name, "mig") for name in ("slice-busy", "slice-idle", "slice-blind")),
        *(user(name, "turns") for name in ("turn-a", "turn-b")),
        user("mixed-idle", "mixed", "nvidia.com/mig-2g.10gb"),
    ]
    return snapshot_from_objects({"nodes": nodes, "pods": pods}, taken_at=float(NOW))


def series(turns: float) -> list[Series]:
    def part(number: int, profile: str = "1g.5gb") -> dict[str, str]:
        return {"GPU_I_ID": str(number), "GPU_I_PROFILE": profile}

    return [
        *(told(ENGINE, "no-licence", "new", 0, 0.0), told(UTIL, "no-licence", "new", 0, 0.97)),
        *(told(ENGINE, "at-rest", "new", 1, 0.0), told(UTIL, "at-rest", "new", 1, 0.0)),
        *(told(ENGINE, "ratio", "new", 2, 0.88), told(UTIL, "ratio", "new", 2, 0.9)),
        *(told(UTIL, "percent-busy", "old", 0, 97.0), told(UTIL, "percent-idle", "old", 1, 1.0)),
        *(told(UTIL, "slice-busy", "mig", 0, 0.0, **part(7)), told(ENGINE, "slice-busy", "mig", 0, 0.6, **part(7))),
        *(told(UTIL, "slice-idle", "mig", 0, 0.0, **part(8)), told(ENGINE, "slice-idle", "mig", 0, 0.0, **part(8))),
        told(UTIL, "slice-blind", "mig", 0, 0.0, **part(9)),
        told(UTIL, "turn-b", "turns", 0, turns),
        told(ENGINE, "mixed-idle", "mixed", 0, 0.0, **part(3, "2g.10gb")),
        *(told(USED, name, at, gpu, 20_000.0) for name, at, gpu in (("at-rest", "new", 1), ("turn-b", "turns", 0))),
    ]


def planned(server: PrometheusServer, snapshot: ClusterSnapshot) -> PlanDocument:
    wanted = [builtin_signals()[name] for name in IdleGpu.optional_signals]
    with client(server.url) as asking:
        histories = collect(asking, wanted, now=NOW, window_seconds=7200, owner_of=owners(snapshot))
    assert all(one.complete for one in histories.values()), [one.problems for one in histories.values()]
    given = PlanningInput(
        snapshot,
        resolve(snapshot),
        {name: build(one) for name, one in histories.items()},
        float(NOW),
        histories=histories,
    )
    chosen = [ChosenStrategy(IdleGpu(), IdleGpuArgs.model_validate({"window": "50m"}))]
    return build_document(decide(survey(given, PlanningSettings()), chosen))


@pytest.mark.parametrize(("turns", "shared"), [(0.0, {"turn-a": 0.25, "turn-b": 0.25}), (80.0, {})])
def test_idle_is_what_no_series_speaks_against(
    prometheus_server: Start, turns: float, shared: dict[str, float]
) -> None:
    document = planned(prometheus_server(series(turns)), cluster())
    idle = {f.subject.rpartition("/")[2]: f.value for f in document.findings if f.subject.startswith("workload/")}
    assert idle == pytest.approx(
        {"at-rest": 1.0, "percent-idle": 1.0, "slice-idle": 1 / 7, "mixed-idle": 2 / 7, **shared}
    )
    (refusal,) = [r for r in document.refusals if r.reason == Reason.DATA_MISSING.value]
    assert "1 pod: were not measured for" in refusal.detail  # slice-blind
    assert "1 pod: have metrics that disagree" in refusal.detail  # no-licence
    assert ("2 pods: share GPUs that are in use" in refusal.detail) == (not shared)
    assert document.gpus is not None
    devices = {r.name: (r.devices, r.units) for r in document.gpus.nodes}
    assert devices == {"new": (4, 1), "old": (2, 1), "mig": (4, 7), "turns": (1, 4)}
    assert document.actions == ()
