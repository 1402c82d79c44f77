"""QuotaReclaim: what a namespace is guaranteed, given back by those who borrowed it."""

from descheduler_strategies.quota_reclaim.strategy import QuotaReclaim

__all__ = ["QuotaReclaim"]
