"""GPU maps to render: one that shows every kind of device, and one of any size."""

from __future__ import annotations

from dataclasses import replace

from descheduler.model.plan import PlanDocument, SeatRow
from descheduler.model.plan_gpus import GpuCapacity, GpuCapacityRow, GpuHold, GpuMap, GpuNodeRow
from report.plans import actions, findings, large_plan, plan

CHAT, EMBED = "ml/Deployment/chat", "ml/Deployment/embed"


def hold(pod: str, workload: str, devices: tuple[int, ...] = (), milli: int = 1000, count: int = 0) -> GpuHold:
    """`devices` as the kubelet's status tells them; with a `count` nobody does."""
    return GpuHold(f"ml/{pod}", workload, count or len(devices), milli, devices, "status" if devices else "")


def row(name: str, before: tuple[GpuHold, ...], after: tuple[GpuHold, ...] | None = None, **more: object) -> GpuNodeRow:
    def free(holds: tuple[GpuHold, ...]) -> int:
        return 8 - sum(h.count for h in holds)

    made = GpuNodeRow(
        name, "gpu", "H100", "nvidia.com/gpu", 8, free(before), free(before if after is None else after), before, after
    )
    return replace(made, **more)  # type: ignore[arg-type]


def capacity(whole: float, eights: tuple[int, int]) -> GpuCapacityRow:
    def at(slots: int) -> GpuCapacity:
        return GpuCapacity(whole, 0.5, 1.0, {"1": int(whole), "2": 12, "4": 5, "8": slots}, slots)

    return GpuCapacityRow("gpu", "H100", 4, 32, at(eights[0]), at(eights[1]))


def gpu_map() -> GpuMap:
    """gpu-04 is vacated (a4 of the plan), gpu-05 and gpu-10 take its pods; gpu-11 has a part, a broken and a guess."""
    leaving = (hold("chat-5b8c4f-00000", CHAT, (1,)), hold("chat-5b8c4f-00006", CHAT, (6,)))
    beside = (hold("embed-5b8c5f-00000", EMBED, (0,)),)
    arrived = replace(leaving[0], devices=(), source="")
    parts = (
        hold("vision-a", "ml/Deployment/vision", (2,), milli=300),
        hold("vision-b", "ml/Deployment/vision", (2,), milli=200),
        hold("blind", "ml/Job/blind", count=2),
    )
    other = replace(leaving[1], devices=(3,))
    return GpuMap(
        capacity=(capacity(26.0, (0, 1)),),
        nodes=(
            row("gpu-04", leaving, ()),
            row("gpu-05", beside, (*beside, arrived)),
            row("gpu-10", (), (other,), steerable=True, source="dra"),
            row("gpu-11", parts, unhealthy=(7,), indices=(0, 1, 2, 3, 4, 5, 6, 7), problem="pods x and y hold GPU 2"),
        ),
        left_out=3,
        unsteerable=6,
    )


def gpu_plan() -> PlanDocument:
    """The realistic plan with a map, a bound for its slots, and a pending gang that its bundle makes room for."""
    hot, slots, spike = findings()
    *others, bundle = actions()
    seats = tuple(SeatRow("ml", f"pretrain-{i}", "gpu-04") for i in range(2))
    staged = replace(bundle, room_for=seats, steer=("gpu-04",), stage=2, stages=2, bundle="a3")
    bounded = replace(slots, value=14.0, after=22.0, threshold=30.0, bound=24.0, numbers={"moves allowed": 35.0})
    return plan(gpus=gpu_map(), findings=(hot, bounded, spike), actions=(*others, staged))


def large_gpu_plan(nodes: int = 1500) -> PlanDocument:
    """So many nodes with GPUs, all of which change."""
    rows = tuple(
        row(
            f"gpu-node-{i:05d}.cluster.example",
            tuple(hold(f"worker-{i}-{d}-7d9f8c", f"team-{i % 40}/Deployment/worker-{i}", (d,)) for d in range(7)),
            tuple(hold(f"worker-{i}-{d}-7d9f8c", f"team-{i % 40}/Deployment/worker-{i}", (d,)) for d in range(5)),
        )
        for i in range(nodes)
    )
    return replace(large_plan(), gpus=GpuMap((capacity(900.0, (0, 4)),), rows, left_out=5, unsteerable=nodes))
