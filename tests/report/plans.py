"""Plan documents to render: a realistic one, an empty one, one that must not be acted on, and one of any size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from descheduler.model.plan import (
    PLAN_FORMAT,
    PLAN_VERSION,
    Action,
    AwayRow,
    BudgetRow,
    CostRow,
    EvidenceRow,
    FindingRow,
    NodeRow,
    NodeUse,
    PlanDocument,
    PodMove,
    ProofRow,
    RefusalRow,
    SettingRow,
    SourceRow,
)
from descheduler.model.reasons import EXPLANATION, Reason

CREATED = 1_793_275_200.0  # 2026-10-29T12:00:00Z
HORIZON = 3600


def curve(low: float, high: float, peak_minute: float, width: float = 90.0, steps: int = 72) -> tuple[float, ...]:
    """Five-minute steps of a bump over a base."""
    minutes = [5.0 * (i + 1) for i in range(steps)]
    return tuple(round(low + (high - low) * math.exp(-(((m - peak_minute) / width) ** 2)), 4) for m in minutes)


def move(
    pod: str, source: str, destination: str, namespace: str = "shop", share: float = 0.93, **requests: str
) -> PodMove:
    named = {"nvidia.com/gpu" if k == "gpu" else k: v for k, v in (requests or {"cpu": "1", "memory": "1.5Gi"}).items()}
    return PodMove(
        namespace=namespace,
        pod=pod,
        uid=f"uid-{pod}",
        workload=f"{namespace}/Deployment/{pod.split('-')[0]}",
        source=source,
        destination=destination,
        requests=named,
        proof=ProofRow(
            candidates=24,
            expected=destination,
            expected_share=share,
            alternatives=("general-22", "general-05"),
            rejected={"Insufficient cpu": 3, "untolerated taint {nvidia.com/gpu: present}": 12},
            destination_peaks={"cpu": 0.52, "memory": 0.47},
            text=f"24 other nodes can take it; the scheduler most likely picks {destination}",
        ),
    )


def refusal(
    reason: Reason, subject: str, by: str = "", detail: str = "", finding: str = "f1", count: int = 1
) -> RefusalRow:
    strategy = "GpuDefragmentation" if finding == "f2" else "HotNodes"
    return RefusalRow(reason.value, EXPLANATION[reason], subject, by, detail, strategy, finding, count)


def evidence() -> EvidenceRow:
    """A day that came a little above what was forecast at its top."""
    forecast = curve(0.3, 0.9, 720, 120, 96)
    return EvidenceRow(
        quantile=0.95,
        workloads=5,
        samples=10_080,
        confidence=0.9,
        covered=1.0,
        step_seconds=900,
        forecast=forecast,
        came=tuple(round(0.97 * level, 4) for level in forecast),
        compared=288,
        under=0.94,
        usual=curve(0.3, 0.84, 75),
    )


def settings() -> tuple[SettingRow, ...]:
    return (
        SettingRow("mode", "dry-run"),
        SettingRow("limits.perWorkload", "25%", "10%"),
        SettingRow("limits.perCycle", "max(50, 0.2%)"),
        SettingRow("HotNodes.thresholds", "cpu: 0.75, memory: 0.85"),
    )


def findings() -> tuple[FindingRow, ...]:
    hot = FindingRow(
        id="f1",
        strategy="HotNodes",
        subject="node/general-07",
        measure="p95 cpu in the next 1 h, fraction of allocatable",
        resource="cpu",
        value=0.914,
        threshold=0.75,
        after=0.683,
        outcome="cured",
        text="node general-07: p95 cpu reaches 91% of allocatable in the next 1 h (threshold 75%),"
        " above it for 145 min",
        nodes=("general-07",),
        since=CREATED + 1500,
        until=CREATED + 1500 + 145 * 60,
        evidence=evidence(),
        curve=curve(0.46, 0.95, 75),
        curve_after=curve(0.34, 0.70, 75),
        step_seconds=300,
    )
    gpu = FindingRow(
        id="f2",
        strategy="GpuDefragmentation",
        subject="gpu/nvidia.com/gpu",
        measure="free slots of 8 nvidia.com/gpu on one node",
        resource="nvidia.com/gpu",
        value=0.0,
        threshold=1.0,
        after=1.0,
        outcome="cured",
        text="0 of 1 wanted slots of 8 GPUs are free",
    )
    spike = FindingRow(
        id="f3",
        strategy="HotNodes",
        subject="node/general-19",
        measure="p95 cpu in the next 1 h, fraction of allocatable",
        resource="cpu",
        value=0.81,
        threshold=0.75,
        after=0.81,
        outcome="left-alone",
        text="node general-19: p95 cpu reaches 81% of allocatable in the next 1 h (threshold 75%), above it for 10 min",
        nodes=("general-19",),
        since=CREATED + 1500,
        until=CREATED + 2100,
        curve=curve(0.35, 0.81, 30, 6),
        step_seconds=300,
    )
    return hot, gpu, spike


def actions() -> tuple[Action, ...]:
    budget = BudgetRow("shop/checkout", "PodDisruptionBudget", 3, 1)
    cooled = Action(
        id="a1",
        wave=0,
        strategy="HotNodes",
        finding="f1",
        unit="pod/shop/checkout-7d9f8c-00002",
        gang=False,
        executor="evict",
        pods=(move("checkout-7d9f8c-00002", "general-07", "general-03"),),
        benefit=0.118,
        worth=6300.0,
        cost=CostRow(90.0, {"restart": 30.0, "warm-up": 60.0, "lost work": 0.0}, "90 core-seconds against 6300 gained"),
        budgets=(budget, BudgetRow("node/general-07", "limit", 8, 1), BudgetRow("cycle", "limit", 50, 1)),
        note="cpu 91% → 80%",
        away=(AwayRow("shop/Deployment/checkout", 1, 12, 90.0),),
    )
    second = replace(
        cooled,
        id="a2",
        wave=1,
        unit="pod/shop/checkout-7d9f8c-00004",
        pods=(move("checkout-7d9f8c-00004", "general-07", "general-16", share=0.88),),
        benefit=0.113,
        worth=2900.0,
        budgets=(
            replace(budget, used=2),
            BudgetRow("node/general-07", "limit", 8, 2),
            BudgetRow("cycle", "limit", 50, 2),
        ),
        note="cpu 80% → 68%",
    )
    gang = Action(
        id="a3",
        wave=0,
        strategy="HotNodes",
        finding="f1",
        unit="gang/batch/shuffle",
        gang=True,
        away=(AwayRow("batch/Deployment/shuffle", 2, 2, 90.0), AwayRow("batch/Deployment/driver", 1, 1, 90.0)),
        executor="evict",
        pods=tuple(
            move(f"shuffle-{i}", source, target, "batch", cpu="2", memory="3Gi")
            for i, (source, target) in enumerate((("general-07", "general-12"), ("general-11", "general-14")))
        ),
        benefit=0.05,
        worth=4100.0,
        cost=CostRow(
            2160.0, {"restart": 120.0, "warm-up": 240.0, "lost work": 1800.0}, "2160 core-seconds against 4100 gained"
        ),
        budgets=(BudgetRow("cycle", "limit", 50, 4),),
        also_restarted=("batch/shuffle-driver",),
        note="moves whole: its group restarts together",
    )
    bundle = Action(
        id="a4",
        wave=0,
        strategy="GpuDefragmentation",
        finding="f2",
        unit="2 pods",
        gang=False,
        away=(AwayRow("ml/Deployment/chat", 2, 10, 90.0),),
        executor="evict",
        pods=(
            move("chat-5b8c4f-00000", "gpu-04", "gpu-05", "ml", cpu="6", memory="48Gi", gpu="1"),
            move("chat-5b8c4f-00006", "gpu-04", "gpu-10", "ml", share=0.71, cpu="6", memory="48Gi", gpu="1"),
        ),
        benefit=1.0,
        worth=576000.0,
        cost=CostRow(
            4680.0, {"restart": 1560.0, "warm-up": 3120.0, "lost work": 0.0}, "4680 core-seconds against 576000 gained"
        ),
        budgets=(BudgetRow("ml/chat", "PodDisruptionBudget", 2, 2), BudgetRow("cycle", "limit", 50, 6)),
        note="vacates gpu-04: 0 → 1 free slots of 8 GPUs",
    )
    return cooled, second, gang, bundle


def refusals() -> tuple[RefusalRow, ...]:
    return (
        refusal(Reason.DISRUPTION_BUDGET, "pod/shop/cart-7d9f4c-00000", "pdb/shop/cart", "0 of 0 allowed"),
        refusal(Reason.GANG_WOULD_TEAR, "pod/batch/solver-0-x0k4", "gang/batch/solver", "4 alive, minimum 4"),
        refusal(Reason.DAEMON_SET, "pod/kube-system/node-agent-00007", count=2),
        refusal(
            Reason.SPIKE_PASSES,
            "finding/node/general-19",
            "node/general-19",
            "over in 10 min, a move pays from 15 min",
            "f3",
        ),
        refusal(Reason.LOCAL_STORAGE, "pod/search/ingest-7d9f6c-00001", "volume scratch", "emptyDir"),
        refusal(Reason.DESTINATION_HOT, "pod/shop/checkout-7d9f8c-00005", "node/general-21", "would reach 84% of cpu"),
        refusal(
            Reason.NO_PLACE,
            "pod/ml/vision-5b8c6f-00003",
            "pod/ml/vision-5b8c6f-00003",
            "12 nodes: Insufficient nvidia.com/gpu",
            "f2",
        ),
    )


def nodes(general: int = 28, gpu: int = 12, changed: Iterable[str] = ()) -> tuple[NodeRow, ...]:
    """General nodes between 30 and 70 %, general-07 hot before; GPU nodes 0-3 full, the others scattered."""
    out: list[NodeRow] = []
    for i in range(general):
        level = 0.32 + 0.36 * ((i * 37) % 97) / 97
        before = NodeUse(
            round(level + 0.06, 4), round(level, 4), round(level, 4), round(level * 0.9, 4), 0.0, 9 + i % 5
        )
        after = before
        if i == 7:
            before = NodeUse(0.71, 0.40, 0.914, 0.42, 0.0, 14)
            after = NodeUse(0.55, 0.33, 0.683, 0.36, 0.0, 11)
        elif i in (3, 12, 14, 16):
            after = replace(before, cpu_peak=round(before.cpu_peak + 0.09, 4), pods=before.pods + 1)
        out.append(NodeRow(f"general-{i:02d}", "general", 0, i != 23, before, after))
    for i in range(gpu):
        used = 8.0 if i < 4 else (2.0, 3.0, 4.0, 5.0, 3.0, 4.0, 2.0, 5.0)[(i - 4) % 8]
        before = NodeUse(0.86 if i < 4 else 0.2, 0.6, 0.5 if i < 4 else 0.14, -1.0, used, 4 + int(used))
        after = before
        if i == 4:
            after = replace(before, gpus_used=0.0, pods=4)
        elif i in (5, 10):
            after = replace(before, gpus_used=used + 1, pods=before.pods + 1)
        out.append(NodeRow(f"gpu-{i:02d}", "gpu", 8, True, before, after))
    return tuple(out)


def sources() -> tuple[SourceRow, ...]:
    counts = {"jobs": 2, "namespaces": 6, "nodes": 40, "poddisruptionbudgets": 14, "pods": 231, "replicasets": 21}
    kinds = [SourceRow(kind, "fresh", 3.2, count) for kind, count in counts.items()]
    kinds.append(SourceRow("scheduling.k8s.io/PodGroup", "absent", 0.0, 0, "not served"))
    history = [SourceRow(f"history/{name}", "fresh", 148.0, 31) for name in ("cpu", "memory")]
    return (*kinds, *history, SourceRow("history/gpu", "stale", 1980.0, 4, "newest point is 1980 s old"))


def plan(**changes: object) -> PlanDocument:
    """One hot node, a spike left alone, a gang that moves whole, a bundle of GPU moves, and refusals of seven kinds."""
    document = PlanDocument(
        format=PLAN_FORMAT,
        version=PLAN_VERSION,
        id="4f2a91c03d7e",
        created=CREATED,
        product="0.1.0",
        cluster="example",
        policy_hash="9b621875ab6e",
        horizon_seconds=HORIZON,
        sources=sources(),
        findings=findings(),
        actions=actions(),
        refusals=refusals(),
        nodes=nodes(),
        summary={
            "nodes": 40.0,
            "pods": 231.0,
            "gangs": 3.0,
            "findings": 3.0,
            "actions": 4.0,
            "moves": 6.0,
            "restarts": 7.0,
            "waves": 2.0,
            "movable_pods": 148.0,
            "hot_nodes_before": 1.0,
            "hot_nodes_after": 0.0,
            "whole_gpu_nodes_before": 0.0,
            "whole_gpu_nodes_after": 1.0,
        },
        problems=("history of gpu is stale: newest point is 1980 s old",),
        staying={"DaemonSetPod": 70, "DisruptionBudget": 11, "BarePod": 2},
        settings=settings(),
    )
    return replace(document, **changes)  # type: ignore[arg-type]


def empty_plan() -> PlanDocument:
    """Nothing found, nothing refused."""
    calm = dict.fromkeys(plan().summary, 0.0) | {"nodes": 40.0, "pods": 231.0, "movable_pods": 148.0}
    return plan(findings=(), actions=(), refusals=(), problems=(), summary=calm, sources=sources()[:-1])


def blocked_plan() -> PlanDocument:
    """Nothing may be executed, because pods are stale."""
    return plan(findings=(), actions=(), refusals=(), acting_blocked="pods: 3600 s old")


def large_plan(count: int = 5000, hot: int = 100, refused: int = 3000) -> PlanDocument:
    """`count` nodes, one in ten with GPUs; `hot` findings with one action each; `refused` refusals."""
    gpu = count // 10
    rows = nodes(count - gpu, gpu)
    template, act = findings()[0], actions()[0]
    found = tuple(
        replace(template, id=f"f{i}", subject=f"node/general-{i}", nodes=(f"general-{i}",), value=0.8 + (i % 20) / 100)
        for i in range(hot)
    )
    acts = tuple(
        replace(act, id=f"a{i}", finding=f"f{i}", wave=i // 10, pods=(move(f"web-{i}", f"general-{i}", "general-3"),))
        for i in range(hot)
    )
    kinds = (Reason.DISRUPTION_BUDGET, Reason.LOCAL_STORAGE, Reason.NO_PLACE, Reason.BARE_POD, Reason.NOT_WORTH_IT)
    held = tuple(
        refusal(
            kinds[i % 5],
            f"pod/team-{i % 40}/service-{i}-7d9f8c-x{i}",
            f"pdb/team-{i % 40}/service",
            "0 allowed",
            f"f{i % hot}",
        )
        for i in range(refused)
    )
    summary = dict(plan().summary) | {
        "nodes": float(count),
        "pods": 30.0 * count,
        "findings": float(hot),
        "actions": float(hot),
        "moves": float(hot),
        "restarts": float(hot),
        "waves": float(math.ceil(hot / 10)),
        "hot_nodes_before": float(hot),
    }
    return plan(nodes=rows, findings=found, actions=acts, refusals=held, summary=summary)
