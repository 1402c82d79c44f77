"""A window that could never open, or in a time zone that does not exist, is a mistake with its place."""

from __future__ import annotations

import pytest

from descheduler.model.errors import PolicyError
from descheduler.policy import load_policy

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\nwindows:\n"


def problem(line: str) -> str:
    with pytest.raises(PolicyError) as caught:
        load_policy(HEAD + line, "p.yaml")
    (text,) = caught.value.problems
    return text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '- {schedule: "0 25 * * *", duration: 1h}',
            "p.yaml:4:14: windows[0].schedule: is no cron expression: bad hour",
        ),
        (
            '- {schedule: "@daily", duration: 1h}',
            'p.yaml:4:14: windows[0].schedule: must be a cron expression with five fields, such as "0 2 * * MON-FRI"',
        ),
        (
            '- {schedule: "0 0 31 2 *", duration: 1h}',
            "p.yaml:4:14: windows[0].schedule: is no cron expression: bad day-of-month",
        ),
        (
            '- {schedule: "0 2 * * *", duration: 1h, timeZone: Mars/Olympus}',
            "p.yaml:4:51: windows[0].timeZone: no time zone is named Mars/Olympus; "
            "an IANA name is meant, such as Europe/Berlin",
        ),
        (
            '- {schedule: "0 2 * * *", duration: 1h, timeZone: Europe}',
            "p.yaml:4:51: windows[0].timeZone: no time zone is named Europe; "
            "an IANA name is meant, such as Europe/Berlin",
        ),
        ('- {schedule: "0 2 * * *", duration: 0s}', "p.yaml:4:37: windows[0].duration: must be at least 1 minute"),
        ('- {schedule: "0 2 * * *"}', "p.yaml:4:3: windows[0].duration: is required"),
        (
            '- {schedule: "0 2 * * *", duration: 1h, timezone: UTC}',
            "p.yaml:4:41: windows[0].timezone: is not a known key (did you mean timeZone?)",
        ),
    ],
)
def test_a_mistake_in_a_window_has_its_place(line: str, message: str) -> None:
    assert problem(line) == message


def test_a_whole_window_is_read() -> None:
    (window,) = load_policy(HEAD + '- {schedule: "0 2 * * MON-FRI", duration: 3h, namespaces: ["shop-*"]}').windows
    assert (window.time_zone, window.namespaces) == ("UTC", ("shop-*",))
