"""When pods may be moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from descheduler.contract.naming import NamespacePattern
from descheduler.contract.types import Duration
from descheduler.policy.section import Section

_LONGEST = 500  # characters of a cron expression


def _schedule(value: str) -> str:
    if len(value) > _LONGEST:
        raise ValueError("is too long for a cron expression")
    if len(value.split()) != 5:
        raise ValueError('must be a cron expression with five fields, such as "0 2 * * MON-FRI"')
    try:
        next(CronSim(value, datetime(2000, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"is no cron expression: {str(error).lower()}") from error
    except StopIteration as error:
        raise ValueError("never comes") from error
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones, such as Europe
        raise ValueError(f"no time zone is named {value}; an IANA name is meant, such as Europe/Berlin") from error
    return value


class DisruptionWindow(Section):
    """A time that comes again, in which pods may be moved."""

    schedule: Annotated[str, AfterValidator(_schedule)]
    """When it opens: a cron expression of five fields, as CronJobs have."""
    duration: Duration = Field(ge=timedelta(minutes=1), le=timedelta(days=31))
    """How long it stays open."""
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """The IANA name of the time zone that the schedule is meant in, such as `Europe/Berlin`."""
    namespaces: tuple[NamespacePattern, ...] = ()
    """The namespaces that it is for, where `*` stands for any text; all when empty."""
