"""One focus after the other: what goes wrong with one node or workload costs the answers about that one alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from descheduler.model.fence import in_words
from descheduler.model.moves import Finding, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject

T = TypeVar("T")


def each(
    foci: Iterable[T], finding: Callable[[T], Finding], answers: Callable[[T], Iterable[Proposal | Observation]]
) -> Iterator[Proposal | Observation]:
    """The `answers` about each focus, in their order.

    Where they raise, what was answered before stands, and the `finding` of the focus is left alone with
    STRATEGY_FAILED, which the plan reports as a problem. State that is shared must be written when an answer is
    certain, and not before.
    """
    for focus in foci:
        try:
            yield from answers(focus)
        except Exception as error:  # noqa: BLE001  whatever it is, it is about this focus alone
            found = finding(focus)
            yield Observation(found, Blocked(Reason.STRATEGY_FAILED, str(found.subject), in_words(error)))


def unanswered(strategy: str, subject: Subject) -> Finding:
    """A finding of which nothing is known but what it would be about."""
    return Finding(strategy, subject, "", 0.0, 0.0, f"{strategy} failed for {subject}")
