"""How a node stands to the limits of a strategy, for whoever asks about one node, whether it is a finding or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from descheduler.contract.strategy import Strategy, StrategyArgs
from descheduler.contract.view import RebalanceView
from descheduler.model.fence import fenced


@dataclass(frozen=True, slots=True)
class NodeLevel:
    """A `value` of a node beside the strategy's own `limit`, both fractions; `beyond`: the node is one for it."""

    measure: str
    value: float
    limit: float
    beyond: bool


def node_levels(strategy: Strategy[Any], view: RebalanceView, args: StrategyArgs, node: int) -> tuple[NodeLevel, ...]:
    """What the strategy's `node_levels(view, args, node)` says, if it has one; nothing where it fails."""
    asked = getattr(strategy, "node_levels", None)
    return fenced(partial(_asked, asked, view, args, node), lambda _why: ()) if asked is not None else ()


def _asked(asked: Any, view: RebalanceView, args: StrategyArgs, node: int) -> tuple[NodeLevel, ...]:
    found: Iterable[NodeLevel] = asked(view, args, node)
    return tuple(found)
