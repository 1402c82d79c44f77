"""What must be disrupted together: gangs of every dialect, and what an eviction sets off."""

from descheduler.units.dialects import DIALECTS
from descheduler.units.gangs import BaseDialect, Dialect, GangKey, Rank, Terms
from descheduler.units.lookup import Lookup
from descheduler.units.resolve import Units, resolve

__all__ = ["DIALECTS", "BaseDialect", "Dialect", "GangKey", "Lookup", "Rank", "Terms", "Units", "resolve"]
