"""Pods in whose place their controllers would make none that a plan could rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from descheduler.model.reasons import Reason
from descheduler.planning.filters.context import Filter, FilterContext


def named_node_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods whose controllers name the very node."""
    yield from _of(context, lambda reason: reason is Reason.RETURNS_TO_NODE)


def remaking_filters(context: FilterContext) -> Iterator[Filter]:
    """One filter for each other reason that is found."""
    yield from _of(context, lambda reason: reason is not Reason.RETURNS_TO_NODE)


def _of(context: FilterContext, concerned: Callable[[Reason], bool]) -> Iterator[Filter]:
    blocked = context.snapshot.remade.blocked
    for reason in filter(concerned, dict.fromkeys(found.reason for found in blocked.values())):
        mask = context.nobody()
        mask[[at for at, found in blocked.items() if found.reason is reason]] = True
        yield Filter(reason, mask, blocked.__getitem__)
