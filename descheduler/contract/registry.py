"""Strategies are found by entry point, the built-in ones like anyone's."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from descheduler.contract.strategy import Strategy, StrategyArgs
from descheduler.model.errors import StrategyError

GROUP = "descheduler.strategies"
API_VERSION = 1


def available() -> dict[str, EntryPoint]:
    """Every installed strategy by name, without importing any; two of one name are an error."""
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise StrategyError(point.name, f"installed twice: {other.value} and {point.value}")
    return found


def load(name: str) -> Strategy[Any]:
    """An instance of the strategy. Raises StrategyError: unknown, cannot be imported, breaks the contract."""
    point = available().get(name)
    if point is None:
        raise StrategyError(name, "is not installed")
    try:
        strategy = point.load()()
    except Exception as error:  # foreign code, which may raise anything as it is imported or made
        raise StrategyError(name, f"cannot be loaded from {point.value}: {type(error).__name__}: {error}") from error
    if not isinstance(strategy, Strategy) or not issubclass(strategy.Args, StrategyArgs):
        raise StrategyError(name, f"{point.value} is not a strategy: it needs name, signals, Args and propose()")
    version = getattr(strategy, "api_version", API_VERSION)
    if version != API_VERSION:
        raise StrategyError(name, f"speaks contract version {version}, this program {API_VERSION}")
    return strategy
