"""What a plan did not look at: a plan that finds nothing says so only of what it looked at."""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.model.format import plural
from descheduler.planning.planner import Outcome
from descheduler.planning.problems import ProblemKind


def unlooked(outcome: Outcome) -> Iterator[str]:
    """One sentence for each thing that the policy asks for and that was not looked at, whole or in part."""
    snapshot = outcome.view.snapshot
    if not outcome.chosen:
        yield "the policy names no strategy"
    if not snapshot.nodes:
        yield "there are no nodes"
    yield from (f"{one.by} did not run, {one.detail}" for one in outcome.without_history)
    without = {one.by for one in outcome.without_history}
    yield from (one.text for one in outcome.problems if one.kind is ProblemKind.STRATEGY and one.name not in without)
    yield from (one.text for one in outcome.problems if one.kind is ProblemKind.SIGNAL)
    unread = len(snapshot.problems) + len(outcome.context.given.units.problems)
    if unread:
        yield f"{plural(unread, 'object')} cannot be read"
