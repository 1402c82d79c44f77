"""What a strategy is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from descheduler.contract.arguments import PluginArgs
from descheduler.contract.view import RebalanceView
from descheduler.model.moves import Observation, Proposal

ORDER = 100
"""When a strategy is asked that says nothing of it."""


class StrategyArgs(PluginArgs):
    """Base of every strategy's arguments."""

    def doubts(self) -> Iterable[tuple[tuple[str, ...], str]]:
        """What in them is valid and can hardly be meant: the place within them as a policy has it, and why."""
        return ()


A = TypeVar("A", bound=StrategyArgs, contravariant=True)


@runtime_checkable
class Strategy(Protocol[A]):
    """A strategy: a name, its arguments, and one pure function.

    `signals` names the history signals that it needs ("cpu", "gpu", …); without them it is not run. It may also have
    `optional_signals`, read for it where they can be; it says itself what it does without them (`RebalanceView.usage`).
    What it needs besides because of its arguments, its `needs(args)` says (`needs_of`).
    With an `order`, those of lower ones are asked first, and it sees the state that these leave (`order_of`).
    How one node stands to its limits, its `node_levels(view, args, node)` says, for who asks about the node.
    """

    name: ClassVar[str]
    signals: ClassVar[tuple[str, ...]]
    Args: ClassVar[type[StrategyArgs]]

    def propose(self, view: RebalanceView, args: A) -> Iterable[Proposal | Observation]:
        """Proposals, and findings that are left alone with the reason; in a deterministic order."""
        ...


def order_of(strategy: Strategy[Any]) -> int:
    """When the strategy is asked: before those of higher orders, together with those of its own."""
    return int(getattr(strategy, "order", ORDER))
