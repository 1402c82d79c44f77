"""IdleGpu: GPUs that are allocated and do no work. Begin with `strategy`."""

from descheduler_strategies.idle_gpu.strategy import IdleGpu

__all__ = ["IdleGpu"]
