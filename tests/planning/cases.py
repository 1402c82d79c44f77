"""Clusters that several tests look at, and plans of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from builders import GPU, NOW, cluster, key, node, pod
from descheduler.gangs import resolve
from descheduler.model.plan import PlanDocument
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.freshness import FreshnessRules
from descheduler.planning import (
    ChosenStrategy,
    Outcome,
    PlanningInput,
    PlanningSettings,
    build_document,
    decide,
    survey,
)
from descheduler.policy.history import HistoryPolicy
from descheduler.policy.planning import FreshnessPolicy
from descheduler_profiling.build import build
from descheduler_profiling.series import History
from descheduler_strategies.gpu_defragmentation.strategy import GpuDefragmentation, GpuDefragmentationArgs
from descheduler_strategies.hot_nodes import HotNodes, HotNodesArgs
from histories import history, peaking

SPARSE = PlanningSettings(freshness=FreshnessRules.of(FreshnessPolicy(), HistoryPolicy(min_coverage=0.0)))
"""History of a few pods is enough."""


def hot_args(**changes: object) -> HotNodesArgs:
    return HotNodesArgs.model_validate({"thresholds": {"cpu": 0.75}, **changes})


def gpu_args(**changes: object) -> GpuDefragmentationArgs:
    return GpuDefragmentationArgs.model_validate(changes)


def outcome(
    snapshot: ClusterSnapshot,
    histories: Sequence[History] = (),
    chosen: Sequence[ChosenStrategy] = (),
    settings: PlanningSettings | None = None,
    now: float = NOW,
) -> Outcome:
    profiles = {h.signal: build(h) for h in histories}
    given = PlanningInput(snapshot, resolve(snapshot), profiles, now)
    return decide(survey(given, settings or PlanningSettings()), chosen)


def planned(
    snapshot: ClusterSnapshot,
    histories: Sequence[History] = (),
    chosen: Sequence[ChosenStrategy] = (),
    settings: PlanningSettings | None = None,
    now: float = NOW,
) -> PlanDocument:
    return build_document(outcome(snapshot, histories, chosen, settings, now))


def hot(**changes: object) -> ChosenStrategy:
    return ChosenStrategy(HotNodes(), hot_args(**changes))


def gpus(**changes: object) -> ChosenStrategy:
    return ChosenStrategy(GpuDefragmentation(), gpu_args(**changes))


def hot_node(**more: object) -> tuple[ClusterSnapshot, list[History]]:
    """Node n1 holds four pods of `web`, which peak at 3 of 4 cores each in half an hour; n2 and n3 are nearly idle."""
    pods = [pod(f"web-{i}", cpu="2", node="n1") for i in range(4)]
    pods += [pod(f"idle-{i}", cpu="500m", node=f"n{2 + i}") for i in range(2)]
    pods += list(more.pop("pods", ()))  # type: ignore[call-overload]
    nodes = [node(f"n{i}", cpu="12") for i in (1, 2, 3)]
    snapshot = cluster(nodes, pods, **more)  # type: ignore[arg-type]
    series: Mapping[WorkloadKey, object] = {
        key("ReplicaSet", "web"): peaking(0.5, 2.9, minutes_ahead=20),
        key("ReplicaSet", "idle"): 0.1,
    }
    memory = dict.fromkeys(series, 64.0 * 2**20)
    return snapshot, [history("cpu", series), history("memory", memory)]  # type: ignore[arg-type]


def scattered_gpus(**more: object) -> ClusterSnapshot:
    """Three nodes of 8 GPUs: 1, 3 and 5 used by single-GPU pods; no slot of 8 is free."""
    pods = [pod("a-0", cpu="4", gpu=1, node="g1")]
    pods += [pod(f"b-{i}", cpu="4", gpu=1, node="g2") for i in range(3)]
    pods += [pod(f"c-{i}", cpu="4", gpu=1, node="g3") for i in range(5)]
    pods += list(more.pop("pods", ()))  # type: ignore[call-overload]
    nodes = [node(f"g{i}", cpu="96", memory="768Gi", gpu=8, model="H100") for i in (1, 2, 3)]
    return cluster(nodes, pods, **more)  # type: ignore[arg-type]


__all__ = ["GPU", "gpus", "hot", "hot_node", "outcome", "planned", "scattered_gpus"]
