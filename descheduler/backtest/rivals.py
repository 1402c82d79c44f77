"""Whom a policy can be held against, by the names that people type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from descheduler.backtest.contender import Maker
from descheduler.backtest.oracle import Oracle
from descheduler.backtest.peers import HighNodeUtilization, LowNodeLoad, LowNodeUtilization
from descheduler.model.errors import UsageError
from descheduler.model.meant import hint_at

ORACLE = Oracle()
RIVALS: Mapping[str, Maker] = MappingProxyType(
    {
        "lownodeutilization": LowNodeUtilization(),
        "highnodeutilization": HighNodeUtilization(),
        "lownodeload": LowNodeLoad(),
    }
)


def rivals(names: Iterable[str]) -> tuple[Maker, ...]:
    """The reference policies of these names, several of them joined by commas, in any case; each once.

    Raises:
        UsageError: nobody has such a name.
    """
    asked = dict.fromkeys(name.strip().lower() for text in names for name in text.split(",") if name.strip())
    for name in asked:
        if name not in RIVALS:
            raise UsageError(f"--against {name}: nobody is called that{hint_at(name, RIVALS)}")
    return tuple(RIVALS[name] for name in asked)
