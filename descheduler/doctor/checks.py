"""One thing that was looked at: what it is like, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from descheduler.model.errors import DeschedulerError, Forbidden


class Verdict(StrEnum):
    """`warning`: worth knowing, and a plan can be trusted all the same; after a `failure` none can."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Check:
    """`text` says what was found, `mend` what to do; `details` are more lines for those who look closely."""

    area: str
    subject: str
    verdict: Verdict
    text: str
    mend: str = ""
    details: tuple[str, ...] = ()


def ok(area: str, subject: str, text: str, details: Iterable[str] = ()) -> Check:
    return Check(area, subject, Verdict.OK, text, details=tuple(details))


def warning(area: str, subject: str, text: str, mend: str = "", details: Iterable[str] = ()) -> Check:
    return Check(area, subject, Verdict.WARNING, text, mend, tuple(details))


def failure(area: str, subject: str, text: str, mend: str = "", details: Iterable[str] = ()) -> Check:
    return Check(area, subject, Verdict.FAILURE, text, mend, tuple(details))


def fenced(area: str, subject: str, look: Callable[[], Iterable[Check]], mend: str = "") -> Iterator[Check]:
    """What `look` finds; where that itself goes wrong, a failure that says so, and whoever comes next still looks."""
    try:
        yield from look()
    except DeschedulerError as error:
        yield failure(area, subject, str(error), error.remedy if isinstance(error, Forbidden) else mend)


def trusted(checks: Iterable[Check]) -> bool:
    """Whether a plan could be trusted: nothing failed."""
    return all(check.verdict is not Verdict.FAILURE for check in checks)
