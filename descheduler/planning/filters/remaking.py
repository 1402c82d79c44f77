"""Pods in whose place their controllers would make none that a plan could rely on."""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.planning.filters.context import Filter, FilterContext


def remaking_filters(context: FilterContext) -> Iterator[Filter]:
    """One filter for each reason that is found."""
    blocked = context.snapshot.remade.blocked
    for reason in dict.fromkeys(found.reason for found in blocked.values()):
        mask = context.nobody()
        mask[[at for at, found in blocked.items() if found.reason is reason]] = True
        yield Filter(reason, mask, blocked.__getitem__)
