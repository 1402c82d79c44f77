"""The filter of disruption windows: outside them nothing moves."""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.context import Filter, FilterContext
from descheduler.planning.filters.schedule import Opening, open_windows


def window_filters(context: FilterContext) -> Iterator[Filter]:
    """Pods whose namespace has no open window. One that no window is for stays too; without windows all may go."""
    if not context.policy.windows:
        return
    openings = open_windows(context.policy.windows, context.now)

    def closed(namespace: str) -> bool:
        return not any(o.is_open and o.window.covers(namespace) for o in openings)

    yield Filter(
        Reason.OUTSIDE_WINDOW, context.by_namespace(closed), lambda i: _refusal(openings, context.pods[i].namespace)
    )


def _refusal(openings: tuple[Opening, ...], namespace: str) -> Blocked:
    own = [o for o in openings if o.window.covers(namespace)]
    if not own:
        return Blocked(Reason.OUTSIDE_WINDOW, f"namespace/{namespace}", "no window is for it")
    never = float("inf")
    soonest = min(own, key=lambda o: o.opens.timestamp() if o.opens else never)
    return Blocked(Reason.OUTSIDE_WINDOW, f"window/{soonest.window.schedule}", soonest.text())
