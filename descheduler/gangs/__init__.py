"""What must be disrupted together: gangs of every dialect, and what an eviction sets off."""

from descheduler.gangs.dialects import DIALECTS
from descheduler.gangs.lookup import Lookup
from descheduler.gangs.resolve import Units, resolve
from descheduler.gangs.vocabulary import BaseDialect, Dialect, GangKey, Rank, Terms

__all__ = ["DIALECTS", "BaseDialect", "Dialect", "GangKey", "Lookup", "Rank", "Terms", "Units", "resolve"]
