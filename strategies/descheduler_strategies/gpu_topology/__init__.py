"""GpuTopology: jobs on badly linked GPUs move where they run faster. Begin with `strategy`."""

from descheduler_strategies.gpu_topology.strategy import GpuTopology

__all__ = ["GpuTopology"]
