"""What a strategy needs beyond the cluster and its `signals`, as its arguments say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from descheduler.contract.strategy import Strategy, StrategyArgs


@dataclass(frozen=True, slots=True)
class Needs:
    """`signals` of the history by name; `queries` of nodes, PromQL by the name under which `view.usage` has the answer:
    a series for each node, called by its label `instance`, with values from 0 to 1; `metrics`: what nodes and pods use
    now (`snapshot.metrics`); `cordons`: its actions may cordon nodes."""

    signals: tuple[str, ...] = ()
    queries: Mapping[str, str] = field(default_factory=dict)
    metrics: bool = False
    cordons: bool = False


def needs_of(strategy: Strategy[Any], args: StrategyArgs) -> Needs:
    """What the strategy's `needs(args)` says, if it has one."""
    asked = getattr(strategy, "needs", None)
    needs = asked(args) if asked is not None else Needs()
    return needs if isinstance(needs, Needs) else Needs()
