"""PartialGangs: gangs that hold a part of what they need, and keep one another from the rest."""

from descheduler_strategies.partial_gangs.strategy import PartialGangs

__all__ = ["PartialGangs"]
