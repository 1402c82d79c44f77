"""GpuDefragmentation: free GPU capacity that is scattered is made usable again. Begin with `strategy`."""

from descheduler_strategies.gpu_defragmentation.strategy import GpuDefragmentation

__all__ = ["GpuDefragmentation"]
