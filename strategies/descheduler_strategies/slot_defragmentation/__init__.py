"""SlotDefragmentation: free CPU and memory that is scattered over nodes is made whole. Begin with `strategy`."""

from descheduler_strategies.slot_defragmentation.strategy import SlotDefragmentation

__all__ = ["SlotDefragmentation"]
