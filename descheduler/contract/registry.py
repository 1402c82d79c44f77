"""Strategies and executors are found by entry point, the built-in ones like anyone's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from descheduler.contract.arguments import PluginArgs
from descheduler.contract.strategy import Strategy, StrategyArgs
from descheduler.model.errors import DeschedulerError, ExecutorError, StrategyError

API_VERSION = 1
P = TypeVar("P")


@runtime_checkable
class Configured(Protocol):
    """What every plug-in has, as far as a policy can tell."""

    name: ClassVar[str]
    Args: ClassVar[type[PluginArgs]]


@dataclass(frozen=True, slots=True)
class Registry(Generic[P]):
    """The plug-ins of one group of entry points.

    `narrow` gives back what is a plug-in of this kind, None for anything else; `shape` says to people what one needs;
    `error` makes the error of a plug-in's name and a text.
    """

    group: str
    narrow: Callable[[object], P | None]
    shape: str
    error: Callable[[str, str], DeschedulerError]

    def available(self) -> dict[str, EntryPoint]:
        """Every installed one by name, without importing any; two of one name are an error."""
        found: dict[str, EntryPoint] = {}
        for point in _installed(self.group):
            other = found.setdefault(point.name, point)
            if other.value != point.value:
                raise self.error(point.name, f"installed twice: {other.value} and {point.value}")
        return found

    def load(self, name: str) -> P:
        """An instance of it. Raises the registry's error: unknown, cannot be imported, breaks the contract."""
        point = self.available().get(name)
        if point is None:
            raise self.error(name, "is not installed")
        try:
            made = point.load()()
        except Exception as error:  # foreign code, which may raise anything as it is imported or made
            text = f"cannot be loaded from {point.value}: {type(error).__name__}: {error}"
            raise self.error(name, text) from error
        plugin = self.narrow(made)
        if plugin is None:
            raise self.error(name, f"{point.value} is not {self.shape}")
        version = getattr(plugin, "api_version", API_VERSION)
        if version != API_VERSION:
            raise self.error(name, f"speaks contract version {version}, this program {API_VERSION}")
        return plugin


@cache
def _installed(group: str) -> tuple[EntryPoint, ...]:
    """What is installed does not change while a process lives, and finding it means reading many files."""
    return tuple(sorted(entry_points(group=group), key=lambda p: (p.name, p.value)))


def _strategy(made: object) -> Strategy[Any] | None:
    return made if isinstance(made, Strategy) and issubclass(made.Args, StrategyArgs) else None


def _configured(made: object) -> Configured | None:
    return made if isinstance(made, Configured) and issubclass(made.Args, PluginArgs) else None


STRATEGIES: Registry[Strategy[Any]] = Registry(
    "descheduler.strategies", _strategy, "a strategy: it needs name, signals, Args and propose()", StrategyError
)
EXECUTORS: Registry[Configured] = Registry(
    "descheduler.executors", _configured, "an executor: it needs name and Args", ExecutorError
)
"""As a policy sees them; whoever acts asks more of them (`descheduler.execution.executors.registry`)."""


def available() -> dict[str, EntryPoint]:
    """Every installed strategy by name."""
    return STRATEGIES.available()


def load(name: str) -> Strategy[Any]:
    """An instance of the strategy. Raises StrategyError."""
    return STRATEGIES.load(name)
